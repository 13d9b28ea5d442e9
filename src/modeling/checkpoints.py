"""Checkpoints that a kill cannot spoil, written by every rank at once and read back by any number of ranks.

A checkpoint is a folder in the format of torch's distributed checkpoints: each rank writes its shard, with its hash
beside it, and the first one `facts.json` before and `.metadata` after all others. Only with all of them, and with sound
hashes, is it taken. Of a model with adapters it holds what is trained. On a GPU it is written while training goes on.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from src.core import stopping
from src.core.errors import UserError
from src.core.fingerprint import file_digest
from src.core.store import write_json
from src.modeling import ranks

if TYPE_CHECKING:
    from src.modeling.module import CausalLM

FACTS, COMPLETE = "facts.json", ".metadata"
TRAINED = StateDictOptions(ignore_frozen_params=True)


def link_folder(source: Path, target: Path) -> None:
    """The same files under another name; copies where the disk is another. Complete or not there."""
    half = target.with_name(target.name + ".half")
    for folder in (half, target):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, half, copy_function=_link)
    half.replace(target)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Torch's words for a full disk become the system's."""
    try:
        yield
    except CheckpointException as error:  # what a writer raised, as text
        if any(sign in str(error) for sign in ("file write failed", "unexpected pos", "No space left")):
            raise OSError(errno.ENOSPC, "No space left on device") from error
        raise RuntimeError(str(error)) from error


class _HashingWriter(dcp.FileSystemWriter):
    """Each rank notes the hashes of its own files beside them, straight after writing."""

    def write_data(self, plan: Any, planner: Any) -> Any:
        written = super().write_data(plan, planner)
        written.wait()
        for name in {result.storage_data.relative_path for result in written.value()}:
            path = Path(self.path) / name
            path.with_suffix(".sha256").write_text(file_digest(path))
        return written


def is_sound(folder: Path) -> bool:
    """Whether all that was written of a checkpoint is there, as it was written."""
    shards = list(folder.glob("*.distcp"))
    if not shards or not (folder / COMPLETE).exists():
        return False
    with ThreadPoolExecutor(8) as pool:  # hashing lets other threads run
        return all(pool.map(_is_sound_shard, shards))


def _is_sound_shard(path: Path) -> bool:
    noted = path.with_suffix(".sha256")
    return noted.exists() and noted.read_text() == file_digest(path)


@dataclass
class CheckpointFolder:
    """Holds `step-<steps done>` folders.

    owner: names the training (model, data, recipe, seed): a checkpoint of another one is refused, not loaded.
    in_background: training goes on while files are written, from a copy of the state in the host's memory.
    """

    folder: Path
    owner: str
    keep: int = 2
    in_background: bool = False
    _writing: Any = field(default=None, init=False)  # the future of what is being written, and its step

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def save(self, module: CausalLM, optimizer: torch.optim.Optimizer, step: int) -> Path:
        """Called on every rank. A full disk is told as such; the checkpoints before stay."""
        self.finish()
        path = self.path(step)
        if ranks.is_first():
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            write_json(path / FACTS, {"owner": self.owner, "step": step, "state": module.progress()})
        alone = ranks.count() == 1
        if not alone:
            dist.barrier()
        state = dict(zip(("model", "optimizer"), get_state_dict(module.model, optimizer, options=TRAINED), strict=True))
        writer = _HashingWriter(path)
        with full_disk_told():
            if self.in_background:
                self._writing = dcp.async_save(state, storage_writer=writer, no_dist=alone), step
            else:
                dcp.save(state, storage_writer=writer, no_dist=alone)
                self._forget_old(step)
        return path

    def finish(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            (writing, step), self._writing = self._writing, None
            with full_disk_told():
                writing.result()
            self._forget_old(step)

    def restore(self, module: CausalLM, optimizer: torch.optim.Optimizer, path: Path) -> None:
        """Load a checkpoint into model and optimizer, whatever the number of ranks that wrote it."""
        model, state = get_state_dict(module.model, optimizer, options=TRAINED)
        loaded = {"model": model, "optimizer": state}
        dcp.load(loaded, checkpoint_id=path, no_dist=ranks.count() == 1)
        set_state_dict(
            module.model,
            optimizer,
            model_state_dict=loaded["model"],
            optim_state_dict=loaded["optimizer"],
            options=StateDictOptions(ignore_frozen_params=True, strict=False),
        )
        module.restore_progress(json.loads((path / FACTS).read_text())["state"])

    def adopt(self, state: Path, step: int) -> None:
        """Take over a checkpoint that another run has left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        half = self.path(step).with_suffix(".adopted")
        link_folder(state, half)
        facts = json.loads((half / FACTS).read_text())
        write_json(half / FACTS, {**facts, "owner": self.owner})
        shutil.rmtree(self.path(step), ignore_errors=True)
        half.replace(self.path(step))

    def latest(self) -> tuple[Path, int] | None:
        """The newest sound checkpoint and its number of steps, or None. Raises UserError on another training's."""
        for path in reversed(self._all()):
            facts = _facts(path)
            if facts.get("owner", self.owner) != self.owner:
                raise UserError(
                    f"{path} belongs to another training (its model, data, recipe or seed differ).",
                    f"Delete {self.folder} to start anew, or use the settings it was begun with.",
                )
            if facts and is_sound(path):
                return path, int(facts["step"])
            print(f"    {path} is incomplete or damaged and passed over", file=sys.stderr)
        return None

    def _all(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("step-*") if path.suffix == "")

    def _forget_old(self, written: int) -> None:
        """Leave the newest up to the one just written. What lies beyond it is what a kill or a full disk has left
        incomplete, passed over when training went on from an earlier step."""
        if ranks.is_first():
            known = self._all()
            sound = [path for path in known if path <= self.path(written)]
            for old in {*known} - {*sound[-self.keep :]}:
                (old / FACTS).unlink(missing_ok=True)  # so that half of it is never taken
                shutil.rmtree(old)


def _facts(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((path / FACTS).read_text()))
    except (FileNotFoundError, ValueError):  # the kill came first, or it is damaged; then so is its checkpoint to us
        return {}


class Checkpointing(pl.Callback):
    """Goes on from the checkpoint `start`, and saves after the first step that ends `minutes` after the last save, when
    the process is asked to stop, and after the last step."""

    def __init__(self, checkpoints: CheckpointFolder, start: Path | None, minutes: float):
        self.checkpoints, self.start, self.seconds = checkpoints, start, minutes * 60
        self.next = time.monotonic() + self.seconds

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        stopping.listen(signal.SIGTERM)  # Lightning's own handler broadcasts from wherever the signal found a rank
        if self.start:
            self.checkpoints.restore(pl_module, trainer.optimizers[0], self.start)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        module: CausalLM = pl_module
        stop = stopping.requested()
        due = stop or time.monotonic() >= self.next
        if trainer.world_size > 1:
            due, stop = trainer.strategy.broadcast((due, stop))
        if due or module.steps_done == module.total_steps:
            self.checkpoints.save(module, trainer.optimizers[0], module.steps_done)
            self.next = time.monotonic() + self.seconds
        if stop:
            raise stopping.Stopped

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        self.checkpoints.finish()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.checkpoints.finish()

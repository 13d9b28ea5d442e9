"""Checkpoints that a kill cannot spoil: written beside, hashed, renamed; a damaged one is passed over."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from src.core import stopping
from src.core.errors import UserError

if TYPE_CHECKING:
    from src.modeling.module import CausalLM


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the disk is another. Complete or not there."""
    half = target.with_suffix(".half")
    half.unlink(missing_ok=True)
    try:
        os.link(source, half)
    except OSError:
        shutil.copyfile(source, half)
    half.replace(target)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Removes what was written of `path` when that fails; torch's words for a full disk become the system's."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        path.unlink(missing_ok=True)
        if "file write failed" in str(error) or "unexpected pos" in str(error):  # of torch's archive writer
            raise OSError(errno.ENOSPC, "No space left on device", str(path)) from error
        raise


def _facts(about: Path) -> dict[str, str]:
    try:
        return dict(json.loads(about.read_text()))
    except ValueError:  # damaged; then so is its checkpoint to us
        return {}


@dataclass(frozen=True)
class CheckpointFolder:
    """Holds `step-<steps done>.ckpt`, each with a `.json` beside it that is written last: its hash and whose it is.

    `owner` names the training (model, data, recipe, seed): a checkpoint of another one is refused, not loaded.
    """

    folder: Path
    owner: str
    keep: int = 2

    def save(self, trainer: pl.Trainer, step: int) -> Path:
        """Called on every rank; only the first one writes files of its own. A full disk is told as such."""
        path = self.path(step)
        half = path.with_suffix(".half")
        with writing(half):
            trainer.save_checkpoint(half)
            if trainer.is_global_zero:
                digest = sha256(half)
                half.replace(path)
                self._sign(path, digest)
                for old in self._all()[: -self.keep]:
                    old.with_suffix(".json").unlink(missing_ok=True)
                    old.unlink()
        trainer.strategy.barrier()
        return path

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.ckpt"

    def adopt(self, state: Path, digest: str, step: int) -> None:
        """Take over a checkpoint that another run has left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        link(state, self.path(step))
        self._sign(self.path(step), digest)

    def _sign(self, path: Path, digest: str) -> None:
        about = path.with_suffix(".json")
        half = about.with_suffix(".json.half")
        half.write_text(json.dumps({"sha256": digest, "owner": self.owner}))
        half.replace(about)

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.ckpt"))

    def latest(self) -> tuple[Path, int] | None:
        """The newest sound checkpoint and its number of steps, or None. Raises UserError on another training's."""
        for path in reversed(self._all()):
            about = path.with_suffix(".json")
            if not about.exists():
                continue  # the kill came between the two files
            facts = _facts(about)
            if facts.get("owner", self.owner) != self.owner:
                raise UserError(
                    f"{path} belongs to another training (its model, data, recipe or seed differ).",
                    f"Delete {self.folder} to start anew, or use the settings it was begun with.",
                )
            if sha256(path) == facts.get("sha256"):
                return path, int(path.stem.removeprefix("step-"))
            print(f"    {path} is damaged and passed over", file=sys.stderr)
        return None


class SaveRegularly(pl.Callback):
    """Saves after the first step that ends `minutes` after the last save, and when this process is asked to stop."""

    def __init__(self, checkpoints: CheckpointFolder, minutes: float):
        self.checkpoints, self.seconds = checkpoints, minutes * 60
        self.next = time.monotonic() + self.seconds

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        stopping.listen(signal.SIGTERM)  # Lightning's own handler broadcasts from wherever the signal found a rank

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        module: CausalLM = pl_module
        stop = stopping.requested()
        due = stop or time.monotonic() >= self.next
        if trainer.world_size > 1:
            due, stop = trainer.strategy.broadcast((due, stop))
        if due and module.steps_done < module.total_steps:
            self.checkpoints.save(trainer, module.steps_done)
            self.next = time.monotonic() + self.seconds
            if stop:
                raise stopping.Stopped

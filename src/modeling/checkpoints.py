"""Checkpoints that a kill cannot spoil: written beside, hashed, renamed; a damaged one is passed over."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from src.core.errors import UserError

if TYPE_CHECKING:
    from src.modeling.module import CausalLM


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class CheckpointFolder:
    """Holds `step-<steps done>.ckpt`, each with a `.json` beside it that is written last: its hash and whose it is.

    `owner` names the training (model, data, recipe, seed): a checkpoint of another one is refused, not loaded.
    """

    folder: Path
    owner: str
    keep: int = 2

    def save(self, trainer: pl.Trainer, step: int) -> None:
        """Called on every rank; only the first one writes files of its own."""
        path = self.folder / f"step-{step:08d}.ckpt"
        half = path.with_suffix(".half")
        trainer.save_checkpoint(half)
        if trainer.is_global_zero:
            about = path.with_suffix(".json")
            facts = {"sha256": _sha256(half), "owner": self.owner}
            half.replace(path)
            new = about.with_suffix(".json.half")
            new.write_text(json.dumps(facts))
            new.replace(about)
            for old in self._all()[: -self.keep]:
                old.with_suffix(".json").unlink(missing_ok=True)
                old.unlink()
        trainer.strategy.barrier()

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.ckpt"))

    def latest(self) -> tuple[Path, int] | None:
        """The newest sound checkpoint and its number of steps, or None. Raises UserError on another training's."""
        for path in reversed(self._all()):
            about = path.with_suffix(".json")
            if not about.exists():
                continue  # the kill came between the two files
            facts = json.loads(about.read_text())
            if facts["owner"] != self.owner:
                raise UserError(
                    f"{path} belongs to another training (its model, data, recipe or seed differ).",
                    f"Delete {self.folder} to start anew, or use the settings it was begun with.",
                )
            if _sha256(path) == facts["sha256"]:
                return path, int(path.stem.removeprefix("step-"))
            print(f"    {path} is damaged and passed over", file=sys.stderr)
        return None


class SaveRegularly(pl.Callback):
    """Saves after the first step that ends `minutes` after the last save."""

    def __init__(self, checkpoints: CheckpointFolder, minutes: float):
        self.checkpoints, self.seconds = checkpoints, minutes * 60
        self.next = time.monotonic() + self.seconds

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        module: CausalLM = pl_module
        due = time.monotonic() >= self.next
        if trainer.world_size > 1:
            due = trainer.strategy.broadcast(due)
        if due and module.steps_done < module.total_steps:
            self.checkpoints.save(trainer, module.steps_done)
            self.next = time.monotonic() + self.seconds

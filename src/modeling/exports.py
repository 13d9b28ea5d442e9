"""Models that a training leaves on its way: every so many steps, and where the held-out loss was lowest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from src.core.store import write_json
from src.modeling import ranks
from src.modeling.checkpoints import link_folder
from src.modeling.module import CausalLM
from src.modeling.trainer import Trainer
from src.modeling.validation import Validation

FACTS = "export.json"


class Exports(pl.Callback):
    """Writes `folder/step-<n>` and `folder/best` as the trainer's options ask: Hugging Face folders, or LoRA adapters.
    Stands behind the validation, whose losses it reads. What a killed run has written stays.

    copy: a copy of the model as it is, on the first rank; called on every rank. write: puts that into a folder, which
    appears complete or not at all.
    """

    def __init__(
        self,
        folder: Path,
        options: Trainer,
        validation: Validation,
        copy: Callable[[Any], Any],
        write: Callable[[Any, Path], None],
    ):
        self.folder, self.options, self.validation = folder, options, validation
        self.copy, self.write = copy, write
        self.lowest = ranks.decided_by_first(self._lowest)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        module: CausalLM = pl_module
        step, every = module.steps_done, self.options.export_every
        wanted = [f"step-{step:08d}"] if every and step % every == 0 else []
        loss = self._held_out(step)
        if self.options.export_best and loss is not None and loss < self.lowest:
            self.lowest = loss
            wanted.append("best")
        if not wanted:
            return
        model = self.copy(module.model)
        if trainer.is_global_zero:
            for name in wanted:
                self._write(model, self.folder / name, step, loss)
        trainer.strategy.barrier()

    def _lowest(self) -> float:
        """Of a run before, that was killed."""
        facts = self.folder / "best" / FACTS
        return float(json.loads(facts.read_text())["held_out_loss"]) if facts.exists() else float("inf")

    def _held_out(self, step: int) -> float | None:
        """The mean over the corpora, where the validation has just been."""
        losses = self.validation.last.values() if step in self.validation.steps else ()
        return sum(losses) / len(losses) if losses else None

    def _write(self, model: Any, folder: Path, step: int, loss: float | None) -> None:
        self.write(model, folder)
        write_json(folder / FACTS, {"step": step, "held_out_loss": loss})

    def publish(self, folder: Path) -> None:
        """Show in `folder` what was written, once the training is done."""
        for made in sorted(self.folder.iterdir()) if self.folder.exists() else ():
            if made.suffix != ".half":
                link_folder(made, folder / made.name)

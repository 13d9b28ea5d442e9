"""Checkpoints with an optimizer's state, for gradient-based influence: the model, and Adam's moments by parameter."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from src.modeling.module import CausalLM
from src.modeling.sharding import whole


@dataclass(frozen=True)
class OptimizerCheckpoint:
    """One kept checkpoint, `folder`: the model as a Hugging Face folder (with LoRA: the adapter), and Adam's moments in
    `adam.safetensors` (tensors `m.<parameter>` and `v.<parameter>`, named as in `named_parameters()`).

    step: optimizer steps done, which Adam's bias correction needs. lr: the mean rate since the checkpoint before.
    """

    folder: Path
    step: int
    lr: float

    @staticmethod
    def of(folder: Path) -> OptimizerCheckpoint:
        """Read one back from its folder."""
        facts = json.loads((folder / "checkpoint.json").read_text())
        return OptimizerCheckpoint(folder, facts["step"], facts["lr"])


class SaveOptimizerCheckpoints(pl.Callback):
    """Keeps an `OptimizerCheckpoint` after each of the given fractions of `total` steps, in `folder/step-<n>`.
    put_together: makes a whole model of a sharded one; called on every rank."""

    def __init__(
        self, folder: Path, fractions: Sequence[float], tokenizer: Any, total: int, put_together: Callable[[Any], Any]
    ):
        if any(not 0 < f <= 1 for f in fractions):
            raise ValueError(f"checkpoints must be fractions in (0, 1], not {list(fractions)}")
        self.folder, self.tokenizer, self.put_together = folder, tokenizer, put_together
        self.steps = sorted({max(1, math.ceil(round(f * total, 6))) for f in fractions})

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        module: CausalLM = pl_module
        step = module.steps_done
        if step not in self.steps:
            return
        moments = dict(_moments(module, trainer.optimizers[0]))
        model = self.put_together(module.model)
        if trainer.is_global_zero:
            before = max((s for s in self.steps if s < step), default=0)
            rates = [module.learning_rate(s) for s in range(before, step)]
            self._save(model, moments, step, sum(rates) / len(rates))
        trainer.strategy.barrier()

    def _save(self, model: Any, moments: dict[str, torch.Tensor], step: int, lr: float) -> None:
        from safetensors.torch import save_file

        folder = self.folder / f"step-{step:08d}"
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        model.save_pretrained(half)
        self.tokenizer.save_pretrained(half)
        save_file(moments, half / "adam.safetensors", metadata={"step": str(step)})
        (half / "checkpoint.json").write_text(json.dumps({"step": step, "lr": lr}))
        shutil.rmtree(folder, ignore_errors=True)
        half.replace(folder)

    def saved(self) -> tuple[OptimizerCheckpoint, ...]:
        """All that were asked for, also those kept before a kill."""
        return tuple(OptimizerCheckpoint.of(self.folder / f"step-{step:08d}") for step in self.steps)


def _moments(module: CausalLM, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, torch.Tensor]]:
    for name, parameter in module.named_trainable():
        state = optimizer.state[parameter]
        yield f"m.{name}", whole(state["exp_avg"].detach()).contiguous()
        yield f"v.{name}", whole(state["exp_avg_sq"].detach()).contiguous()

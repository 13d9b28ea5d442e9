"""The loss on rows that are held out, for each corpus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from src.modeling.data import Loader
from src.modeling.loss import loss_sum
from src.modeling.module import CausalLM
from src.modeling.packing import one_per_bin, pack
from src.modeling.plan import Plan
from src.modeling.recipe import Recipe
from src.modeling.rows import TokenRows


class Validation(pl.Callback):
    """Reads the held-out rows `times` in a training, evenly, the last time after the last step. `last`: mean loss in
    nats a trained token, as `val_loss/<corpus>`."""

    def __init__(self, rows: TokenRows, recipe: Recipe, rows_per_device: int, times: int, steps: int):
        self.rows, self.recipe, self.rows_per_device = rows, recipe, rows_per_device
        self.steps = {max(1, round(steps * (i + 1) / times)) for i in range(times)} if rows.held_out.any() else set()
        self.last: dict[str, float] = {}

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        module: CausalLM = pl_module
        if module.steps_done not in self.steps:
            return
        module.model.eval()
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            self.last = {f"val_loss/{name}": loss for name, loss in self._losses(trainer, module)}
        module.model.train()

    def _losses(self, trainer: pl.Trainer, module: CausalLM) -> Iterator[tuple[str, float]]:
        rank, world = trainer.global_rank, trainer.world_size
        for number, name in enumerate(self.rows.corpora):
            if len(chosen := self.rows.of(number, held_out=True)):
                plan = self._plan(chosen, self.rows_per_device * world)
                loader = Loader(self.rows, plan, self.recipe.loss_on, self.rows_per_device, 0, rank, world)
                total = torch.zeros((), device=module.device)
                for batch in loader:
                    for part in batch.parts:
                        loss = loss_sum(module.model, part.to(module.device), module.attention, module.chunked_loss)
                        total += loss if part.real else 0
                if world > 1:
                    torch.distributed.all_reduce(total)
                yield name, float(total) / max(plan.total_trained_tokens, 1)

    def _plan(self, rows: np.ndarray, batch: int) -> Plan:
        """One pass over these rows."""
        lengths, capacity = self.rows.lengths, self.recipe.sequence_length
        bins = pack(lengths, rows, capacity) if self.recipe.packing else one_per_bin(rows)
        return Plan(bins, batch, lengths, self.rows.trained(self.recipe.loss_on), capacity, ())

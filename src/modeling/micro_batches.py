"""How one optimizer step is divided: sequences of a forward pass x passes x devices. Arithmetic only, no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from src.core.errors import UserError
from src.modeling.recipe import Recipe
from src.modeling.trainer import Trainer

SLOTS = {"cuda": 16_384, "cpu": 2_048}
"""Tokens in a forward pass where `rows_per_device` leaves it open."""


@dataclass(frozen=True)
class MicroBatchPlan:
    """`rows` sequences a forward pass, `passes` of them a step on each of `devices`, make `batch` sequences.

    The batch is always the recipe's: where it does not divide, the last pass of some devices is shorter or empty.
    """

    batch: int
    rows: int
    passes: int
    devices: int

    @property
    def idle(self) -> float:
        """The share of a step's places that stay empty because the batch does not divide."""
        return 1 - self.batch / (self.rows * self.passes * self.devices)

    def __str__(self) -> str:
        short = self.rows * self.passes * self.devices - self.batch
        rest = f" - {short} empty places" if short else ""
        return f"{self.rows} rows x {self.passes} passes x {self.devices} devices{rest} = {self.batch} sequences a step"


def plan_micro_batches(recipe: Recipe, trainer: Trainer, device: str) -> MicroBatchPlan:
    """Raises UserError when some devices would have nothing to do. `device`: "cpu" or "cuda"."""
    batch, devices = recipe.batch_sequences, trainer.devices * trainer.nodes
    if batch < devices:
        raise UserError(
            f"A batch of {batch} sequences cannot be divided among {trainer.nodes} x {trainer.devices} = {devices} "
            "devices: some would have nothing to do.",
            f"Use at most {batch} devices, or a recipe with batch_sequences of {devices} or more.",
        )
    share = math.ceil(batch / devices)
    rows = min(trainer.rows_per_device or max(1, SLOTS[device] // recipe.sequence_length), share)
    return MicroBatchPlan(batch, rows, math.ceil(share / rows), devices)

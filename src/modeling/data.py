"""From the plan to tensors: one item of the loader is everything that one optimizer step reads on this device."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from src.modeling.attention import Documents
from src.modeling.plan import Plan
from src.modeling.rows import TokenRows


@dataclass(frozen=True)
class MicroBatch:
    """Documents one after another in a single row of N tokens, without padding.

    tokens, positions: (1, N); positions restart at every document. predicts: (K,) the places whose next token is
    trained on; targets: (K,) those next tokens. `real` is False for a copy that only keeps devices in step.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    predicts: torch.Tensor
    targets: torch.Tensor
    documents: Documents
    rows: tuple[int, ...] = ()
    real: bool = True

    def to(self, device: Any, **kwargs: Any) -> MicroBatch:
        names = ("tokens", "positions", "predicts", "targets", "documents")
        return replace(self, **{name: getattr(self, name).to(device, **kwargs) for name in names})


@dataclass(frozen=True)
class StepBatch:
    """The micro-batches of one optimizer step on this device; the tokens and rows of that step on all devices."""

    step: int
    parts: tuple[MicroBatch, ...]
    tokens: int
    trained_tokens: int
    rows: np.ndarray

    def to(self, device: Any, **kwargs: Any) -> StepBatch:
        return replace(self, parts=tuple(part.to(device, **kwargs) for part in self.parts))


def micro_batch(rows: TokenRows, numbers: np.ndarray, loss_on: str, real: bool = True) -> MicroBatch:
    """The rows of these numbers, side by side."""
    lengths = rows.lengths[numbers]
    begins = np.cumsum(lengths) - lengths
    positions = np.arange(lengths.sum()) - np.repeat(begins, lengths)
    tokens = rows.tokens[positions + np.repeat(rows.offsets[numbers], lengths)].astype(np.int64)
    first = np.maximum(rows.prompts[numbers], 1) if loss_on == "response" else np.ones_like(lengths)
    targets = np.flatnonzero(positions >= np.repeat(first, lengths))
    return MicroBatch(
        tokens=torch.from_numpy(tokens)[None],
        positions=torch.from_numpy(positions)[None],
        predicts=torch.from_numpy(targets - 1),
        targets=torch.from_numpy(tokens[targets]),
        documents=Documents.of(lengths.tolist()),
        rows=tuple(numbers.tolist()),
        real=real,
    )


class Loader:
    """Iterates the steps `start` to the end for one device of `world`."""

    def __init__(
        self, rows: TokenRows, plan: Plan, loss_on: str, rows_per_device: int, start: int, rank: int, world: int
    ):
        self.rows, self.plan, self.loss_on = rows, plan, loss_on
        self.rows_per_device, self.start, self.rank, self.world = rows_per_device, start, rank, world

    def __len__(self) -> int:
        return self.plan.steps - self.start

    def __iter__(self) -> Iterator[StepBatch]:
        return (self.batch(step) for step in range(self.start, self.plan.steps))

    def batch(self, step: int) -> StepBatch:
        """Every device gets the same number of micro-batches: the last ones may be copies that weigh nothing."""
        sequences = self.plan.sequences(step)
        mine = sequences[self.rank :: self.world]
        count = math.ceil(math.ceil(len(sequences) / self.world) / self.rows_per_device)
        groups = [mine[i : i + self.rows_per_device] for i in range(0, len(mine), self.rows_per_device)]
        parts = [micro_batch(self.rows, np.concatenate(group), self.loss_on) for group in groups]
        while len(parts) < count:
            parts.append(micro_batch(self.rows, sequences[0], self.loss_on, real=False))
        tokens, trained = self.plan.tokens(step), self.plan.trained_tokens(step)
        return StepBatch(step, tuple(parts), tokens, trained, np.concatenate(sequences))


class PackedData(pl.LightningDataModule):
    """The one data module. `start`: the first step to read (a checkpoint knows how many are done)."""

    def __init__(self, rows: TokenRows, plan: Plan, loss_on: str, rows_per_device: int, start: int = 0):
        super().__init__()
        self.rows, self.plan, self.loss_on = rows, plan, loss_on
        self.rows_per_device, self.start = rows_per_device, start

    def train_dataloader(self) -> Loader:
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return Loader(self.rows, self.plan, self.loss_on, self.rows_per_device, self.start, rank, world)

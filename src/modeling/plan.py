"""Which row is read when: a pure function of the rows' lengths, the recipe and the seed.

So the place of the data loader is the number of the step, and nothing else needs to be saved to resume it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from src.modeling.mixture import Passes, in_phases, in_turn
from src.modeling.packing import Bins, fill
from src.modeling.recipe import Order, Recipe
from src.modeling.rows import TokenRows


@dataclass(frozen=True)
class Boundary:
    """What is read from `step` on: "sft, epoch 2", or "70% corpus, 30% sft"."""

    step: int
    name: str


@dataclass(frozen=True)
class Plan:
    """All sequences of a training in order, `batch` of them a step (the last step may have fewer)."""

    bins: Bins
    batch: int
    lengths: np.ndarray
    trained: np.ndarray
    capacity: int
    boundaries: tuple[Boundary, ...]
    max_steps: int | None = None

    @property
    def steps(self) -> int:
        steps = math.ceil(len(self.bins) / self.batch)
        return min(steps, self.max_steps) if self.max_steps else steps

    def sequences(self, step: int) -> list[np.ndarray]:
        """The sequences of a step, each the numbers of its rows."""
        last = min((step + 1) * self.batch, len(self.bins))
        return [self.bins[i] for i in range(step * self.batch, last)]

    @cached_property
    def _tokens(self) -> np.ndarray:
        return self._per_step(self.lengths)

    @cached_property
    def _trained(self) -> np.ndarray:
        return self._per_step(self.trained)

    def _per_step(self, values: np.ndarray) -> np.ndarray:
        upto = np.concatenate([[0], np.cumsum(values[self.bins.rows], dtype=np.int64)])
        edges = np.minimum(np.arange(self.steps + 1) * self.batch, len(self.bins))
        return np.diff(upto[self.bins.offsets[edges]])

    def tokens(self, step: int) -> int:
        return int(self._tokens[step])

    def slots(self, step: int) -> int:
        """Room for tokens in the step's sequences, filled or not."""
        return (min((step + 1) * self.batch, len(self.bins)) - step * self.batch) * self.capacity

    def trained_tokens(self, step: int) -> int:
        """Tokens of the whole batch that the loss falls on: what a step's loss is averaged over."""
        return int(self._trained[step])

    @property
    def total_tokens(self) -> int:
        return int(self._tokens.sum())

    @property
    def total_trained_tokens(self) -> int:
        return int(self._trained.sum())

    @property
    def waste(self) -> float:
        """The share of slots that stays empty."""
        return 1.0 - fill(self.bins, self.lengths, self.capacity)


def make_plan(rows: TokenRows, recipe: Recipe, orders: tuple[Order, ...], seed: int) -> Plan:
    """By the recipe's phases, or corpora one after the other, each for all of its epochs. `orders`: of the corpora."""
    passes = Passes(rows, recipe, orders, seed)
    parts = list(in_phases(passes, rows, recipe) if recipe.phases else in_turn(passes, rows, recipe))
    starts = np.cumsum([0, *(len(bins) for _, bins in parts)])
    return Plan(
        Bins.join([bins for _, bins in parts]),
        recipe.batch_sequences,
        rows.lengths,
        rows.trained(recipe.loss_on),
        recipe.sequence_length,
        tuple(Boundary(int(at) // recipe.batch_sequences, name) for at, (name, _) in zip(starts, parts, strict=False)),
        recipe.max_steps,
    )

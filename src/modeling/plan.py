"""Which row is read when: a pure function of the rows' lengths, the recipe and the seed.

So the place of the data loader is the number of the step, and nothing else needs to be saved to resume it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from src.core.records import seed_from
from src.modeling.packing import Bins, fill, one_per_bin, pack_in_order, pack_shuffled
from src.modeling.recipe import Order, Recipe
from src.modeling.rows import Rows


@dataclass(frozen=True)
class Boundary:
    """From `step` on, rows of `corpus` in its pass number `epoch` are read."""

    step: int
    corpus: str
    epoch: int


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


def make_plan(rows: Rows, recipe: Recipe, orders: tuple[Order, ...], seed: int) -> Plan:
    """Corpora one after the other (`orders`: theirs), each for all of its epochs; the budget shortens all alike."""
    epochs = _epochs(rows, recipe)
    parts: list[Bins] = []
    starts: list[tuple[int, str, int]] = []
    at = 0
    for number, name in enumerate(rows.corpora):
        mine = np.flatnonzero(rows.corpus == number)
        for epoch in range(math.ceil(epochs)):
            rng = np.random.default_rng(seed_from(seed, "order", number, epoch))
            chosen = _share(mine, min(1.0, epochs - epoch), orders[number], rng)
            if not len(chosen):
                continue
            starts.append((at, name, epoch))
            parts.append(_sequences(rows.lengths, chosen, recipe, orders[number], rng))
            at += len(parts[-1])
    boundaries = tuple(Boundary(bin // recipe.batch_sequences, name, epoch) for bin, name, epoch in starts)
    trained = rows.trained(recipe.loss_on)
    return Plan(
        Bins.join(parts),
        recipe.batch_sequences,
        rows.lengths,
        trained,
        recipe.sequence_length,
        boundaries,
        recipe.max_steps,
    )


def _epochs(rows: Rows, recipe: Recipe) -> float:
    total = int(rows.lengths.sum())
    limits = [recipe.epochs] if recipe.epochs is not None else []
    if recipe.max_tokens is not None:
        limits.append(recipe.max_tokens / total)
    if recipe.max_steps is not None:
        if recipe.packing:
            limits.append(recipe.max_steps * recipe.batch_tokens / total)
        else:
            limits.append(recipe.max_steps * recipe.batch_sequences / len(rows.lengths))
    return min(limits)


def _share(rows: np.ndarray, share: float, order: Order, rng: np.random.Generator) -> np.ndarray:
    """The first part of an epoch, for the last one may be cut short: random rows, or the first ones."""
    n = round(share * len(rows))
    if n == len(rows):
        return rows
    return rows[:n] if order == "in_order" else np.sort(rng.permutation(rows)[:n])


def _sequences(lengths: np.ndarray, rows: np.ndarray, recipe: Recipe, order: Order, rng: np.random.Generator) -> Bins:
    if not recipe.packing:
        return one_per_bin(rows if order == "in_order" else rng.permutation(rows))
    if order == "in_order":
        return pack_in_order(lengths, rows, recipe.sequence_length)
    return pack_shuffled(lengths, rows, recipe.sequence_length, rng)

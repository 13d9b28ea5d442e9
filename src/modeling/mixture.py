"""In which order corpora are read: one after the other, or several at once by weight. The seed decides all of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from src.core.apportion import apportion
from src.core.errors import UserError
from src.core.records import seed_from
from src.modeling.packing import Bins, one_per_bin, pack_in_order, pack_shuffled
from src.modeling.recipe import Order, Phase, Recipe
from src.modeling.rows import TokenRows

Part = tuple[str, Bins]
"""What is read for a while, in words, and its sequences."""


class Passes:
    """The sequences of each corpus, pass by pass; each pass is shuffled by its own seed."""

    def __init__(self, rows: TokenRows, recipe: Recipe, orders: tuple[Order, ...], seed: int):
        self.rows, self.recipe, self.orders, self.seed = rows, recipe, orders, seed

    def of(self, corpus: int, epoch: int, share: float = 1.0) -> Bins:
        """One pass over a corpus, or the first `share` of it: random rows of a shuffled corpus. At least one row of
        the first pass, for a budget is not to leave a corpus out."""
        rng = np.random.default_rng(seed_from(self.seed, "order", corpus, epoch))
        rows, order = self.rows.of(corpus), self.orders[corpus]
        n = max(round(share * len(rows)), 1 if epoch == 0 else 0)
        if n < len(rows):
            rows = rows[:n] if order == "in_order" else np.sort(rng.permutation(rows)[:n])
        if not self.recipe.packing:
            return one_per_bin(rows if order == "in_order" else rng.permutation(rows))
        lengths, capacity = self.rows.lengths, self.recipe.sequence_length
        if order == "in_order":
            return pack_in_order(lengths, rows, capacity)
        return pack_shuffled(lengths, rows, capacity, rng)


def in_turn(passes: Passes, rows: TokenRows, recipe: Recipe) -> Iterator[Part]:
    """Corpora one after the other, each for all of its epochs; a budget shortens all alike."""
    epochs = _epochs(passes, rows, recipe)
    for number, name in enumerate(rows.corpora):
        for epoch in range(math.ceil(epochs)):
            bins = passes.of(number, epoch, min(1.0, epochs - epoch))
            if len(bins):
                yield f"{name}, epoch {epoch + 1}", bins


def _epochs(passes: Passes, rows: TokenRows, recipe: Recipe) -> float:
    """How often all is read. Steps are counted in sequences as they are packed: rows seldom fill them, and what is
    planned beyond the last step would be cut off the last corpus alone."""
    limits = [recipe.epochs] if recipe.epochs is not None else []
    if recipe.max_tokens is not None:
        limits.append(recipe.max_tokens / int(rows.lengths[~rows.held_out].sum()))
    if recipe.max_steps is not None:
        of_one_pass = sum(len(passes.of(number, 0)) for number in range(len(rows.corpora)))
        limits.append(recipe.max_steps * recipe.batch_sequences / of_one_pass)
    return min(limits)


def in_phases(passes: Passes, rows: TokenRows, recipe: Recipe) -> Iterator[Part]:
    """The recipe's phases. Raises UserError when one names a corpus that is not there, or is empty."""
    streams = {name: _Stream(passes, number) for number, name in enumerate(rows.corpora) if len(rows.of(number))}
    for phase in recipe.phases:
        _check(phase, streams)
        counts = apportion(_sequences(phase, rows, recipe), phase.corpora)
        taken = Bins.join([streams[name].take(n) for name, n in counts.items()])
        total = sum(phase.corpora.values())
        words = ", ".join(f"{weight / total:.0%} {name}" for name, weight in phase.corpora.items())
        yield words, taken.take(interleave(list(counts.values())))


def _check(phase: Phase, there: Mapping[str, object]) -> None:
    if missing := [name for name in phase.corpora if name not in there]:
        raise UserError(
            f"A phase reads from '{missing[0]}', but the corpora with rows are {', '.join(there) or 'none'}.",
            "Name one of those in the recipe's phases.",
        )


def _sequences(phase: Phase, rows: TokenRows, recipe: Recipe) -> int:
    """The phase's budget as sequences, a whole number of steps."""
    each = recipe.sequence_length if recipe.packing else float(rows.lengths.mean())
    return max(1, round(phase.tokens / (each * recipe.batch_sequences))) * recipe.batch_sequences


def interleave(counts: list[int]) -> np.ndarray:
    """An order of the items of several lists laid end to end that spreads each list evenly."""
    places = np.concatenate([(np.arange(n) + 0.5) / n for n in counts if n])
    return np.argsort(places, kind="stable")


class _Stream:
    """The sequences of one corpus without end: pass after pass."""

    def __init__(self, passes: Passes, corpus: int):
        self.passes, self.corpus, self.epoch, self.left = passes, corpus, 0, Bins.join([])

    def take(self, n: int) -> Bins:
        taken = []
        while n:
            if not len(self.left):
                self.left, self.epoch = self.passes.of(self.corpus, self.epoch), self.epoch + 1
            some = min(n, len(self.left))
            taken.append(self.left.take(np.arange(some)))
            self.left = self.left.take(np.arange(some, len(self.left)))
            n -= some
        return Bins.join(taken)

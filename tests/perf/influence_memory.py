"""Peak memory of the influence estimate, all of it from candidates to ranking, for few candidates and for many.

Each count runs in a fresh process, whose peak resident set the system tells at the end. The model and the texts are
as small as can be, so that what grows with the candidates has nothing to hide behind.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from src.core.records import Example, content_id
from src.modeling.recipe import Recipe
from src.modeling.sources import TinyLlama
from src.modeling.trainer import Trainer
from src.selection.base import Reference
from src.selection.influence import Influence
from tests.perf.measure import Aim, Comparison, Options

RECIPE = Recipe(lr=1e-3, sequence_length=64, batch_sequences=4, max_steps=2)


class Sums:
    """A target."""

    def dev_examples(self) -> Iterator[Example]:
        return (_sum(1_000_000 + i) for i in range(20))


def run(options: Options) -> Comparison:
    few, many = options.size(1_000, 100), options.size(50_000, 1_000)
    small = TinyLlama(hidden_size=32, layers=1, heads=2, kv_heads=2, intermediate_size=64, vocab_size=300)
    folder = small.prepare(options.scratch / "small", lambda: (_sum(i).prompt for i in range(500)), seed=0)
    peaks = {count: _apart(count, folder, options.scratch / str(count)) for count in (few, many)}
    note = f"a model of one layer, {few:,} and {many:,} sums as candidates"
    what, against = f"peak memory, {many:,} candidates", f"{few:,} candidates"
    return Comparison(what, "MiB", (peaks[many],), (peaks[few],), against, Aim(1.25, at_most=True), note)


def _apart(count: int, model: str, scratch: Path) -> float:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_peak, count, model, scratch).result()


def _peak(count: int, model: str, scratch: Path) -> float:
    selector = Influence(
        top_k=1,
        targets={"sums": Sums()},
        warmup=RECIPE,
        warmup_fraction=1e-9,
        layers=("*.o_proj",),
        checkpoints=1,
        dimension=512,
        batch_rows=32,
    )
    reference = Reference(Path(model), scratch / "work", scratch / "cache", Trainer(device="cpu"))
    found = selector.rank([_sum(i) for i in range(count)], reference)
    assert len(found.order()) == count
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _sum(i: int) -> Example:
    a, b = i % 997, i // 997
    return Example(content_id(i), "sums", f"{a}+{b}=", str(a + b))

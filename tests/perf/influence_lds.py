"""Do influence's scores foretell what training does? `python -m tests.perf.influence_lds`, some minutes on a CPU.

The linear datamodeling score (LDS) of TRAK (Park et al. 2023, arXiv 2303.14186): over random subsets S of the pool, the
rank correlation of sum_{z in S} score(z) with the gain on the target of a model trained on S. Each of the ten families
of the pool is the target in turn, and one training serves them all; the figures are means over the families, with their
standard error. Beside them stands the LDS of the number of rows in S which are of the target's own family, which a
perfect detector of relevance would get, and the average precision by which a ranking finds those rows.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.core.records import Example
from src.modeling.loading import load_model, load_tokenizer
from src.modeling.recipe import LoRA, Recipe
from src.modeling.trainer import Trainer
from src.selection.base import Reference
from src.selection.fidelity import spearman
from src.selection.influence import Influence
from src.selection.packed import Encoded, ResponseLoss, encode
from src.selection.ranking import Ranking
from tests.selection.conftest import Families, example, train_reference

FAMILIES = range(10)
SIZE = 50  # rows of a subset, of the pool's 100
LORA = LoRA(rank=8, alpha=16)
LAPTOP = ("*.o_proj", "*.down_proj")  # as selector=influence
KINDS: dict[str, dict[str, Any]] = {
    "selector=influence": {"layers": LAPTOP},
    "the same, plain gradients": {"layers": LAPTOP, "direction": "sgd", "target_direction": "sgd"},
    "the same, Adam's direction": {"layers": LAPTOP, "direction": "adam", "target_direction": "sgd"},
    "all linear layers, preconditioned": {"layers": ("*_proj",)},
    "LoRA, preconditioned": {"layers": ("*.lora_*",), "lora": LORA},
    "LoRA, plain gradients": {"layers": ("*.lora_*",), "lora": LORA, "direction": "sgd", "target_direction": "sgd"},
    "LoRA, Adam's direction (LESS)": {
        "layers": ("*.lora_*",),
        "lora": LORA,
        "direction": "adam",
        "target_direction": "sgd",
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.influence_lds", description=__doc__.split("\n")[0])
    parser.add_argument("--subsets", type=int, default=60)
    count = parser.parse_args().subsets
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="influence-lds-") as scratch:
        model = train_reference(Path(scratch))
        pool = [example(family, i) for family in FAMILIES for i in range(10)]
        subsets = [random.Random(number).sample(range(len(pool)), SIZE) for number in range(count)]
        gains = _gains(model, pool, subsets)
        own = np.array([[row.source == _name(family) for family in FAMILIES] for row in pool], dtype=float)
        _print("rows of the target's family", _foretold(own, subsets, gains))
        for name, kind in KINDS.items():
            scores = _scores(model, pool, Path(scratch) / name, **kind)
            found = [_average_precision(scores[:, family], own[:, family]) for family in FAMILIES]
            _print(name, _foretold(scores, subsets, gains), found)


def _name(family: int) -> str:
    return f"family{family}"


def _print(name: str, lds: Sequence[float], precision: Sequence[float] = ()) -> None:
    error = statistics.stdev(lds) / len(lds) ** 0.5
    found = f", average precision {statistics.mean(precision):.2f}" if precision else ""
    each = " ".join(f"{value:+.2f}" for value in lds)
    print(f"{name}: LDS {statistics.mean(lds):.3f} +- {error:.3f}{found} ({each})", flush=True)


def _foretold(scores: np.ndarray, subsets: list[list[int]], gains: np.ndarray) -> list[float]:
    """By family, the LDS. scores: rows of the pool x families; gains: subsets x families."""
    sums = np.array([scores[subset].sum(0) for subset in subsets])
    return [spearman(sums[:, family], gains[:, family]) or 0.0 for family in FAMILIES]


def _average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    hits = relevant[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


def _scores(model: Path, pool: list[Example], folder: Path, lora: LoRA | None = None, **options: Any) -> np.ndarray:
    """Rows of the pool x families."""
    given = {"direction": "preconditioned", "target_direction": "preconditioned", **options}
    selector = Influence(
        top_k=1,
        targets={_name(family): Families((family,), 20) for family in FAMILIES},
        warmup=Recipe(lr=1e-3, epochs=2, sequence_length=256, batch_sequences=2, lora=lora),
        warmup_fraction=1.0,
        checkpoints=1,
        dimension=2048,
        fidelity_rows=0,
        **given,
    )
    reference = Reference(model, folder / "work", folder / "cache", Trainer(threads=1))
    ranking: Ranking = selector.rank(pool, reference)
    place = {id: i for i, id in enumerate(ranking.ids)}
    columns = np.stack([ranking.scores[_name(family)] for family in FAMILIES], axis=1)
    return np.asarray(columns[[place[row.id] for row in pool]])


def _gains(model: Path, pool: list[Example], subsets: list[list[int]]) -> np.ndarray:
    """Minus the loss on each family's targets after training on each subset: subsets x families."""
    tokenizer = load_tokenizer(model)
    rows = encode(tokenizer, pool, 256)
    targets = [encode(tokenizer, list(Families((family,), 20).dev_examples()), 256) for family in FAMILIES]
    gains = []
    for number, subset in enumerate(subsets, 1):
        gains.append([-loss for loss in _losses_after(model, [rows[i] for i in subset], targets)])
        print(f"\r{number} of {len(subsets)} subsets", end="", file=sys.stderr, flush=True)
    return np.array(gains)


def _losses_after(folder: Path, rows: list[Encoded], targets: list[list[Encoded]]) -> list[float]:
    """Mean loss on each target after two epochs, all weights trained, on these rows."""
    model = load_model(folder, "sdpa")
    loss, optimizer = ResponseLoss(model), torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    draw = random.Random(0)
    for _ in range(2):
        draw.shuffle(rows)
        for first in range(0, len(rows), 10):
            loss(rows[first : first + 10]).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    with torch.no_grad():
        return [float(loss(rows).mean()) for rows in targets]


if __name__ == "__main__":
    main()

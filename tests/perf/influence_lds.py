"""Do influence's scores foretell what training does? `python -m tests.perf.influence_lds`, some minutes on a CPU.

The linear datamodeling score (LDS) of TRAK (Park et al. 2023, arXiv 2303.14186): over random subsets S of the pool, the
rank correlation of sum_{z in S} score(z) with the gain on the target of a model trained on S. Each of the ten families
of the pool is the target in turn, and one training serves them all; the figures are means over the families, with their
standard error. Beside them stands the LDS of the number of rows in S which are of the target's own family, which a
perfect detector of relevance would get, and the average precision by which a ranking finds those rows.

The query loss difference, what a user of a selection wants to know: of a model trained on the pool without the ten best
rows of a target, how much is the loss on other rows of that family above that without ten rows of chance?
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.core.records import Example
from src.modeling.loading import load_model, load_tokenizer
from src.modeling.recipe import LoRA, Recipe
from src.modeling.trainer import Trainer
from src.selection.base import Reference, Targeted
from src.selection.bergson import Bergson
from src.selection.fidelity import spearman
from src.selection.influence import Influence
from src.selection.packed import Encoded, ResponseLoss, encode
from src.selection.ranking import Ranking
from tests.selection.conftest import Families, example, train_reference

FAMILIES = range(10)
SIZE = 50  # rows of a subset, of the pool's 100
REMOVED = 10  # rows, for the query loss difference
LORA = LoRA(rank=8, alpha=16)
LAPTOP = ("*.o_proj", "*.down_proj")  # as selector=influence
LESS: dict[str, Any] = {"layers": ("*.lora_*",), "lora": LORA, "direction": "adam", "target_direction": "sgd"}
PLAIN = {"direction": "sgd", "target_direction": "sgd"}
KINDS: dict[str, dict[str, Any]] = {
    "selector=influence": {"layers": LAPTOP, "curvature": 10.0},
    "the same, plain gradients": {"layers": LAPTOP, "curvature": 10.0, **PLAIN},
    "the same on all linear layers": {"layers": ("*_proj",), "curvature": 10.0},
    "the same, not whitened": {"layers": LAPTOP},
    "not whitened, plain gradients": {"layers": LAPTOP, **PLAIN},
    "not whitened, all linear layers": {"layers": ("*_proj",)},
    "LoRA, plain gradients, whitened": {"layers": ("*.lora_*",), "lora": LORA, "curvature": 10.0, **PLAIN},
    "LoRA, plain gradients": {"layers": ("*.lora_*",), "lora": LORA, **PLAIN},
    "LESS, whitened": {**LESS, "curvature": 10.0},
    "LESS": LESS,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.influence_lds", description=__doc__.split("\n")[0])
    parser.add_argument("--subsets", type=int, default=60)
    parser.add_argument("--removals", type=int, default=20, help="random removals; 0: no query loss difference")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="influence-lds-") as scratch:
        model = train_reference(Path(scratch))
        pool = [example(family, i) for family in FAMILIES for i in range(10)]
        training = Retraining(model, pool)
        subsets = [random.Random(number).sample(range(len(pool)), SIZE) for number in range(asked.subsets)]
        gains = -training.losses(subsets, "subsets")
        by_chance = training.without_chance(asked.removals)
        own = np.array([[row.source == _name(family) for family in FAMILIES] for row in pool], dtype=float)
        _print("rows of the target's family", _foretold(own, subsets, gains), training.difference(own, by_chance))
        ours: np.ndarray | None = None
        for name, build in selectors().items():
            began = time.monotonic()
            scores = _scores(build(), model, pool, Path(scratch) / name)
            seconds = time.monotonic() - began
            found = [_average_precision(scores[:, family], own[:, family]) for family in FAMILIES]
            _print(name, _foretold(scores, subsets, gains), training.difference(scores, by_chance), found)
            ours = scores if ours is None else ours
            alike = [spearman(ours[:, family], scores[:, family]) or 0.0 for family in FAMILIES]
            print(f"    {seconds:.0f} s; rank agreement with the first {_mean(alike)}", flush=True)


def _name(family: int) -> str:
    return f"family{family}"


def _print(name: str, lds: Sequence[float], difference: Sequence[float], precision: Sequence[float] = ()) -> None:
    print(f"{name}: LDS {_mean(lds)}", end="")
    print(f", average precision {_mean(precision)}" if precision else "", end="")
    print(f", query loss difference {_mean(difference)}" if difference else "")
    print(f"    LDS by family {' '.join(f'{value:+.2f}' for value in lds)}", flush=True)


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f} +- {statistics.stdev(values) / len(values) ** 0.5:.3f}"


def _foretold(scores: np.ndarray, subsets: list[list[int]], gains: np.ndarray) -> list[float]:
    """By family, the LDS. scores: rows of the pool x families; gains: subsets x families."""
    sums = np.array([scores[subset].sum(0) for subset in subsets])
    return [spearman(sums[:, family], gains[:, family]) or 0.0 for family in FAMILIES]


def _average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    hits = relevant[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


def selectors() -> dict[str, Callable[[], Targeted]]:
    """By name, how to build each; bergson's where it is installed."""
    found: dict[str, Callable[[], Targeted]] = {name: partial(_influence, **kind) for name, kind in KINDS.items()}
    if find_spec("bergson"):
        for method, projection in (("trackstar", 16), ("ekfac", 0), ("cosine", 16)):
            options = {"method": method, "projection": projection, "max_length": 256, "batch_tokens": 2048}
            found[f"bergson, {method}"] = partial(Bergson, top_k=1, targets=_targets(), **options)
    return found


def _influence(lora: LoRA | None = None, **options: Any) -> Influence:
    given = {"direction": "preconditioned", "target_direction": "preconditioned", **options}
    return Influence(
        top_k=1,
        targets=_targets(),
        warmup=Recipe(lr=1e-3, epochs=2, sequence_length=256, batch_sequences=2, lora=lora),
        warmup_fraction=1.0,
        checkpoints=1,
        dimension=2048,
        fidelity_rows=0,
        **given,
    )


def _targets() -> dict[str, Families]:
    return {_name(family): Families((family,), 20) for family in FAMILIES}


def _scores(selector: Targeted, model: Path, pool: list[Example], folder: Path) -> np.ndarray:
    """Rows of the pool x families."""
    reference = Reference(model, folder / "work", folder / "cache", Trainer(threads=1))
    ranking: Ranking = selector.rank(pool, reference)
    place = {id: i for i, id in enumerate(ranking.ids)}
    columns = np.stack([ranking.scores[_name(family)] for family in FAMILIES], axis=1)
    return np.asarray(columns[[place[row.id] for row in pool]])


class Retraining:
    """Trains the reference model on parts of the pool and asks each family's targets for its loss."""

    def __init__(self, model: Path, pool: list[Example]):
        tokenizer = load_tokenizer(model)
        self.model, self.rows = model, encode(tokenizer, pool, 256)
        self.targets = [encode(tokenizer, list(target.dev_examples()), 256) for target in _targets().values()]
        self.held_out = [
            encode(tokenizer, [example(family, 20_000 + i) for i in range(40)], 256) for family in FAMILIES
        ]

    def losses(self, parts: Sequence[Sequence[int]], what: str, held_out: bool = False) -> np.ndarray:
        """After training on each part, the loss on each family's targets, or on other rows of it: parts x families."""
        found = []
        for number, part in enumerate(parts, 1):
            asked = self.held_out if held_out else self.targets
            found.append(_losses_after(self.model, [self.rows[i] for i in part], asked))
            print(f"\r{number} of {len(parts)} {what}", end="", file=sys.stderr, flush=True)
        return np.array(found)

    def without_chance(self, removals: int) -> np.ndarray:
        """The held-out losses where `REMOVED` rows were left out by chance: removals x families."""
        drawn = [random.Random(f"removal {n}").sample(range(len(self.rows)), REMOVED) for n in range(removals)]
        return self.losses([self._without(rows) for rows in drawn], "removals", held_out=True)

    def difference(self, scores: np.ndarray, by_chance: np.ndarray) -> list[float]:
        """By family, how much more the loss on held-out rows is without the best rows than without some of chance."""
        if not len(by_chance):
            return []
        best = [np.argsort(-scores[:, family], kind="stable")[:REMOVED].tolist() for family in FAMILIES]
        losses = self.losses([self._without(rows) for rows in best], "rankings", held_out=True)
        return [float(losses[family, family] - by_chance[:, family].mean()) for family in FAMILIES]

    def _without(self, removed: Sequence[int]) -> list[int]:
        return sorted(set(range(len(self.rows))) - set(removed))


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

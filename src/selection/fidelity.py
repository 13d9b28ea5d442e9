"""Is a ranking to be believed? What it goes by besides its purpose, and what it took, in a form to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from src.core.records import Example
from src.selection.ranking import OVERALL, Ranking

SAMPLES = 3
SAMPLE_CHARACTERS = 1_200


def spearman(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float | None:
    """Rank correlation, ties sharing their mean rank; None for fewer than three pairs or a constant side."""
    if len(a) < 3:
        return None
    x, y = _ranks(np.asarray(a, dtype=float)), _ranks(np.asarray(b, dtype=float))
    if x.std() == 0 or y.std() == 0:
        return None
    return round(float(np.corrcoef(x, y)[0, 1]), 4)


def report(
    ranking: Ranking,
    candidates: Iterable[Example],
    groups: Mapping[str, Mapping[str, str]],
    chosen: Collection[str],
) -> dict[str, Any]:
    """Correlations, how far the scores agree with better ones, what was selected beside the pool, what had no score: a
    dictionary of numbers, ready for JSON.

    groups: for each way of grouping ("stage", "source", ...) the group of every candidate.
    """
    values = ranking.scores[OVERALL]
    characters = {row.id: len(row.response) for row in candidates}
    loss = np.full(len(values), np.nan) if ranking.loss is None else ranking.loss
    measured = ~np.isnan(loss)
    return {
        "spearman": {
            "response_characters": spearman(values, [characters[id] for id in ranking.ids]),
            "loss": spearman(values[measured], loss[measured]),
            **_between_targets(ranking),
        },
        "agreement": ranking.agreement,
        "selected": {name: _shares(group, chosen) for name, group in groups.items()},
        "skipped": dict(sorted(Counter(ranking.skipped.values()).items())),
    }


def samples(
    ranking: Ranking, candidates: Iterable[Example], chosen: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """A few candidates from the top, the middle and the bottom of the order, to be looked at."""
    order = ranking.order()
    middle = max(0, len(order) // 2 - SAMPLES // 2)
    parts = {"top": order[:SAMPLES], "middle": order[middle : middle + SAMPLES], "bottom": order[-SAMPLES:]}
    wanted = {id for part in parts.values() for id, _ in part}
    texts = {row.id: row for row in candidates if row.id in wanted}
    return {name: [_sample(texts[id], value, id in chosen) for id, value in part] for name, part in parts.items()}


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _between_targets(ranking: Ranking) -> dict[str, float | None]:
    """How far the targets agree with each other: near 1, one of them would have done."""
    targets = sorted(ranking.scores.keys() - {OVERALL})
    return {f"{a} with {b}": spearman(ranking.scores[a], ranking.scores[b]) for a, b in combinations(targets, 2)}


def _shares(group: Mapping[str, str], chosen: Collection[str]) -> dict[str, dict[str, int]]:
    pool, taken = Counter(group.values()), Counter(group[id] for id in chosen if id in group)
    return {name: {"pool": pool[name], "selected": taken[name]} for name in sorted(pool)}


def _sample(example: Example, value: float, selected: bool) -> dict[str, Any]:
    texts = {"prompt": example.prompt, "response": example.response}
    return {
        "id": example.id,
        "score": value,
        "selected": selected,
        **{name: text[:SAMPLE_CHARACTERS] for name, text in texts.items()},
    }

"""Is a ranking to be believed? What it goes by besides its purpose, and what it took, in a form to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from src.core.records import Example
from src.selection.base import Ranking

SAMPLES = 3
SAMPLE_CHARACTERS = 1_200


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Rank correlation, ties sharing their mean rank; None for fewer than three pairs or a constant side."""
    if len(a) < 3:
        return None
    x, y = _ranks(np.asarray(a, dtype=float)), _ranks(np.asarray(b, dtype=float))
    if x.std() == 0 or y.std() == 0:
        return None
    return round(float(np.corrcoef(x, y)[0, 1]), 4)


def report(
    ranking: Ranking,
    candidates: Mapping[str, Example],
    groups: Mapping[str, Mapping[str, str]],
    chosen: Collection[str],
) -> dict[str, Any]:
    """Correlations, how far the scores agree with better ones, what was selected beside the pool, what had no score: a
    dictionary of numbers, ready for JSON.

    candidates: by id. groups: for each way of grouping ("stage", "source", ...) the group of every candidate.
    """
    order = ranking.order()
    lengths = [float(len(candidates[id].response)) for id, _ in order]
    measured = [(value, ranking.loss[id]) for id, value in order if id in ranking.loss]
    return {
        "spearman": {
            "response_characters": spearman([value for _, value in order], lengths),
            "loss": spearman([value for value, _ in measured], [loss for _, loss in measured]),
            **_between_targets(ranking),
        },
        "agreement": ranking.agreement,
        "selected": {name: _shares(group, chosen) for name, group in groups.items()},
        "skipped": dict(sorted(Counter(ranking.skipped.values()).items())),
    }


def samples(
    ranking: Ranking, candidates: Mapping[str, Example], chosen: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """A few candidates from the top, the middle and the bottom of the order, to be looked at."""
    order = ranking.order()
    middle = max(0, len(order) // 2 - SAMPLES // 2)
    parts = {"top": order[:SAMPLES], "middle": order[middle : middle + SAMPLES], "bottom": order[-SAMPLES:]}
    return {name: [_sample(candidates[id], value, id in chosen) for id, value in part] for name, part in parts.items()}


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _between_targets(ranking: Ranking) -> dict[str, float | None]:
    """How far the targets agree with each other: near 1, one of them would have done."""
    by_target: dict[str, dict[str, float]] = {}
    for score in ranking.scores:
        by_target.setdefault(score.target, {})[score.id] = score.value
    by_target.pop("overall", None)
    names = sorted(by_target)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return {
        f"{a} with {b}": spearman(list(by_target[a].values()), [by_target[b][id] for id in by_target[a]])
        for a, b in pairs
    }


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

"""What a process reward model is worth on steps that it has not seen: ROC, calibration, pairs with a planted error."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from src.evaluation.step_labels import Step

BINS = 10


def report(rows: Sequence[Step], rewards: Sequence[float]) -> dict[str, dict[str, Any]]:
    """ "own": the model's own steps, good ones being those that a continuation brought to the gold answer; "planted":
    good steps against those with an error put in, and in `pairs` the share of pairs in which the good one, behind the
    same steps, has the higher reward."""
    given = list(zip(rows, rewards, strict=True))
    own = [(row, reward) for row, reward in given if row.source in ("rollouts", "arithmetic")]
    good = [(row, reward) for row, reward in given if row.share > 0]
    errors = [(row, reward) for row, reward in given if row.source == "planted"]
    found: dict[str, dict[str, Any]] = {}
    if own:
        scores, shares = [r for _, r in own], [row.share for row, _ in own]
        found["own"] = {**_ranking(scores, [share > 0 for share in shares]), **calibration(scores, shares)}
    if good and errors:
        scores = [reward for _, reward in (*good, *errors)]
        found["planted"] = _ranking(scores, [True] * len(good) + [False] * len(errors))
        found["planted"] |= _pairs(good, errors)
    return found


def _ranking(scores: Sequence[float], good: Sequence[bool]) -> dict[str, Any]:
    """Without `auc` and `roc` where all are good or none is."""
    found = {"n": len(scores), "good": sum(good)}
    return {**found, "auc": auc(scores, good), "roc": roc(scores, good)} if any(good) and not all(good) else found


def auc(scores: Sequence[float], good: Sequence[bool]) -> float:
    """The chance that a good one has a higher score than a bad one, ties counting half (Mann & Whitney 1947). There are
    some of both kinds."""
    values, is_good = np.asarray(scores, float), np.asarray(good, bool)
    n, m = int(is_good.sum()), int((~is_good).sum())
    ordered, counts = np.unique(values, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # of ties the middle one
    total = float(ranks[np.searchsorted(ordered, values[is_good])].sum())
    return (total - n * (n + 1) / 2) / (n * m)


def roc(scores: Sequence[float], good: Sequence[bool], points: int = 50) -> list[tuple[float, float]]:
    """(share of bad ones, share of good ones) at or above a threshold that falls from the highest score."""
    values, is_good = np.asarray(scores, float), np.asarray(good, bool)
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    hits, misses = np.cumsum(is_good[order])[ends], np.cumsum(~is_good[order])[ends]
    curve = [(float(b / max(misses[-1], 1)), float(g / max(hits[-1], 1))) for g, b in zip(hits, misses, strict=True)]
    return [(0.0, 0.0), *curve[:: max(1, len(curve) // points)], (1.0, 1.0)]


def calibration(scores: Sequence[float], shares: Sequence[float]) -> dict[str, Any]:
    """By tenths of the reward: how many steps, their mean reward, the mean share that came right. `ece`: the mean
    distance between the last two, over all steps (Naeini et al. 2015); `brier`: the mean squared error."""
    values, true = np.asarray(scores, float), np.asarray(shares, float)
    bins = np.minimum((values * BINS).astype(int), BINS - 1)
    rows = [
        {
            "n": int((bins == b).sum()),
            "reward": float(values[bins == b].mean()),
            "share": float(true[bins == b].mean()),
        }
        for b in range(BINS)
        if (bins == b).any()
    ]
    ece = sum(row["n"] * abs(row["reward"] - row["share"]) for row in rows) / len(values)
    return {"calibration": rows, "ece": float(ece), "brier": float(((values - true) ** 2).mean())}


def _pairs(good: Sequence[tuple[Step, float]], errors: Sequence[tuple[Step, float]]) -> dict[str, Any]:
    """Every error against the good steps behind the same steps."""
    behind: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row, reward in good:
        behind[row.question_id, *row.steps[:-1]].append(reward)
    gaps = [own - reward for row, reward in errors for own in behind[row.question_id, *row.steps[:-1]]]
    wins = [1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in gaps]
    return {"pairs": float(np.mean(wins)), "pairs_n": len(wins)} if wins else {}

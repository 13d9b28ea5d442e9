"""Which questions two evaluations answered differently, and could that be chance?"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from src.core.errors import UserError
from src.core.intervals import Estimate, paired_difference
from src.core.records import Prediction
from src.core.stage import Artifact
from src.evaluation.metrics import sign_test

Key = tuple[str, str]
Named = tuple[str, Artifact]


def compare(first: Named, second: Named) -> str:
    """A paired comparison on the questions that both answered, over all samples of each.

    Returns Markdown: per benchmark and over all of them (their mean, as papers print it) the shares right, the
    difference with its 95 % interval, the questions that only one answers better, with McNemar's exact p; then each of
    those questions.
    """
    left, right = _predictions(first[1]), _predictions(second[1])
    common: dict[str, list[Key]] = defaultdict(list)
    for key in left.keys() & right.keys():
        common[key[0]].append(key)
    if not common:
        raise UserError(f"{first[0]} and {second[0]} have no question in common.", "Evaluate both on one benchmark.")
    scores = {name: [_scores(side, sorted(keys)) for side in (left, right)] for name, keys in common.items()}
    lines = [
        f"| benchmark | questions | {first[0]} % | {second[0]} % | difference, points | better | worse | p |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *(_row(name, [pair]) for name, pair in scores.items()),
    ]
    if len(scores) > 1:
        lines.append(_row("**all**", list(scores.values())))
    for name, keys in common.items():
        flipped = [key for key, a, b in zip(sorted(keys), *(side[0] for side in scores[name])) if a != b]
        lines += [line for key in flipped for line in _shown(left[key], right[key], first[0], second[0])]
    return "\n".join(lines)


def _predictions(evaluation: Artifact) -> dict[Key, Prediction]:
    """By question; of an evaluation with a baseline in front the student's, which come last."""
    return {(p.benchmark, p.question_id): p for p in evaluation.table("predictions", Prediction)}


def _scores(predictions: dict[Key, Prediction], keys: list[Key]) -> np.ndarray:
    """The share of each question's samples that is right; shape (1, questions)."""
    verdicts = (predictions[key].verdict for key in keys)
    return np.array([[sum(verdict) / len(verdict) for verdict in verdicts]])


def _row(name: str, strata: list[list[np.ndarray]]) -> str:
    left, right = [pair[0] for pair in strata], [pair[1] for pair in strata]
    means = [100 * float(np.mean([scores.mean() for scores in side])) for side in (left, right)]
    better = sum(int((b > a).sum()) for a, b in zip(left, right))
    worse = sum(int((b < a).sum()) for a, b in zip(left, right))
    gap = _points(paired_difference(right, left))
    size, p = sum(a.size for a in left), sign_test(worse, better)
    return f"| {name} | {size:,} | {means[0]:.1f} | {means[1]:.1f} | {gap} | {better} | {worse} | {p:.3g} |"


def _points(gap: Estimate) -> str:
    return f"{100 * gap.mean:+.1f} ({100 * gap.low:+.1f} to {100 * gap.high:+.1f})"


def _shown(left: Prediction, right: Prediction, first: str, second: str) -> list[str]:
    sides = ((first, left), (second, right))
    answers = (
        f"{name}: {sum(p.verdict)} of {len(p.verdict)} right, {p.extracted[0]} ({p.reasons[0]})" for name, p in sides
    )
    question = " ".join(left.prompt[-400:].split())
    return ["", f"{left.benchmark} {left.question_id}, gold {left.gold}; {'; '.join(answers)}", f"  ...{question}"]

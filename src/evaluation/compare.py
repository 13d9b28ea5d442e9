"""Which questions flipped between two evaluations, and could that be chance?"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from src.core.errors import UserError
from src.core.records import Prediction, read_table
from src.evaluation.metrics import sign_test

Key = tuple[str, str]


def compare(first: Path, second: Path) -> str:
    """A paired comparison on the questions that both answered, by each question's first sample.

    Returns Markdown: per benchmark the flips both ways with McNemar's exact p, then every flipped question.
    """
    left, right = _predictions(first), _predictions(second)
    common = [key for key in left if key in right]
    if not common:
        raise UserError(
            f"{first.name} and {second.name} have no question in common.", "Evaluate both on one benchmark."
        )
    flips: dict[str, list[Key]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    for key in common:
        sizes[key[0]] += 1
        if left[key].verdict[0] != right[key].verdict[0]:
            flips[key[0]].append(key)
    lines = [
        f"| benchmark | questions | only {first.name} right | only {second.name} right | p |",
        "|---|--:|--:|--:|--:|",
    ]
    for benchmark, size in sizes.items():
        lost = sum(left[key].verdict[0] for key in flips[benchmark])
        won = len(flips[benchmark]) - lost
        lines.append(f"| {benchmark} | {size:,} | {lost} | {won} | {sign_test(lost, won):.3g} |")
    for keys in flips.values():
        lines += [line for key in keys for line in _shown(left[key], right[key], first.name, second.name)]
    return "\n".join(lines)


def _predictions(folder: Path) -> dict[Key, Prediction]:
    if not (folder / "predictions").is_dir():
        raise UserError(f"{folder} holds no finished evaluation.", "Give the names of two folders with `predictions`.")
    return {(p.benchmark, p.question_id): p for p in read_table(folder / "predictions", Prediction)}


def _shown(left: Prediction, right: Prediction, first: str, second: str) -> list[str]:
    answers = (f"{name}: {p.extracted[0]} ({p.reasons[0]})" for name, p in ((first, left), (second, right)))
    question = " ".join(left.prompt[-400:].split())
    return ["", f"{left.benchmark} {left.question_id}, gold {left.gold}; {'; '.join(answers)}", f"  ...{question}"]

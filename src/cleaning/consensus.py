r"""Which of several solutions of one question agree (self-consistency, arXiv 2203.11171; KPDDS, arXiv 2403.02333,
section 3.4).

m solutions answer a question of n parts. c[i, j] is how many of the m, itself included, give solution i's answer to
part j; a solution without an answer to a part agrees with none there. The consensus score of solution i is
CS[i] = max_j c[i, j] / m, so a solution is not given up for one part that it alone gets wrong, or right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from src.evaluation.grading import grade
from src.text.boxed import boxed

_LABELS = (r"(?<!\w)\(([a-h])\)", r"(?:^|\s)([a-h])\)", r"\((i{1,3}|iv|vi{0,3})\)", r"(?:^|\n)\s*(\d)[.)]\s")
_ASKED = re.compile(r"\?(?=\W|$)")


def camps(answers: Sequence[str]) -> list[list[int]]:
    """The places of answers that the grader finds the same, in the order of the first of each."""
    found: list[list[int]] = []
    for place, answer in enumerate(answers):
        camp = next((camp for camp in found if grade(answers[camp[0]], answer).correct), None)
        if camp is None:
            found.append([place])
        else:
            camp.append(place)
    return found


def sub_questions(question: str) -> int:
    """How many parts a question has: by its labels, (a) (b) or (i) (ii) or 1. 2., or by its question marks."""
    labelled = [len(dict.fromkeys(re.findall(label, question))) for label in _LABELS]
    return max(1, *labelled, len(_ASKED.findall(question)))


def answers_in(solution: str, parts: int) -> list[str]:
    """What stands in the last `parts` boxes, in order; fewer where there are fewer."""
    return [answer for answer in boxed(solution) if answer][-parts:]


def agreement(answers: Sequence[Sequence[str]]) -> np.ndarray:
    """The counts c; [m, n] for m solutions, the longest of which has n parts."""
    counts = np.zeros((len(answers), max(map(len, answers), default=0)), int)
    for part in range(counts.shape[1]):
        given = [place for place, parts in enumerate(answers) if len(parts) > part]
        for camp in camps([answers[place][part] for place in given]):
            counts[[given[place] for place in camp], part] = len(camp)
    return counts


@dataclass(frozen=True)
class Voting:
    """Which solutions stay.

    rule: "full" keeps those with the highest consensus score, where more than one solution stands behind it; "semi"
        those whose score is above `threshold`; "none" all.
    ties: what "full" does where solutions that contradict each other have the highest score: "keep" both, as the
        paper's rule does, or "drop" the question.
    """

    rule: Literal["full", "semi", "none"] = "full"
    threshold: float = 0.1
    ties: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must lie in [0, 1), not {self.threshold}")
        for name, known in (("rule", ("full", "semi", "none")), ("ties", ("keep", "drop"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)}")

    def keeps(self, counts: np.ndarray) -> np.ndarray:
        """Which of the solutions stay, by the counts of `agreement`; [m] of bool."""
        if self.rule == "none" or not counts.size:
            return np.full(len(counts), self.rule == "none")
        scores = counts.max(axis=1)
        if self.rule == "semi":
            above: np.ndarray = scores > self.threshold * len(counts) + 1e-9
            return above
        stays: np.ndarray = (scores == scores.max()) & (scores > 1)
        if self.ties == "drop" and (counts == scores.max()).sum(axis=0).max() > scores.max():
            stays[:] = False  # a part on which two camps are as large
        return stays

"""How accuracy grows along the one number in which the arms of a study differ.

    accuracy = a + b log2(x), by least squares over the arms' means

The slope b is a weighted sum of the arms' scores on the same questions with the same seeds, so its interval comes from
the same two-way table as that of a paired difference: what makes a question hard, or a seed lucky, cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.core.intervals import Estimate, paired_difference
from src.core.records import STUDENT
from src.reporting.collect import Arm, JobRecord, Manifest, Study
from src.reporting.outcomes import arm_accuracy, compared, stacked
from src.reporting.table import sources
from src.reporting.text import points, signed_interval

# What an option amounts to in rows, where a share of something says little: (label, node kinds, count or metric).
AMOUNTS = {
    "clean.share": ("problems in the corpus", "clean", "kept"),
    "distil.share": ("teacher calls", "distil", "calls"),
    "puzzles.share": ("puzzles", "puzzles", "kept"),
}


@dataclass(frozen=True)
class Trend:
    """`slope`: the gain in accuracy with each doubling of x; `at_one`: the fitted accuracy where x is 1."""

    label: str
    arms: tuple[Arm, ...]
    x: tuple[float, ...]
    accuracies: tuple[Estimate, ...]
    slope: Estimate
    at_one: float
    sources: tuple[Manifest, ...]

    def fitted(self, x: float) -> float:
        return self.at_one + self.slope.mean * float(np.log2(x))

    @property
    def sentence(self) -> str:
        """What the fit allows to say."""
        numbers = f"{points(self.slope.mean)} points, 95 % interval {signed_interval(self.slope.low, self.slope.high)}"
        if self.slope.excludes_zero:
            verb = "rises" if self.slope.mean > 0 else "falls"
            return f"Accuracy {verb} with each doubling of {self.label} ({numbers})."
        return f"No trend along {self.label} can be claimed: a doubling changes accuracy by {numbers}."


def trend(study: Study) -> Trend | None:
    """The fit, where at least three arms differ in one positive number and share seeds and questions."""
    option = _option(study)
    arms = _paired([arm for arm in study.arms if arm.complete])
    if option is None or len(arms) < 3:
        return None
    label, x = _amounts(option, arms)
    names = compared(study.complete)
    found = [arm_accuracy(arm, names) for arm in arms]
    known = [estimate for estimate in found if estimate]
    if len(known) < len(arms) or len(set(x)) < 3 or min(x) <= 0:
        return None
    slope = _slope([arm.complete for arm in arms], np.log2(x), names)
    if slope is None:
        return None
    middle = float(np.mean([e.mean for e in known])) - slope.mean * float(np.mean(np.log2(x)))
    at = sources(job.manifest("evaluate") for arm in arms for job in arm.complete)
    return Trend(label, tuple(arms), tuple(x), tuple(known), slope, middle, at)


def _paired(arms: Sequence[Arm]) -> list[Arm]:
    """The arms with the seeds that all of them share; none where they share none."""
    seeds = set.intersection(*({job.seed for job in arm.complete} for arm in arms)) if arms else set()
    return [Arm(arm.name, tuple(job for job in arm.complete if job.seed in seeds)) for arm in arms if seeds]


def _option(study: Study) -> str | None:
    """The option whose value alone tells the arms apart, if it is a number everywhere."""
    tables = [arm.jobs[0].chosen for arm in study.arms]
    names = {name for table in tables for name in table}
    differing = [name for name in names if len({table.get(name) for table in tables}) > 1]
    if len(differing) != 1:
        return None
    values = [table.get(differing[0], "") for table in tables]
    return differing[0] if all(_number(value) is not None for value in values) else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _amounts(option: str, arms: Sequence[Arm]) -> tuple[str, list[float]]:
    if option not in AMOUNTS:
        return option, [float(arm.jobs[0].chosen[option]) for arm in arms]
    label, kind, name = AMOUNTS[option]
    return label, [float(np.mean([_amount(job, kind, name) for job in arm.complete])) for arm in arms]


def _amount(job: JobRecord, kind: str, name: str) -> float:
    made = [node.manifest for node in job.nodes if node.manifest and node.manifest.stage == kind]
    return float(sum(m.counts.kept if name == "kept" else m.metrics.get(name, 0) for m in made))


def _slope(jobs: Sequence[Sequence[JobRecord]], x: np.ndarray, names: Sequence[str]) -> Estimate | None:
    """Weights that sum to zero and give the slope when summed with the arms' scores, question by question."""
    rows = stacked([[(job, STUDENT) for job in sorted(arm, key=lambda job: job.seed or 0)] for arm in jobs], names)
    if rows is None:
        return None
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    summed = [sum(w * arm[i] for w, arm in zip(weights, rows, strict=True)) for i in range(len(names))]
    return paired_difference(summed, [np.zeros_like(s) for s in summed], trained_apart=True)

"""Intervals for a mean over seeds *and* questions, and for paired differences between arms.

A study asks the same Q questions of models trained with S seeds: scores x[s, q] in [0, 1]. Seeds and questions are
two crossed random samples, so the grand mean varies with both. With mean squares of the two-way table,

    Var(mean) = (MS_seeds + MS_questions - MS_residual) / (S Q)

(Cornfield & Tukey 1956), whose degrees of freedom follow Satterthwaite (1946). Treating seed-question pairs as
independent, as if S Q questions had been asked, would give intervals that are too narrow by up to sqrt(S).
Several benchmarks are strata of equal weight: the mean is the mean of the benchmarks, as papers print it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval. `p` tests a difference of zero, two-sided; for accuracies it is NaN."""

    mean: float
    low: float
    high: float
    seeds: int
    questions: int
    p: float = math.nan

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def t_tail(t: float, dof: float) -> float:
    """P(|T| > t) of Student's distribution: the regularised incomplete beta function at dof / (dof + t^2)."""
    import mpmath

    return float(mpmath.betainc(dof / 2, 0.5, 0, dof / (dof + t * t), regularized=True))


@lru_cache(maxsize=1024)
def t_quantile(dof: float) -> float:
    """The two-sided 95 % point of Student's distribution, by bisection."""
    low, high = 0.0, 1.0
    while t_tail(high, dof) > 1 - LEVEL:
        low, high = high, high * 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, dof) > 1 - LEVEL else (low, middle)
    return high


def accuracy_over_seeds(strata: Sequence[np.ndarray]) -> Estimate:
    """The mean score with Wilson's interval at the effective sample size p (1 - p) / Var(mean).

    Wilson's keeps its coverage near 0 and 1, where untrained models live and where mean +- t sd promises [0, 0].

    Args:
        strata: one array of scores in [0, 1] a benchmark, of shape (seeds, questions).
    """
    mean, variance, dof = _mean_and_variance(strata)
    seeds, questions = _sizes(strata)
    asked = questions * seeds
    spread = mean * (1 - mean)
    effective = min(spread / variance, asked) if variance > 0 and spread > 0 else questions
    t = t_quantile(round(dof, 1)) if dof >= 1 else math.inf
    if not math.isfinite(t) or effective <= 0:
        return Estimate(mean, 0.0, 1.0, seeds, questions)
    centre = (mean + t * t / (2 * effective)) / (1 + t * t / effective)
    half = t / (1 + t * t / effective) * math.sqrt(spread / effective + (t / (2 * effective)) ** 2)
    return Estimate(mean, max(0.0, centre - half), min(1.0, centre + half), seeds, questions)


def paired_difference(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> Estimate:
    """The mean of ours - theirs over the same seeds and questions, its t interval and p-value.

    The question part of the variance never falls under 1 / (Q + 2)^2 a benchmark, the value that Agresti & Min (2005)
    give to pairs that never disagree: so "no difference seen" does not read as "no difference possible".
    """
    strata = [a.astype(float) - b for a, b in zip(ours, theirs, strict=True)]
    mean, variance, dof = _mean_and_variance(strata)
    seeds, questions = _sizes(strata)
    variance = max(variance, sum((s.shape[1] + 2) ** -2 for s in strata) / len(strata) ** 2)
    if dof < 1:
        return Estimate(mean, -1.0, 1.0, seeds, questions, 1.0)
    half = t_quantile(round(dof, 1)) * math.sqrt(variance)
    p = t_tail(abs(mean) / math.sqrt(variance), round(dof, 1))
    return Estimate(mean, max(-1.0, mean - half), min(1.0, mean + half), seeds, questions, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for being the best of several (Holm 1979): as safe as Bonferroni's, never larger."""
    corrected = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = worst
    return corrected


def _sizes(strata: Sequence[np.ndarray]) -> tuple[int, int]:
    return strata[0].shape[0], sum(s.shape[1] for s in strata)


def _mean_and_variance(strata: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """Mean of the strata's means, its variance and degrees of freedom (0: fewer than two questions)."""
    weight, seeds = 1 / len(strata), strata[0].shape[0]
    by_seed = np.mean([s.mean(axis=1) for s in strata], axis=0)
    mean = float(by_seed.mean())
    if any(s.shape[1] < 2 for s in strata):
        return mean, math.nan, 0.0
    questions = [(weight**2 * s.mean(axis=0).var(ddof=1) / s.shape[1], s.shape[1] - 1) for s in strata]
    parts, residual = list(questions), 0.0
    of_questions = sum(v for v, _ in questions)
    of_seeds = 0.0
    if seeds > 1:
        of_seeds = float(by_seed.var(ddof=1)) / seeds
        parts.append((of_seeds, seeds - 1))
        for s in strata:
            left = s - s.mean(axis=0) - s.mean(axis=1, keepdims=True) + s.mean()
            dof = (seeds - 1) * (s.shape[1] - 1)
            part = weight**2 * float((left**2).sum()) / dof / s.size
            residual += part
            parts.append((part, dof))
    # Both parts contain the residual once; a component that comes out negative is taken for zero.
    variance = residual + max(of_seeds - residual, 0.0) + max(of_questions - residual, 0.0)
    heaviness = sum(v * v / dof for v, dof in parts)
    dof = variance**2 / heaviness if heaviness > 0 else float(sum(d for _, d in questions))
    return mean, float(variance), max(1.0, float(dof))

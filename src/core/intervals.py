"""Intervals for a mean over seeds *and* questions, and for paired differences between arms.

A study asks the same Q questions of models trained with S seeds: scores x[s, q] in [0, 1]. Seeds and questions are
two crossed random samples, so the grand mean varies with both. With mean squares of the two-way table,

    Var(mean) = (MS_seeds + MS_questions - MS_residual) / (S Q)

(Cornfield & Tukey 1956), whose degrees of freedom follow Satterthwaite (1946). Treating seed-question pairs as
independent, as if S Q questions had been asked, would give intervals that are too narrow by up to sqrt(S).
Several benchmarks are strata of equal weight: the mean is the mean of the benchmarks, as papers print it.

Arms that were trained apart differ by the luck of their trainings, which only several seeds show. Their difference
takes Student's t over the seeds (S - 1 degrees of freedom at most), and one seed allows no claim. Simulated studies
without any difference (300 questions, 400 studies; seeds' deviation 0, 0.1, 0.3 logits) claim one in 0, 0, 0 % with
two seeds, 0, 0, 1.5 % with three and 0.3, 1.3, 4 % with five; with Satterthwaite's degrees of freedom alone it is up to
8, 6 and 6 %, and with one seed 37 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

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
    """The two-sided 95 % point of Student's distribution, by Newton's method: right of zero the tail is convex, so that
    from the normal distribution's point, which lies left of it, no step goes too far."""
    point = NormalDist().inv_cdf((1 + LEVEL) / 2)
    peak = math.exp(math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2)) / math.sqrt(dof * math.pi)
    while True:
        density = peak * (1 + point * point / dof) ** (-(dof + 1) / 2)
        step = (t_tail(point, dof) - (1 - LEVEL)) / (2 * density)
        point += step
        if not step > 1e-9 * point:  # the next one would be the square of it; NaN ends, too
            return point


def accuracy_over_seeds(strata: Sequence[np.ndarray]) -> Estimate:
    """The mean score with an interval that keeps its coverage near 0 and 1, where small models live.

    The choice of questions gives each benchmark Wilson's interval at the effective sample size p (1 - p) /
    Var_questions; how far its sides lie from the means adds up in quadrature (MOVER, Zou & Donner 2008), and so does
    what the t interval of the whole is wider by, the luck of the seeds. A benchmark that nothing of is solved keeps the
    width of its own: beside 1,319 questions at 30 %, thirty at 0 % leave the mean of 15.0 between 13.8 and 21.3.

    Args:
        strata: one array of scores in [0, 1] a benchmark, of shape (seeds, questions).
    """
    spread = _spread(strata)
    seeds, questions = _sizes(strata)
    mean = min(1.0, max(0.0, spread.mean))
    if spread.dof < 1:
        return Estimate(mean, 0.0, 1.0, seeds, questions)
    weight = 1 / len(strata)
    sides = [_wilson(stratum) for stratum in strata]
    counted = sum((weight * t_quantile(s.shape[1] - 1)) ** 2 * _of_questions(s) for s in strata)
    seed_part = max(0.0, t_quantile(spread.dof) ** 2 * spread.variance - counted)
    low, high = (
        math.hypot(*(weight * side for side in each), math.sqrt(seed_part)) for each in zip(*sides, strict=True)
    )
    return Estimate(mean, max(0.0, mean - low), min(1.0, mean + high), seeds, questions)


def _wilson(stratum: np.ndarray) -> tuple[float, float]:
    """How far Wilson's interval reaches below and above one benchmark's mean. stratum: (seeds, questions)."""
    z, mean = t_quantile(stratum.shape[1] - 1), min(1.0, max(0.0, float(stratum.mean())))
    binomial, variance = mean * (1 - mean), _of_questions(stratum)
    n = min(binomial / variance, stratum.size) if binomial > 0 < variance else stratum.shape[1]
    centre, scale = mean + z * z / (2 * n), 1 + z * z / n
    reach = z * math.sqrt(binomial / n + (z / (2 * n)) ** 2)
    return mean - (centre - reach) / scale, (centre + reach) / scale - mean


def accuracy_of(scores: Sequence[float]) -> Estimate:
    """The same for one model on one benchmark: the interval is over questions alone."""
    return accuracy_over_seeds([np.array([scores], dtype=float)])


def paired_difference(
    ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], trained_apart: bool = False
) -> Estimate:
    """The mean of ours - theirs over the same seeds and questions, its t interval and p-value.

    trained_apart: the two are models of separate trainings, not one model before and after; see above.

    The question part of the variance never falls under 1 / (Q + 2)^2 a benchmark, the value that Agresti & Min (2005)
    give to pairs that never disagree: so "no difference seen" does not read as "no difference possible".
    """
    strata = [a.astype(float) - b for a, b in zip(ours, theirs, strict=True)]
    spread = _spread(strata)
    seeds, questions = _sizes(strata)
    if spread.dof < 1 or (trained_apart and seeds < 2):
        return Estimate(spread.mean, -1.0, 1.0, seeds, questions, 1.0)
    dof = min(spread.dof, seeds - 1.0) if trained_apart else spread.dof
    floor = sum((s.shape[1] + 2) ** -2 for s in strata) / len(strata) ** 2
    error = math.sqrt(max(spread.variance, floor))
    half = t_quantile(dof) * error
    p = t_tail(abs(spread.mean) / error, dof)
    return Estimate(spread.mean, max(-1.0, spread.mean - half), min(1.0, spread.mean + half), seeds, questions, p)


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


@dataclass(frozen=True)
class _Spread:
    """The mean of the strata's means, its variance, and degrees of freedom (0: unknown)."""

    mean: float
    variance: float
    dof: float


def _spread(strata: Sequence[np.ndarray]) -> _Spread:
    weight, seeds = 1 / len(strata), strata[0].shape[0]
    by_seed = np.mean([s.mean(axis=1) for s in strata], axis=0)
    mean = float(by_seed.mean())
    if any(s.shape[1] < 2 for s in strata):
        return _Spread(mean, math.nan, 0.0)
    parts = [(weight**2 * _of_questions(s), s.shape[1] - 1) for s in strata]
    of_questions, of_seeds, residual = sum(v for v, _ in parts), 0.0, 0.0
    if seeds > 1:
        of_seeds = float(by_seed.var(ddof=1)) / seeds
        left = [(weight**2 * _residual(s), (seeds - 1) * (s.shape[1] - 1)) for s in strata]
        residual = sum(v for v, _ in left)
        parts += [(of_seeds, seeds - 1), *left]
    # Both parts contain the residual once; a component that comes out negative is taken for zero.
    variance = residual + max(of_seeds - residual, 0.0) + max(of_questions - residual, 0.0)
    heaviness = sum(v * v / dof for v, dof in parts)
    dof = variance**2 / heaviness if heaviness > 0 else sum(s.shape[1] - 1 for s in strata)
    return _Spread(mean, variance, max(1.0, round(float(dof), 1)))


def _of_questions(scores: np.ndarray) -> float:
    """MS_questions / (S Q) of one stratum: the variance of its mean by the choice of questions."""
    return float(scores.mean(axis=0).var(ddof=1)) / scores.shape[1]


def _residual(scores: np.ndarray) -> float:
    """MS_residual / (S Q) of one stratum."""
    left = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    return float((left**2).sum()) / ((scores.shape[0] - 1) * (scores.shape[1] - 1)) / scores.size

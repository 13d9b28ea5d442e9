"""Accuracy with an honest interval, and what several samples per question allow: pass@k and maj@k."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 2_000
Z95 = 1.959963984540054
_CHUNK_CELLS = 4_000_000  # 32 MB of indices at a time


class Estimate(NamedTuple):
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float


def mean_with_interval(scores: ArrayLike, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """The mean of per-question scores in [0, 1], with the percentile bootstrap over questions.

    When all scores agree the bootstrap would claim certainty; Wilson's interval takes its place. No scores: NaN.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0:
        return Estimate(math.nan, math.nan, math.nan)
    mean = float(values.mean())
    if float(np.ptp(values)) == 0.0:
        return wilson(mean, values.size)
    means = bootstrap_means(values, seed, resamples)
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(mean, min(float(low), mean), max(float(high), mean))


def bootstrap_means(values: np.ndarray, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Means of `resamples` draws of n values with replacement; shape (resamples,)."""
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK_CELLS // values.size)
    counts = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    return np.concatenate([values[rng.integers(values.size, size=(n, values.size))].mean(axis=1) for n in counts])


def wilson(mean: float, n: int) -> Estimate:
    """Wilson's score interval (1927) for a proportion `mean` of `n`: sound at 0 and 1 and for small n."""
    spread = Z95**2 / n
    centre = (mean + spread / 2) / (1 + spread)
    half = Z95 / (1 + spread) * math.sqrt(mean * (1 - mean) / n + spread / (4 * n))
    return Estimate(mean, min(max(0.0, centre - half), mean), max(min(1.0, centre + half), mean))


def seed_interval(rights: ArrayLike, samples: int, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """How far accuracy moves when the same questions are answered with other seeds: bootstrap over each one's samples.

    rights: of each question, how many of its `samples` are right. A resample of n draws has the variance p(1-p)/n with
    p from the same n, which is too small by (n-1)/n: the deviations are stretched by the root of its inverse.
    Raises ValueError for one sample, which says nothing about others.
    """
    counts = np.asarray(rights, dtype=np.int64)
    if samples < 2:
        raise ValueError("one sample per question says nothing about other seeds")
    mean = float(counts.mean()) / samples
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK_CELLS // counts.size)
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    draws = [rng.binomial(samples, counts / samples, size=(n, counts.size)).mean(axis=1) / samples for n in sizes]
    spread = (np.concatenate(draws) - mean) * math.sqrt(samples / (samples - 1))
    low, high = np.quantile(spread, (0.025, 0.975))
    return Estimate(mean, max(0.0, mean + min(float(low), 0.0)), min(1.0, mean + max(float(high), 0.0)))


def pass_at_k(n: int, correct: int, k: int) -> float:
    """The chance that at least one of k samples is right, unbiased from `correct` of n: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021, arXiv 2107.03374. Raises ValueError unless 1 <= k <= n.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} cannot be estimated from {n} samples")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def majority(answers: Sequence[str | None]) -> int | None:
    """The index of the most frequent answer's first sample; ties go to the one seen first; None if there is none."""
    counts = Counter(answer for answer in answers if answer is not None)
    if not counts:
        return None
    best = max(counts.values())
    return next(i for i, answer in enumerate(answers) if answer is not None and counts[answer] == best)


def sign_test(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar test: the chance of so uneven a split of the questions that flipped, were both equal."""
    n, k = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n) if n else 1.0

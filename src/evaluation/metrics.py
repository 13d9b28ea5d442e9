"""What several samples per question allow (other seeds, pass@k, maj@k), and the paired test of two evaluations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 2_000
_CHUNK_CELLS = 4_000_000  # 32 MB of indices at a time


def seed_interval(rights: ArrayLike, samples: int, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 95 % interval of accuracy over other seeds for the same questions: bootstrap over each one's samples.

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
    return max(0.0, mean + min(float(low), 0.0)), min(1.0, mean + max(float(high), 0.0))


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

r"""Which topics occur together, and topics drawn in proportion (KPDDS, arXiv 2403.02333, Algorithm 1 and section 3.2).

With n topics, M is [n, n]. For each problem and each topic i of it: M[i, j] grows by 1 for every other topic j of the
problem, and M[i, i] by 1 where the problem has more than `many` key points of topic i. In the end M = log10(M + 1).

The weights of the next topic, after those drawn so far:

    none       the sums of M's rows
    a          M[a]
    ..., a, b  M[a] * M[b], elementwise

Of two or three topics the first may come again only where its diagonal says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

import numpy as np

MANY_KEY_POINTS = 5


def cooccurrence(problems: Iterable[Mapping[int, int]], topics: int, many: int = MANY_KEY_POINTS) -> np.ndarray:
    """The matrix M. `problems`: for each, topic -> how many key points of it the problem has."""
    counts = np.zeros((topics, topics))
    for key_points in problems:
        numbers = np.fromiter(key_points, int)
        counts[np.ix_(numbers, numbers)] += 1 - np.eye(len(numbers))
        frequent = [topic for topic, n in key_points.items() if n > many]
        counts[frequent, frequent] += 1
    found: np.ndarray = np.log10(counts + 1)
    return found


def weights(matrix: np.ndarray, drawn: Sequence[int]) -> np.ndarray:
    """Of each topic, to be drawn next; [n]."""
    if not drawn:
        found: np.ndarray = matrix.sum(axis=1)
        return found
    last: np.ndarray = matrix[drawn[-1]]
    return last if len(drawn) == 1 else last * matrix[drawn[-2]]


def next_topic(matrix: np.ndarray, drawn: Sequence[int], rng: Random) -> int | None:
    """One in proportion to the weights; None where no topic occurs together with those drawn."""
    of_each = weights(matrix, drawn)
    return rng.choices(range(len(matrix)), weights=of_each.tolist())[0] if of_each.any() else None


def draw_topics(matrix: np.ndarray, count: int, rng: Random) -> list[int]:
    """At most `count` topics: fewer where no topic goes with those drawn."""
    drawn: list[int] = []
    while len(drawn) < count and (topic := next_topic(matrix, drawn, rng)) is not None:
        drawn.append(topic)
    return drawn

"""Topics that mean the same, told by their key points, become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-6  # of a cosine: equal vectors are equal at a threshold of 1


@dataclass(frozen=True)
class Merged:
    """A topic that was given up for another, with the cosine of the two."""

    topic: str
    into: str
    similarity: float


def topic_vectors(key_points: Mapping[str, Sequence[str]], vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    """[topics, d]: of each topic the mean of its key points' vectors, at length 1 (KPDDS, section 3.1).

    key_points: by topic, one for each occurrence. vectors: by key point.
    """
    means = np.stack([np.mean([vectors[point] for point in points], axis=0) for points in key_points.values()])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return means / np.maximum(lengths, np.finfo(np.float32).tiny)


def merge(sizes: Mapping[str, int], vectors: np.ndarray, threshold: float) -> list[Merged]:
    """Which topics give way, and to which.

    The topic with the most problems comes first, ties by name. Each is compared with those that stay so far, and gives
    way to the nearest where their cosine is at least `threshold`. Vectors of topics that stay never move, so no chain
    of neighbours draws distant topics together. (The paper names neither its threshold nor its algorithm.)

    sizes: by topic its number of problems. vectors: [topics, d], in the same order, of length 1.
    """
    names = list(sizes)
    order = sorted(range(len(names)), key=lambda n: (-sizes[names[n]], names[n]))
    stays: list[int] = []
    of_those = np.empty_like(vectors)  # their vectors, in front: thousands of topics are not copied for each
    found: list[Merged] = []
    for topic in order:
        if stays:
            similar = of_those[: len(stays)] @ vectors[topic]
            nearest = int(similar.argmax())
            if similar[nearest] >= threshold - ROUNDING:
                found.append(Merged(names[topic], names[stays[nearest]], float(similar[nearest])))
                continue
        of_those[len(stays)] = vectors[topic]
        stays.append(topic)
    return found

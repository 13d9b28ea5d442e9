"""Numbers that look random and are the same for ever on every machine: SplitMix64 (Steele et al., OOPSLA 2014)."""

from __future__ import annotations

import numpy as np

U64 = np.uint64
_GOLDEN, _FIRST, _SECOND = U64(0x9E3779B97F4A7C15), U64(0xBF58476D1CE4E5B9), U64(0x94D049BB133111EB)


def mixed(values: np.ndarray) -> np.ndarray:
    """Each of the uint64 values, its bits mixed: a bijection."""
    z = values + _GOLDEN
    z = (z ^ (z >> U64(30))) * _FIRST
    z = (z ^ (z >> U64(27))) * _SECOND
    return np.asarray(z ^ (z >> U64(31)), U64)


def hashed(columns: np.ndarray, start: int = 0) -> np.ndarray:
    """One uint64 for each position of integer columns of the shape (columns, rows); their order counts."""
    found = np.full(columns.shape[1], start, U64)
    for column in columns:
        found = mixed(found ^ column.astype(U64))
    return found


class Draws:
    """A stream of random numbers that only its seed decides."""

    def __init__(self, seed: int):
        self._next = U64(seed) << U64(32)

    def below(self, limit: int, count: int) -> np.ndarray:
        """`count` integers in [0, limit), int64; none is likelier than another by more than limit / 2^32."""
        numbers = mixed(self._next + np.arange(count, dtype=U64))
        self._next += U64(count)
        return (((numbers >> U64(32)) * U64(limit)) >> U64(32)).astype(np.int64)

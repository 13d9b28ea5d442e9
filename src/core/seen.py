"""Which of many numbers came before, in little more than 8 bytes each."""

from __future__ import annotations

import hashlib

import numpy as np

AT_ONCE = 500_000  # numbers in a set of Python's, some 50 MB, before they join the others


class Seen:
    """Numbers of 64 bits: the last ones in a set, all others in one sorted array."""

    def __init__(self, at_once: int = AT_ONCE):
        self._at_once = at_once
        self._last: set[int] = set()
        self._others = np.zeros(0, np.uint64)

    def add(self, number: int) -> bool:
        """Whether the number is new."""
        if number in self._last or is_among(self._others, number):
            return False
        self._last.add(number)
        if len(self._last) >= self._at_once:
            last = np.fromiter(self._last, np.uint64, len(self._last))
            self._last = set()
            self._others = np.concatenate([self._others, last])
            self._others.sort()
        return True


def id_digest(id: str) -> bytes:
    """64 bits of an id, of whatever letters it is: the bytes of a number for `Seen`, in the machine's order."""
    return hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def is_among(ordered: np.ndarray, number: int) -> bool:
    """Whether a number of 64 bits stands in a sorted array of such numbers."""
    place = int(np.searchsorted(ordered, np.uint64(number)))
    return place < len(ordered) and int(ordered[place]) == number

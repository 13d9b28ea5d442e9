"""Every chain of a puzzle, by exhaustive search that shares nothing with the code under test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations


def chains(numbers: tuple[int, ...], exact: bool = False) -> Iterator[tuple[str, int]]:
    """Every way to combine the numbers, as text, with what it comes to."""
    if len(numbers) == 1:
        yield "", numbers[0]
        return
    for i, j in permutations(range(len(numbers)), 2):
        a, b = numbers[i], numbers[j]
        rest = tuple(n for k, n in enumerate(numbers) if k not in (i, j))
        for sign, value in results(a, b, exact):
            for more, target in chains((*rest, value), exact):
                yield f"{a}{sign}{b}={value}" + (f", {more}" if more else ""), target


def results(a: int, b: int, exact: bool) -> Iterator[tuple[str, int]]:
    yield from (("+", a + b), ("-", a - b), ("*", a * b))
    if b:
        quotient, left = divmod(a, b)
        if not (exact and left):
            yield "/", quotient

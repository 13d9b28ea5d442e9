"""How much of the problem families' space is used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much of the problem space: a model of half a million parameters learns a corner of it in two minutes.

    families: the first so many of each education stage; None for all. numbers: the lower share, in (0, 1], of each
    range that a family draws its numbers from.
    """

    families: int | None = None
    numbers: float = 1.0

    def __post_init__(self) -> None:
        if self.families is not None and self.families < 1:
            raise ValueError(f"families must be at least 1, not {self.families}")
        if not 0 < self.numbers <= 1:
            raise ValueError(f"numbers must lie in (0, 1], not {self.numbers}")


FULL = Size()

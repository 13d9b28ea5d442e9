"""Which arithmetical puzzles there are (arXiv 2406.02100): a target made from numbers, each used exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from src.core.checks import at_least

OPERATIONS = "+-*/"


@dataclass(frozen=True)
class PuzzleSpace:
    """The puzzles to draw from. The paper gives sizes and numbers, and its one sample shows floor division and negative
    results; limits and trivial steps it leaves open.

    sizes: how many numbers a puzzle may have, each as often as the others. low, high: the numbers lie in [low, high].
    operations: those that a solution uses. division: "floor" rounds down, as Python's //, and so did the paper's
        sample (-20/18=-2); "exact" divides where nothing is left over.
    target_limit, step_limit: the largest absolute value of a target, and of a result on the way to it.
    trivial: whether a solution may hold steps that need no arithmetic: an operand 0, a factor or divisor 1 or -1, a
        quotient of a smaller number by a larger one.
    """

    sizes: tuple[int, ...] = (5, 6, 7)
    low: int = 1
    high: int = 60
    operations: str = OPERATIONS
    division: Literal["floor", "exact"] = "floor"
    target_limit: int = 1_000
    step_limit: int = 10_000
    trivial: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if not self.sizes or not all(2 <= size <= 12 for size in self.sizes) or len(set(self.sizes)) < len(self.sizes):
            raise ValueError(f"sizes must be different numbers in [2, 12], not {list(self.sizes)}")
        if not self.operations or set(self.operations) - set(OPERATIONS):
            raise ValueError(f"operations must be some of {OPERATIONS}, not {self.operations!r}")
        at_least(self, 1, "target_limit", "step_limit")
        at_least(self, self.low, "high")
        for option in ("low", "high", "target_limit", "step_limit"):
            if abs(getattr(self, option)) > 10**9:  # so that a product fits into 64 bits
                raise ValueError(f"{option} must lie within a thousand million, not {getattr(self, option)}")

    @property
    def integer(self) -> str:
        """The NumPy type in which products are exact: that of 32 bits halves the time."""
        return "int32" if max(abs(self.low), abs(self.high), self.step_limit) <= 46_340 else "int64"

"""Tells a loss that should not move the weights: one that is not a number, or a spike."""

from __future__ import annotations

import math
import statistics
from collections import deque
from typing import Any

WINDOW = 100
"""Losses that say what is usual."""

ENOUGH = 20
"""Fewer losses than this say nothing."""

LEAST_SPREAD = 0.02
"""Of the mean: when the losses hardly vary, a small change is no spike yet."""

SKIPPED_IN_A_ROW = 10
"""So many bad steps one after the other are no spike: the loss has another level, or the weights are spoilt."""


class LossWatch:
    """A spike lies more than `sigmas` standard deviations above the mean of the losses before (None: none is one).

    boundaries: steps from which other rows are read: the losses before say nothing of those after.
    The state is part of a checkpoint, so that a resumed run judges as the undivided one.
    """

    def __init__(self, sigmas: float | None, boundaries: frozenset[int] = frozenset()):
        self.sigmas, self.boundaries = sigmas, boundaries
        self.recent: deque[float] = deque(maxlen=WINDOW)
        self.in_a_row = 0

    def complaint(self, step: int, loss: float, norm: float) -> str | None:
        """What is wrong, in words; None when nothing is, and then the loss counts as usual from now on."""
        if step in self.boundaries:
            self.recent.clear()
        found = self._judge(loss, norm)
        self.in_a_row = self.in_a_row + 1 if found else 0
        return found

    @property
    def hopeless(self) -> bool:
        """Whether skipping has stopped being of use."""
        return self.in_a_row >= SKIPPED_IN_A_ROW

    def state(self) -> dict[str, Any]:
        return {"recent": list(self.recent), "in_a_row": self.in_a_row}

    def restore(self, state: dict[str, Any]) -> None:
        self.recent.extend(state["recent"])
        self.in_a_row = state["in_a_row"]

    def _judge(self, loss: float, norm: float) -> str | None:
        if not math.isfinite(loss):
            return f"the loss became {loss}"
        if not math.isfinite(norm):
            return f"the norm of the gradient became {norm}"
        if self.sigmas is not None:
            if len(self.recent) >= ENOUGH:
                mean = statistics.fmean(self.recent)
                spread = max(statistics.pstdev(self.recent), LEAST_SPREAD * mean)
                if loss > mean + self.sigmas * spread:
                    return f"the loss jumped to {loss:.3f}, from {mean:.3f} \N{PLUS-MINUS SIGN} {spread:.3f}"
            self.recent.append(loss)
        return None

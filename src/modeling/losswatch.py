"""Tells a loss that should not move the weights: one that is not a number, or a spike."""

from __future__ import annotations

import math
import statistics
from collections import deque

WINDOW = 100
"""Losses that say what is usual."""

ENOUGH = 20
"""Fewer losses than this say nothing."""

LEAST_SPREAD = 0.02
"""Of the mean: when the losses hardly vary, a small change is no spike yet."""


class LossWatch:
    """A spike lies more than `sigmas` standard deviations above the mean of the losses before (None: none is one).

    Its state is part of a checkpoint, so that a resumed run judges as the undivided one.
    """

    def __init__(self, sigmas: float | None):
        self.sigmas = sigmas
        self.recent: deque[float] = deque(maxlen=WINDOW)

    def complaint(self, loss: float, norm: float) -> str | None:
        """What is wrong, in words; None when nothing is, and then the loss counts as usual from now on."""
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

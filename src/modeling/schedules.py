"""Learning-rate schedules: pure functions of the step, so that nothing has to be saved to resume one.

`factor(step, total)` multiplies the peak learning rate at optimizer step `step` in [0, total). The first step of a
warm-up over w steps has 1/w, never 0 (a step at rate 0 would be wasted); the last step of a decay has `floor`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal


def _fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], not {value}")


class Schedule(ABC):
    """Fractions are of the whole training; `warmup` is one for every schedule."""

    warmup: float

    def factor(self, step: int, total: int) -> float:
        """The multiplier in [0, 1] of the peak learning rate."""
        warm = math.ceil(self.warmup * total)
        return (step + 1) / warm if step < warm else self.after_warmup(step, warm, total)

    def decay_start(self, total: int) -> int | None:
        """The first step of a decay that several runs may try from one state; None where there is no such place."""
        return None

    @abstractmethod
    def after_warmup(self, step: int, warm: int, total: int) -> float:
        """The multiplier from step `warm` on."""


def _progress(step: int, start: int, total: int) -> float:
    """How much of the decay is done at `step`, in (0, 1]: 1 at the last step."""
    return (step + 1 - start) / max(total - start, 1)


_SHAPES = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2,
    "sqrt": lambda x: 1 - math.sqrt(x),
}


@dataclass(frozen=True)
class WSD(Schedule):
    """Warm-up, stable, decay (MiniCPM, arXiv 2404.06395): `stable_until` is where the decay to `floor` starts."""

    warmup: float = 0.03
    stable_until: float = 0.85
    floor: float = 0.1
    decay: Literal["linear", "cosine", "sqrt"] = "linear"

    def __post_init__(self) -> None:
        for name in ("warmup", "stable_until", "floor"):
            _fraction(name, getattr(self, name))
        if self.stable_until < self.warmup:
            raise ValueError(f"stable_until ({self.stable_until}) must not lie before warmup ends ({self.warmup})")
        if self.decay not in _SHAPES:
            raise ValueError(f"decay must be one of {', '.join(_SHAPES)}, not {self.decay}")

    def decay_start(self, total: int) -> int:
        return max(math.ceil(self.warmup * total), round(self.stable_until * total))

    def after_warmup(self, step: int, warm: int, total: int) -> float:
        start = self.decay_start(total)
        if step < start:
            return 1.0
        return self.floor + (1 - self.floor) * _SHAPES[self.decay](_progress(step, start, total))


@dataclass(frozen=True)
class _Decay(Schedule):
    warmup: float = 0.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        _fraction("warmup", self.warmup)
        _fraction("floor", self.floor)


@dataclass(frozen=True)
class Cosine(_Decay):
    """Half a cosine from the peak to `floor`."""

    def after_warmup(self, step: int, warm: int, total: int) -> float:
        return self.floor + (1 - self.floor) * _SHAPES["cosine"]((step - warm) / max(total - warm, 1))


@dataclass(frozen=True)
class Linear(_Decay):
    """A straight line from the peak to `floor`."""

    def after_warmup(self, step: int, warm: int, total: int) -> float:
        return self.floor + (1 - self.floor) * _SHAPES["linear"]((step - warm) / max(total - warm, 1))


@dataclass(frozen=True)
class Constant(Schedule):
    """The peak, after the warm-up."""

    warmup: float = 0.0

    def __post_init__(self) -> None:
        _fraction("warmup", self.warmup)

    def after_warmup(self, step: int, warm: int, total: int) -> float:
        return 1.0

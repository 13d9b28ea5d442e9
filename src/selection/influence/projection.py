r"""A seeded random sketch that shortens gradients and keeps their inner products.

The flattened gradient x (length n, all parameters one after another) is cut into blocks of d; every element gets a
random sign s_j; every block is rotated by its own random amount and added to the sketch:

    S(x)_b = sum_j  s_j x_j [h(j) = b],      h(j) = (j mod d + shift(j div d)) mod d.

This is a count sketch (Charikar, Chen and Farach-Colton 2002) whose hash moves whole blocks, so that it is made of
contiguous additions instead of n scattered ones. Two elements of one block never collide and two of different blocks
collide with probability 1/d, which is all that the classical analysis asks of h. Hence, as for feature hashing
(Weinberger et al. 2009, arXiv 0902.2206, lemma 2), over the draw of signs and shifts

    E <S(x), S(y)> = <x, y>
    Var <S(x), S(y)> <= (|x|^2 |y|^2 + <x, y>^2) / d,

so a cosine is off by about sqrt((1 + cos^2) / d): 0.011 to 0.016 at d = 8192. A dense Rademacher projection has the
same variance and costs n x d operations; this one costs n. (Signs come from an integer mixing function, not from a
4-wise independent family: the bound is exact for ideal signs, and a test, test_projection.py, measures ours.)

Signs and shifts are pure functions of (seed, parameter name, position): no state, no n x d matrix, the same on every
device, whatever the batch and however the parameter is sliced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from src.core.checks import at_least
from src.core.records import seed_from
from src.selection.influence.layers import Parameter

REMEMBERED = 1 << 26  # signs kept between batches, one byte each; beyond that they are drawn again


@dataclass(frozen=True)
class Sketch:
    """Projects runs of gradients to `dimension` numbers; linear, so runs may come in any order and any cut."""

    dimension: int
    seed: int
    _signs: dict[tuple[str, torch.device], Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        at_least(self, 1, "dimension")

    def add(self, into: Tensor, parameter: Parameter, first: int, values: Tensor) -> None:
        """Add elements [first, first + k) of a flattened parameter to the sketches.

        values: samples x k, float32. into: samples x dimension, float32, changed in place.
        """
        d, stop = self.dimension, first + values.shape[1]
        signs = self._signs_of(parameter, first, stop, values.device)
        shifts = seed_from(self.seed, parameter.name, "shift")
        for block in range(first // d, (stop - 1) // d + 1):
            shift = _mix(shifts + block) % d
            origin, turn = block * d, (block + 1) * d - shift  # from `turn` on, the block wraps round to the front
            begin, end = max(first, origin), min(stop, origin + d)
            for low, high, offset in ((begin, min(end, turn), shift), (max(begin, turn), end, shift - d)):
                if low < high:
                    here = slice(low - first, high - first)
                    there = slice(low - origin + offset, high - origin + offset)
                    into[:, there].addcmul_(values[:, here], signs[here])

    def _signs_of(self, parameter: Parameter, first: int, stop: int, device: torch.device) -> Tensor:
        """The signs of elements [first, stop), float32; those of a whole parameter are kept while there is room."""
        key = (parameter.name, device)
        if key not in self._signs:
            if sum(map(len, self._signs.values())) + parameter.size > REMEMBERED:
                return self._draw(parameter.name, first, stop, device).float()
            self._signs[key] = self._draw(parameter.name, 0, parameter.size, device)
        return self._signs[key][first:stop].float()

    def _draw(self, parameter: str, first: int, stop: int, device: torch.device) -> Tensor:
        words = torch.arange(first, stop, device=device, dtype=torch.int64)
        bits = _mix(words + seed_from(self.seed, parameter, "sign")) & 1
        return (bits * 2 - 1).to(torch.int8)


def _mix(word: Any) -> Any:
    """Scramble integers to 32 random-looking bits (Wellons' lowbias32), twice over; works on ints and int64 tensors."""
    for _ in range(2):
        word = word & 0xFFFFFFFF
        word = ((word ^ (word >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
        word = ((word ^ (word >> 15)) * 0x846CA68B) & 0xFFFFFFFF
        word = word ^ (word >> 16)
    return word

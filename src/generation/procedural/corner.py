"""A small corner of a family: how far into its ranges one must draw to find enough distinct problems."""

from __future__ import annotations

from collections import Counter
from functools import cache
from math import ceil

from src.generation.procedural.family import Family, Ranges, Slice, slice_of

NARROWEST = 3  # numbers that a range keeps, however small the share
TRAINED = 6  # training problems for each held-out one, as the hash deals them out


@cache
def corner(family: Family, share: float, least: int) -> Ranges:
    """The lower part of each of the family's ranges: a `share` in (0, 1] of it; where that holds too few problems,
    larger numbers join, one after the other, each from the range of which the smallest share is used.

    Enough are `least` distinct problems for the benchmark, as many for dev and `TRAINED` times as many to train on; for
    a family that is not taught, those for the benchmark. The whole ranges where they hold fewer.
    """
    ranges = lower(family, share)
    wanted = _Wanted(family, least)
    enough = wanted.found_in(ranges)
    for name in _joining(family, ranges):
        if enough:
            break
        used = len(ranges[name])
        enough = wanted.found_in({**ranges, name: family.numbers[name][used : used + 1]})
        ranges = {**ranges, name: family.numbers[name][: used + 1]}
    return ranges


def lower(family: Family, share: float) -> Ranges:
    """The lower `share` of each range, three numbers at least."""
    return {name: all[: max(NARROWEST, ceil(share * len(all)))] for name, all in family.numbers.items()}


def problem_counts(family: Family, ranges: Ranges) -> Counter[Slice]:
    """How many distinct problems the ranges hold, by part. It tries every combination: some 100,000 a second."""
    return Counter(slice_of(signature) for signature in set(family.signatures(ranges)))


def _joining(family: Family, ranges: Ranges) -> list[str]:
    """The ranges' names in the order in which a number more of each joins; of two alike, the first range's."""
    order = [
        (end / len(family.numbers[name]), place, name)
        for place, (name, used) in enumerate(ranges.items())
        for end in range(len(used) + 1, len(family.numbers[name]) + 1)
    ]
    return [name for _, _, name in sorted(order)]


class _Wanted:
    """The distinct problems of a family that were found so far, as many of each part as are wanted."""

    def __init__(self, family: Family, least: int):
        parts: tuple[Slice, ...] = ("train", "dev", "held_out") if family.split == "seen" else ("held_out",)
        self.family = family
        self.missing = {part: least * (TRAINED if part == "train" else 1) for part in parts}
        self.found: set[str] = set()

    def found_in(self, ranges: Ranges) -> bool:
        """Add what these ranges hold. True as soon as nothing is missing: a large corner is not read to its end."""
        for signature in self.family.signatures(ranges):
            if signature in self.found:
                continue
            self.found.add(signature)
            part = slice_of(signature)
            if part in self.missing:
                self.missing[part] -= 1
                if not any(missing > 0 for missing in self.missing.values()):
                    return True
        return False

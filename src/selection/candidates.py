"""Candidates, walked along in an order that is theirs alone.

A selector takes any sequence of examples. What it is given is read row by row from a file, so it should walk along the
candidates, or ask for some of them, and never make a list of all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from heapq import nsmallest

import numpy as np

from src.core.records import Example, seed_from
from src.core.row_files import RowSequence, RowView


class ById(RowSequence[Example]):
    """Candidates in the order of their ids, whatever their own; `ids` and `number`, of each id, are held."""

    def __init__(self, candidates: Sequence[Example]):
        ids = [sys.intern(row.id) for row in candidates]  # one object, whatever else names it
        places = sorted(range(len(ids)), key=ids.__getitem__)
        self.ids = [ids[place] for place in places]
        self.number = {id: number for number, id in enumerate(self.ids)}
        self._rows = RowView(candidates, np.array(places, dtype=np.int64))

    def at(self, number: int) -> Example:
        return self._rows.at(number)

    def __len__(self) -> int:
        return len(self.ids)

    def some(self, numbers: Iterable[int]) -> RowView[Example]:
        """Those of these numbers, in this order."""
        return RowView(self._rows.rows, self._rows.numbers[np.fromiter(numbers, dtype=np.int64)])

    def drawn(self, count: int, *purpose: object) -> RowView[Example]:
        """So many at random: each one's draw depends on the purpose and its id alone."""

        def draw(number: int) -> tuple[int, str]:
            return seed_from(*purpose, self.ids[number]), self.ids[number]

        return self.some(nsmallest(count, range(len(self)), key=draw))

"""Rows on disk: whatever they weigh and however many there are, memory holds some bytes of each."""

from __future__ import annotations

import dataclasses
import json
import os
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, TypeVar, overload

import numpy as np

from src.core.seen import id_digest


class HasId(Protocol):
    """A row with an id."""

    @property
    def id(self) -> str: ...


Row = TypeVar("Row")
RowWithId = TypeVar("RowWithId", bound=HasId)


class RowSequence(Sequence[Row], Generic[Row]):
    """A sequence that is read when it is asked for; a slice of it is a list."""

    @abstractmethod
    def at(self, number: int) -> Row:
        """The row of that number, from 0 on."""

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        found = range(len(self))[at]
        return self.at(found) if isinstance(found, int) else [self.at(number) for number in found]


class RowFile(RowSequence[Row]):
    """Rows of a record class in a file of JSON lines, which begins empty. In memory: 8 bytes a row, where it ends.

    Sent to another process it can be read there, not added to.
    """

    def __init__(self, path: Path, record: type[Row]):
        self.path, self.record = path, record
        self._ends = array("Q")
        self._file: BinaryIO = path.open("w+b")

    def append(self, row: Row) -> int:
        """Add a row; its number."""
        values = [getattr(row, field.name) for field in dataclasses.fields(self.record)]  # type: ignore[arg-type]
        size = self._file.write(json.dumps(values).encode() + b"\n")
        self._ends.append((self._ends[-1] if self._ends else 0) + size)
        return len(self._ends) - 1

    def at(self, number: int) -> Row:
        start = self._ends[number - 1] if number else 0
        self._file.flush()
        return self.record(*json.loads(os.pread(self._file.fileno(), self._ends[number] - start, start)))

    def __len__(self) -> int:
        return len(self._ends)

    def __getstate__(self) -> dict[str, Any]:
        self._file.flush()
        return {**self.__dict__, "_file": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._file = self.path.open("rb")


@dataclass(frozen=True, eq=False)
class RowView(RowSequence[Row]):
    """Some rows of a sequence, in an order of its own."""

    rows: Sequence[Row]
    numbers: np.ndarray

    def at(self, number: int) -> Row:
        return self.rows[int(self.numbers[number])]

    def __len__(self) -> int:
        return len(self.numbers)


class RowsById(Generic[RowWithId]):
    """Rows with different ids in a file of their own, to be looked up. In memory: 24 bytes a row."""

    def __init__(self, path: Path, record: type[RowWithId], rows: Iterable[RowWithId]):
        self._rows = RowFile(path, record)
        self._numbers = NumbersById((row.id, self._rows.append(row)) for row in rows)

    def __getitem__(self, id: str) -> RowWithId:
        """Raises KeyError where no row has this id."""
        for number in self._numbers.all_of(id):
            if (row := self._rows[int(number)]).id == id:
                return row
        raise KeyError(id)


class NumbersById:
    """A number for each of many ids. In memory: 16 bytes an id, which stands there as a digest of 64 bits: among ten
    million, two that differ have the same with a probability of 3 in a million.

    values: the numbers, in no order that means anything.
    """

    def __init__(self, numbers: Iterable[tuple[str, float]]):
        digests, values = bytearray(), array("d")
        for id, value in numbers:
            digests += id_digest(id)
            values.append(value)
        unsorted = np.frombuffer(digests, np.uint64)
        order = np.argsort(unsorted, kind="stable")
        self._digests = unsorted[order]
        self.values = np.frombuffer(values, np.float64)[order]

    def get(self, id: str) -> float | None:
        """None for an id that has no number."""
        return next(self.all_of(id), None)

    def all_of(self, id: str) -> Iterator[float]:
        """The numbers of all ids with this one's digest: hardly ever more than one."""
        digest = np.frombuffer(id_digest(id), np.uint64)[0]
        first = int(np.searchsorted(self._digests, digest))
        while first < len(self._digests) and self._digests[first] == digest:
            yield float(self.values[first])
            first += 1

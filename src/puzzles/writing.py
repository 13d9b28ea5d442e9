"""Solved puzzles as text, whole columns at a time: no Python object a row."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from src.puzzles.drawing import SolvedPuzzles
from src.puzzles.mixing import U64, mixed
from src.puzzles.space import OPERATIONS

Direction = Literal["forward", "backward"]

TABLED = 10_000


def questions(solved: SolvedPuzzles) -> pa.StringArray:
    """`34, 18, 31, 41, 19, 55: -110`"""
    numbers = [part for column in solved.numbers for part in (_text(column), ", ")]
    return _joined(*numbers[:-1], ": ", _text(solved.targets))


def solutions(solved: SolvedPuzzles, direction: Direction = "forward") -> pa.StringArray:
    """`31-34=-3, 19+41=60, ...`, or from the target backwards: `-110=-2*55, -2=-20/18, ...`"""
    signs = pa.array(list(OPERATIONS))
    equations = []
    for a, operation, b, result in zip(solved.left, solved.operation, solved.right, solved.result, strict=True):
        sides = (_text(a), signs.take(pa.array(operation)), _text(b))
        written = (*sides, "=", _text(result)) if direction == "forward" else (_text(result), "=", *sides)
        equations.append((*written, ", "))
    ordered = equations if direction == "forward" else equations[::-1]
    parts = [part for equation in ordered for part in equation]
    return _joined(*parts[:-1])


def ids(solved: SolvedPuzzles, direction: Direction = "forward") -> pa.StringArray:
    """Twenty hexadecimal digits that the puzzle and the way it is solved decide."""
    names = np.empty(len(solved), [("key", ">u8"), ("way", ">u2")])
    names["key"] = solved.keys
    names["way"] = mixed(solved.keys + U64(direction == "backward")) >> U64(48)
    offsets = np.arange(len(solved) + 1, dtype=np.int32) * 20
    return pa.StringArray.from_buffers(
        len(solved), pa.py_buffer(offsets), pa.py_buffer(names.tobytes().hex().encode("ascii"))
    )


def _text(column: np.ndarray) -> pa.StringArray:
    """The integers in decimal; those within TABLED are looked up, which takes half the time."""
    if len(column) and column.min() >= -TABLED and column.max() <= TABLED:
        return _table().take(pa.array(column + TABLED))
    return pa.array(column).cast(pa.string())


@cache
def _table() -> pa.StringArray:
    return pa.array(np.arange(-TABLED, TABLED + 1)).cast(pa.string())


def _joined(*parts: pa.StringArray | str) -> pa.StringArray:
    return pc.binary_join_element_wise(*parts, "")

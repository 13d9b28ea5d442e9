"""Short vectors of all candidates, in half precision, on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

BLOCK = 1_024


class VectorFile:
    """So many rows of `width` numbers, 0 at first. The file is mapped only while rows are touched, a block of them at a
    time: pages that stay mapped would count as memory."""

    def __init__(self, path: Path, rows: int, width: int):
        self.path, self.rows, self.width = path, rows, width
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(rows * width * 2)

    def add(self, numbers: Sequence[int], rows: np.ndarray) -> None:
        """Add these to the rows of those numbers, which differ from each other."""
        self._mapped("r+")[numbers] += rows.astype(np.float16, copy=False)

    def keep(self, numbers: np.ndarray) -> None:
        """Drop all rows but those of these ascending numbers, which move up."""
        for first in range(0, len(numbers), BLOCK):
            block = numbers[first : first + BLOCK]
            mapped = self._mapped("r+")
            mapped[first : first + len(block)] = mapped[block]
        self.rows = len(numbers)
        with self.path.open("r+b") as file:
            file.truncate(self.rows * self.width * 2)

    def read(self) -> np.ndarray:
        """All rows, read from disk as they are asked for."""
        return self._mapped("r")

    def _mapped(self, mode: Literal["r", "r+"]) -> np.memmap[Any, Any]:
        return np.memmap(self.path, dtype=np.float16, mode=mode, shape=(self.rows, self.width))

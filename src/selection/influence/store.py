"""Projected gradients on disk: half-precision, memory-mapped files under a journal.

A row is first written to its file, then journalled by its candidate's id. A process that dies in between leaves a row
that no journal names; the next one overwrites it. So a killed run goes on. Nothing is held: the journal is read again,
line by line, where it is needed. Several processes write at once, each to a shard of its own; all of them are read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from src.core.journal import Ids, Journal

FILE_ROWS = 8_192
BLOCK_ROWS = 1_024


class Block(NamedTuple):
    """Some rows of a store in float32, with the ids and the facts (loss, norm, ...) of their candidates."""

    ids: list[str]
    rows: Tensor
    facts: list[dict[str, Any]]


class GradientStore:
    """Rows of `dimension` numbers by id, each with a few facts (loss, norm, ...). Rows should be of length about one.

    Half precision holds a number below 1 to 1 part in 2,000, which moves a cosine at d = 8192 by some 1e-5.
    """

    def __init__(self, folder: Path, dimension: int, shard: str = "0"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.dimension, self.shard = folder, dimension, shard
        self._journal = Journal(folder / "journal", shard)
        mine = (fact["at"] for _, fact in self._journal.rows() if fact.get("shard") == shard)
        self._next = 1 + max(mine, default=-1)

    def append(self, ids: Sequence[str], rows: Tensor, facts: Sequence[dict[str, Any]]) -> None:
        """Write rows (len(ids) x dimension) and their facts."""
        values = rows.to("cpu", torch.float16).numpy()
        done = 0
        while done < len(ids):
            number, at = divmod(self._next + done, FILE_ROWS)
            count = min(len(ids) - done, FILE_ROWS - at)
            mapped = self._file(self.shard, number, "r+")
            mapped[at : at + count] = values[done : done + count]
            mapped.flush()
            done += count
        for id, fact in zip(ids, facts, strict=True):
            self._journal.append(id, {"shard": self.shard, "at": self._next, **fact})
            self._next += 1

    def skip(self, id: str, reason: str) -> None:
        """Record that this candidate has no usable gradient, and why."""
        self._journal.append(id, {"skipped": reason})

    def done(self) -> Ids:
        """The candidates that are stored or skipped, by any shard."""
        return self._journal.ids()

    def skipped(self) -> dict[str, str]:
        return {id: sys.intern(fact["skipped"]) for id, fact in self._journal.rows() if "skipped" in fact}

    def blocks(self) -> Iterator[Block]:
        """The stored rows, at most `BLOCK_ROWS` at a time, shard by shard in the order of writing."""
        stored = ((id, fact) for id, fact in self._journal.rows() if "at" in fact)
        while part := list(islice(stored, BLOCK_ROWS)):
            facts = [fact for _, fact in part]
            files = [(fact["shard"], fact["at"] // FILE_ROWS) for fact in facts]
            rows = np.empty((len(part), self.dimension), dtype=np.float32)
            for file in sorted(set(files)):
                mine = [i for i, its in enumerate(files) if its == file]
                rows[mine] = self._file(*file, "r")[[facts[i]["at"] % FILE_ROWS for i in mine]]
            yield Block([id for id, _ in part], torch.from_numpy(rows), facts)

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> GradientStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _file(self, shard: str, number: int, mode: Literal["r", "r+"]) -> np.memmap[Any, Any]:
        path = self.folder / f"{shard}-{number:05d}.f16"
        if not path.exists():
            with path.open("wb") as file:
                file.truncate(FILE_ROWS * self.dimension * 2)  # sparse: takes room only as rows are written
        return np.memmap(path, dtype=np.float16, mode=mode, shape=(FILE_ROWS, self.dimension))

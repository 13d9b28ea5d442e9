"""Projected gradients on disk: half-precision, memory-mapped files under a journal.

A row is first written to its file, then journalled by its candidate's id. A process that dies in between leaves a row
that no journal names; the next one overwrites it. So a killed run goes on, and memory does not grow with the rows.
Several processes write at once, each to a shard of its own; all of them are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from src.core.journal import Journal

FILE_ROWS = 8_192
BLOCK_ROWS = 1_024


class GradientStore:
    """Rows of `dimension` numbers by id, each with a few facts (loss, norm, ...). Rows should be of length about one.

    Half precision holds a number below 1 to 1 part in 2,000, which moves a cosine at d = 8192 by some 1e-5.
    """

    def __init__(self, folder: Path, dimension: int, shard: str = "0"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.dimension, self.shard = folder, dimension, shard
        self._journal = Journal(folder / "journal", shard)
        self.facts: dict[str, dict[str, Any]] = dict(self._journal.rows())
        mine = (fact["at"] for fact in self.facts.values() if fact.get("shard") == shard)
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
            self._record(id, {"shard": self.shard, "at": self._next, **fact})
            self._next += 1

    def skip(self, id: str, reason: str) -> None:
        """Record that this candidate has no usable gradient, and why."""
        self._record(id, {"skipped": reason})

    def skipped(self) -> dict[str, str]:
        return {id: fact["skipped"] for id, fact in self.facts.items() if "skipped" in fact}

    def blocks(self) -> Iterator[tuple[list[str], Tensor]]:
        """(ids, rows in float32), at most `BLOCK_ROWS` at a time, in the order of writing."""
        placed = sorted((fact["shard"], fact["at"], id) for id, fact in self.facts.items() if "at" in fact)
        for first in range(0, len(placed), BLOCK_ROWS):
            part = placed[first : first + BLOCK_ROWS]
            rows = np.empty((len(part), self.dimension), dtype=np.float32)
            for shard, number in sorted({(shard, at // FILE_ROWS) for shard, at, _ in part}):
                mine = [i for i, (s, at, _) in enumerate(part) if (s, at // FILE_ROWS) == (shard, number)]
                rows[mine] = self._file(shard, number, "r")[[part[i][1] % FILE_ROWS for i in mine]]
            yield [id for _, _, id in part], torch.from_numpy(rows)

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> GradientStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _record(self, id: str, fact: dict[str, Any]) -> None:
        self._journal.append(id, fact)
        self.facts[id] = fact

    def _file(self, shard: str, number: int, mode: Literal["r", "r+"]) -> np.memmap[Any, Any]:
        path = self.folder / f"{shard}-{number:05d}.f16"
        if not path.exists():
            with path.open("wb") as file:
                file.truncate(FILE_ROWS * self.dimension * 2)  # sparse: takes room only as rows are written
        return np.memmap(path, dtype=np.float16, mode=mode, shape=(FILE_ROWS, self.dimension))

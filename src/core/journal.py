"""An append-only log of finished rows, so that a killed stage goes on where it was.

One JSON line per row, keyed by content id. A process that dies mid-write leaves a torn last line; reading drops it
and writing starts on a fresh line. Two writers of one stage use two shards.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from src.core.seen import id_digest, is_among


class Ids:
    """A set of ids in 8 bytes each: their digests of 64 bits, in order. Among ten million, two that differ are taken
    for one with a probability of 3 in a million."""

    def __init__(self, ids: Iterable[str]):
        digests = bytearray()
        for id in ids:
            digests += id_digest(id)
        ordered = np.frombuffer(digests, np.uint64)
        ordered.sort()  # in place: `np.unique` would take five times as much again on the way
        self._digests = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered

    def __contains__(self, id: str) -> bool:
        return is_among(self._digests, int.from_bytes(id_digest(id), sys.byteorder))

    def __len__(self) -> int:
        return len(self._digests)


class Journal:
    """A folder of `<shard>.jsonl` files. Reading sees all shards, writing appends to one's own.

    An append survives the death of the process, not of the machine: what cost money is in the answer cache before.
    """

    def __init__(self, folder: Path, shard: str = "0"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        path = folder / f"{shard}.jsonl"
        _end_torn_line(path)
        self._file = path.open("a", encoding="utf-8")

    def append(self, id: str, row: dict[str, Any]) -> None:
        """Record that the row `id` is done."""
        self._file.write(json.dumps({"id": id, "row": row}, ensure_ascii=False) + "\n")
        self._file.flush()

    def ids(self) -> Ids:
        """The ids that are done."""
        return Ids(id for id, _ in self.rows())

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every finished row, in the order of shards and of writing; a row written twice appears twice."""
        for path in sorted(self.folder.glob("*.jsonl")):
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if (entry := _parse(line)) is not None:
                        yield entry["id"], entry["row"]

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _parse(line: str) -> dict[str, Any] | None:
    """A torn line is the only kind of bad line there can be: its row was not finished, and is done again."""
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) and entry.keys() >= {"id", "row"} else None


def _end_torn_line(path: Path) -> None:
    if path.exists() and path.stat().st_size:
        with path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")

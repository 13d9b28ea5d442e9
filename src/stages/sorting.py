"""Putting a journal's rows in order of their ids, however many there are."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

ROWS_AT_ONCE = 50_000
FAN_IN = 128  # files open at once: systems allow 256 at the least

Row = tuple[str, dict[str, Any]]


def in_order(rows: Iterable[Row], scratch: Path, at_once: int = ROWS_AT_ONCE) -> Iterator[Row]:
    """Yield the rows by id, each id once (of two rows with one id, the first stays).

    Holds `at_once` rows; more are sorted in runs on disk, in the folder `scratch`, and merged, `FAN_IN` at a time.
    """
    source = iter(rows)
    run = _sorted(islice(source, at_once))
    if len(run) < at_once:
        yield from _once(run)
        return
    scratch.mkdir(parents=True, exist_ok=True)
    runs: list[Path] = []
    while run:
        runs.append(_write(scratch / f"run-{len(runs):05d}.jsonl", run))
        run = _sorted(islice(source, at_once))
    level = 0
    while len(runs) > FAN_IN:
        level += 1
        groups = [runs[start : start + FAN_IN] for start in range(0, len(runs), FAN_IN)]
        runs = [_write(scratch / f"level-{level}-{n:05d}.jsonl", _merged(group)) for n, group in enumerate(groups)]
    yield from _once(_merged(runs))


def _merged(runs: list[Path]) -> Iterator[Row]:
    """The rows of sorted files in order, of equal ids those of the earlier file first; then the files go."""
    with ExitStack() as open_files:
        files = [open_files.enter_context(path.open(encoding="utf-8")) for path in runs]
        yield from heapq.merge(*(map(_read, file) for file in files), key=_id)
    for path in runs:
        path.unlink()


def _id(row: Row) -> str:
    return row[0]


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=_id)


def _write(path: Path, run: Iterable[Row]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in run)
    return path


def _read(line: str) -> Row:
    id, row = json.loads(line)
    return id, row


def _once(rows: Iterable[Row]) -> Iterator[Row]:
    last = None
    for row in rows:
        if row[0] != last:
            yield row
        last = row[0]

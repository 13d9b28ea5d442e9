"""Passages from JSON Lines files, plain or gzipped."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from src.core.errors import UserError
from src.corpus.base import BadRow
from src.corpus.files import FileReader, RawRow, find_files, is_parquet

SKIP_BYTES = 1 << 20
LOOKED_AT = 20  # rows, to tell which fields a file has


@dataclass(frozen=True)
class JsonlReader(FileReader):
    """One JSON object a line; lines that are none are reported with their number.

    max_line_bytes: a longer line is reported and skipped, without ever being held in memory.
    """

    max_line_bytes: int = 8_000_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_line_bytes < 1:
            raise ValueError(f"max_line_bytes must be positive, not {self.max_line_bytes}")

    def size_hint(self) -> int | None:
        """Lines of files that are not compressed."""
        paths = find_files(self.files)
        return None if any(path.suffix == ".gz" for path in paths) else sum(map(_count_lines, paths))

    def preflight(self) -> None:
        """Raises UserError for a file in another format."""
        for path in find_files(self.files):
            if is_parquet(path):
                mend = f"corpus=parquet corpus.files={path}; of src.stage: reader=parquet rows={path}"
                raise UserError(f"'{path}' is a Parquet file.", mend)

    def field_names(self) -> Iterator[tuple[Path, list[str]]]:
        for path in find_files(self.files):
            first = (_parse(line, "") for _, line in islice(read_lines(path, self.max_line_bytes), LOOKED_AT) if line)
            yield path, list(dict.fromkeys(name for row in first if isinstance(row, Mapping) for name in row))

    def rows(self, columns: Sequence[str]) -> Iterator[RawRow]:
        for path in find_files(self.files):
            source = path.name.removesuffix(".gz").removesuffix(".jsonl")
            for number, line in read_lines(path, self.max_line_bytes):
                place = f"{path}:{number}"
                if line is None:
                    yield RawRow(place, source, BadRow(place, f"line longer than {self.max_line_bytes:,} bytes"))
                elif line.strip():
                    yield RawRow(place, source, _parse(line, place))


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(SKIP_BYTES), b"")) + 1


def _parse(line: bytes, place: str) -> Mapping[str, Any] | BadRow:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return BadRow(place, "invalid UTF-8")
    except (ValueError, RecursionError):  # ValueError: also a number of more digits than Python converts
        return BadRow(place, "invalid JSON")
    return row if isinstance(row, Mapping) else BadRow(place, "not an object with fields")


def read_lines(path: Path, limit: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield (line number from 1, line); None stands for a line longer than `limit` bytes."""
    try:
        # gzip's type stubs promise less than it returns: a binary file
        with cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb") as file:
            number = 0
            while line := file.readline(limit + 1):
                number += 1
                whole = len(line) <= limit or line.endswith(b"\n")
                if not whole:
                    while (rest := file.readline(SKIP_BYTES)) and not rest.endswith(b"\n"):
                        pass
                yield number, line if whole else None
    except (EOFError, gzip.BadGzipFile) as error:
        raise UserError(f"'{path}' is damaged: {error}.", "Fetch or write the file again.") from None

"""Passages from JSON Lines files, or JSON files that are one array: plain, or compressed (gzip, zstd, bzip2, xz)."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any, cast

from src.core.errors import UserError
from src.corpus.base import BadRow
from src.corpus.files import FileReader, RawRow, find_files, is_parquet, is_utf16
from src.corpus.json_array import elements, is_array

SKIP_BYTES = 1 << 20
COMPRESSED = {  # how such a file begins: by that it is known, whatever its name
    ".gz": b"\x1f\x8b",
    ".zst": b"\x28\xb5\x2f\xfd",
    ".bz2": b"BZh",
    ".xz": b"\xfd7zXZ\x00",
}
LOOKED_AT = 20  # rows, to tell which fields a file has


@dataclass(frozen=True)
class JsonlReader(FileReader):
    """One JSON object a line, or a file `*.json` that is one array of objects; lines and elements that are none are
    reported with their number. What is compressed, by its name or by its first bytes, is decompressed while it is read.

    max_line_bytes: a longer line is reported and skipped, without ever being held in memory.
    """

    max_line_bytes: int = 8_000_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_line_bytes < 1:
            raise ValueError(f"max_line_bytes must be positive, not {self.max_line_bytes}")

    def size_hint(self) -> int | None:
        """Lines of files that are neither compressed nor arrays."""
        paths = find_files(self.files)
        packed = any(_packing(path) or _is_json(path) for path in paths)
        return None if packed else sum(map(_count_lines, paths))

    def preflight(self) -> None:
        """Raises UserError for a file in another format, or in an encoding other than UTF-8."""
        for path in find_files(self.files):
            if is_parquet(path):
                mend = f"corpus=parquet corpus.files={path}; of src.stage: reader=parquet rows={path}"
                raise UserError(f"'{path}' is a Parquet file.", mend)
            if is_utf16(path):
                mend = f"iconv -f UTF-16 -t UTF-8 {path} > FILE; in PowerShell: Set-Content -Encoding utf8"
                raise UserError(f"'{path}' is written in UTF-16, and JSON Lines are UTF-8.", mend)

    def field_names(self) -> Iterator[tuple[Path, list[str]]]:
        for path in find_files(self.files):
            first = (row for _, row in islice(self._contents(path), LOOKED_AT) if isinstance(row, Mapping))
            yield path, list(dict.fromkeys(name for row in first for name in row))

    def rows(self, paths: Sequence[str]) -> Iterator[RawRow]:
        for path in find_files(self.files):
            yield from (RawRow(place, _source(path), content) for place, content in self._contents(path))

    def _contents(self, path: Path) -> Iterator[tuple[str, Mapping[str, Any] | BadRow]]:
        """Each row with its place."""
        with _opened(path) as file:
            if _is_json(path) and is_array(file):
                yield from elements(file, self.max_line_bytes, str(path))
                return
            for number, line in _lines(file, self.max_line_bytes):
                place = f"{path}:{number}"
                if line is None:
                    yield place, BadRow(place, f"line longer than {self.max_line_bytes:,} bytes")
                elif line.strip():
                    yield place, _parse(line, place)


def _packing(path: Path) -> str:
    """How a file is compressed, as the suffix of such files; "" where it is not."""
    if (suffix := path.suffix.lower()) in COMPRESSED:
        return suffix
    with path.open("rb") as file:
        begins = file.read(max(map(len, COMPRESSED.values())))
    return next((suffix for suffix, magic in COMPRESSED.items() if begins.startswith(magic)), "")


def _is_json(path: Path) -> bool:
    return ".json" in [suffix.lower() for suffix in path.suffixes]


def _source(path: Path) -> str:
    """The file's name without what says how it is written."""
    name = path.stem if path.suffix.lower() in COMPRESSED else path.name
    suffix = Path(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in (".json", ".jsonl") else name


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(SKIP_BYTES), b"")) + 1


def _parse(line: bytes, place: str) -> Mapping[str, Any] | BadRow:
    try:
        row = json.loads(line.decode("utf-8-sig"), strict=False)  # some tools leave a tab as it is
    except UnicodeDecodeError:
        return BadRow(place, "invalid UTF-8")
    except (ValueError, RecursionError):  # ValueError: also a number of more digits than Python converts
        return BadRow(place, "invalid JSON")
    return row if isinstance(row, Mapping) else BadRow(place, "not an object with fields")


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """Raises UserError for a compressed file that is cut or damaged, at the place where that shows."""
    try:
        with _binary(path) as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise _damaged(path, error) from None
    except OSError as error:
        if error.errno is None:  # the decoder of zstd or bzip2, not the operating system
            raise _damaged(path, error) from None
        raise


def _binary(path: Path) -> BufferedReader:
    match _packing(path):
        case ".gz":
            return BufferedReader(cast(Any, gzip.open(path)))
        case ".bz2":
            return BufferedReader(cast(Any, bz2.open(path)))
        case ".xz":
            return BufferedReader(cast(Any, lzma.open(path)))
        case ".zst":
            import pyarrow as pa

            return BufferedReader(pa.input_stream(path, compression="zstd"))
    return path.open("rb")


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"'{path}' is damaged: {error}.", "Fetch or write the file again.")


def _lines(file: BufferedReader, limit: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield (line number from 1, line); None stands for a line longer than `limit` bytes."""
    number = 0
    while line := file.readline(limit + 1):
        number += 1
        whole = len(line) <= limit or line.endswith(b"\n")
        if not whole:
            while (rest := file.readline(SKIP_BYTES)) and not rest.endswith(b"\n"):
                pass
        yield number, line if whole else None

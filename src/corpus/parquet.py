"""Passages from Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from src.core.errors import UserError
from src.corpus.base import BadRow
from src.corpus.files import FileReader, RawRow, find_files

BATCH_ROWS = 512


@dataclass(frozen=True)
class ParquetReader(FileReader):
    """One passage a row; only the columns that the mapping names are read."""

    def size_hint(self) -> int | None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return sum(pq.read_metadata(path).num_rows for path in find_files(self.files))
        except (pa.ArrowException, OSError):  # told when the file is read
            return None

    def field_names(self) -> Iterator[tuple[Path, list[str]]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for path in find_files(self.files):
            try:
                yield path, pq.read_schema(path).names
            except (pa.ArrowException, OSError):  # told when the file is read
                continue

    def rows(self, paths: Sequence[str]) -> Iterator[RawRow]:
        for path in find_files(self.files):
            for number, row in enumerate(_rows(path, paths), start=1):
                place = f"{path}, row {number}"
                yield RawRow(place, path.stem, BadRow(place, "invalid UTF-8") if row is None else row)


def _rows(path: Path, paths: Sequence[str]) -> Iterator[dict[str, Any] | None]:
    """Every row as a dictionary; None for one whose bytes are no UTF-8."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        columns = columns_of(path, paths, file.schema_arrow.names)
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            yield from _batch_rows(batch)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"'{path}' cannot be read as Parquet: {reason}.", "Fetch or write the file again.") from None


def _batch_rows(batch: Any) -> Iterator[dict[str, Any] | None]:
    try:
        yield from batch.to_pylist()
        return
    except UnicodeDecodeError:
        pass
    for position in range(batch.num_rows):  # one bad row must not cost its batch
        try:
            yield batch.slice(position, 1).to_pylist()[0]
        except UnicodeDecodeError:
            yield None


def columns_of(path: Path, wanted: Sequence[str], there: Sequence[str]) -> list[str]:
    """The columns that hold the wanted dotted paths: one whose own name holds the dot comes first, as in `lookup`.
    Raises UserError for a path that none holds."""
    found: dict[str, None] = {}
    for name in wanted:
        column = name if name in there else name.split(".")[0]
        if column not in there:
            near = get_close_matches(column, there, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            raise UserError(f"'{path}' has no column '{column}'.", f"{hint}It has: {', '.join(there)}")
        found[column] = None
    return list(found)

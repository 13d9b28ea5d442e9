"""The raw generations, cut into parts that fit in memory, and read so that no bad row is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from src.core.errors import UserError
from src.core.records import BATCH_ROWS, Generation, arrow_schema

ROWS = 16_384  # of a part: what a worker takes at a time, and what a kill costs at most
NO_UTF8, NO_TEXT = "invalid UTF-8", "a text is missing"
UNREADABLE = (NO_UTF8, NO_TEXT)
TEXT_COLUMNS = tuple(field.name for field in arrow_schema(Generation) if field.type == pa.string())


@dataclass(frozen=True)
class Part:
    """Some row groups of a shard, one after the other."""

    shard: Path
    groups: tuple[int, ...]
    rows: int


def parts_of(table: Path) -> list[Part]:
    """All parts of a table of generations, in order. Raises UserError for a shard that is no Parquet file, and for one
    that lacks a column or has it in another type."""
    shards = sorted(table.glob("*.parquet"))
    if not shards:
        raise UserError(f"No table in {table}: expected Parquet shards there.", "Was the folder moved or emptied?")
    return [part for shard in shards for part in _cut(shard)]


def _cut(shard: Path) -> Iterator[Part]:
    with _explained(shard):
        file = pq.ParquetFile(shard)
    _check_columns(shard, file.schema_arrow)
    groups: list[int] = []
    rows = 0
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if groups and rows + size > ROWS:
            yield Part(shard, tuple(groups), rows)
            groups, rows = [], 0
        groups.append(group)
        rows += size
    if rows:
        yield Part(shard, tuple(groups), rows)


def _check_columns(shard: Path, there: pa.Schema) -> None:
    for field in arrow_schema(Generation):
        if field.name not in there.names:
            raise UserError(
                f"{shard} lacks the column '{field.name}'; it has {', '.join(there.names)}.",
                "A table of generations has the columns of src.core.records.Generation.",
            )
        found = there.field(field.name).type
        text = field.type == pa.string()
        if not (_is_text(found) if text else pa.types.is_integer(found)):
            raise UserError(
                f"{shard}: the column '{field.name}' holds {found}, not {'text' if text else 'whole numbers'}.",
                "Write the shard again with the column's right type.",
            )


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)


def read_part(part: Part) -> Iterator[list[Generation]]:
    """The part's rows by batches. A row with a text that is not UTF-8, or is missing, comes with the finish reason that
    says so, one of `UNREADABLE`, the broken bytes shown as U+FFFD."""
    names = [field.name for field in arrow_schema(Generation)]
    with _explained(part.shard):
        for batch in pq.ParquetFile(part.shard).iter_batches(BATCH_ROWS, row_groups=list(part.groups), columns=names):
            columns, broken = [], dict[int, str]()
            for name, column in zip(names, batch.columns, strict=True):
                values = _texts(column, broken) if name in TEXT_COLUMNS else _numbers(column)
                columns.append(values)
            rows = [Generation(*values) for values in zip(*columns, strict=True)]
            for row, reason in broken.items():
                rows[row] = replace(rows[row], finish_reason=reason)
            yield rows


def _texts(column: pa.Array, broken: dict[int, str]) -> list[str]:
    try:
        values: list[Any] = column.to_pylist()
        if column.null_count == 0 and not pa.types.is_binary(column.type):
            return values
    except UnicodeDecodeError:
        values = []
    values = column.cast(pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()).to_pylist()
    return [_decoded(value, row, broken) for row, value in enumerate(values)]


def _decoded(value: bytes | None, row: int, broken: dict[int, str]) -> str:
    if value is None:
        broken[row] = NO_TEXT
        return ""
    try:
        return value.decode()
    except UnicodeDecodeError:
        broken[row] = NO_UTF8
        return value.decode("utf-8", "replace")


def _numbers(column: pa.Array) -> list[int]:
    return [value or 0 for value in column.to_pylist()]


class _explained:  # noqa: N801  reads as a word of a `with` line
    """Turns Arrow's errors about a damaged file into a `UserError` that names it."""

    def __init__(self, shard: Path):
        self.shard = shard

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, OSError)) and not isinstance(error, FileNotFoundError):
            raise UserError(
                f"{self.shard} is no readable Parquet file: {str(error).splitlines()[0]}",
                "Copy or make it again; nothing was left out silently.",
            ) from None

"""What flows between the stages: seven kinds of row, each named by a hash of its content.

Rows lie on disk as Parquet shards in one folder per table. Lineage is a join: an `Example` names its problem,
a `Problem` its prompt and passage, a `Prediction` its question.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from src.core.errors import UserError

SHARD_ROWS = 50_000
BATCH_ROWS = 2_048


def content_id(*parts: object) -> str:
    """A 20-digit hexadecimal name (80 bits: one clash expected at 10^12 rows) for the given parts, in order."""
    digest = hashlib.blake2b(digest_size=10)
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))  # so that ("ab", "c") and ("a", "bc") differ
        digest.update(data)
    return digest.hexdigest()


def seed_from(*parts: object) -> int:
    """A 31-bit seed that depends on the parts only: never on position, batch or process."""
    return int(content_id(*parts)[:8], 16) & 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of math text. `meta` holds strings only (url, title, licence, ...)."""

    id: str
    source: str
    text: str
    meta: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A passage dressed for one education stage. `kind` is "cot" (natural language) or "tool" (Python)."""

    id: str
    passage_id: str
    stage: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Generation:
    """What a generator wrote for a prompt, untouched. `tokens` counts the text alone."""

    id: str
    prompt_id: str
    passage_id: str
    stage: str
    kind: str
    text: str
    finish_reason: str
    tokens: int
    generator: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A generation, read: question, worked solution and final answer (None where none was found).

    One of kind "plain" is no text but symbols: the student reads the question, a line end and the solution.
    """

    id: str
    prompt_id: str
    passage_id: str
    stage: str
    kind: str
    question: str
    solution: str
    answer: str | None
    generator: str
    round: int


@dataclass(frozen=True, slots=True)
class Example:
    """One training row: the loss falls on `response`, never on `prompt`. `source` names its corpus."""

    id: str
    source: str
    prompt: str
    response: str


@dataclass(frozen=True, slots=True)
class Score:
    """What a selector thinks of a candidate: `value` for `target` ("overall" is what it ranks by)."""

    id: str
    target: str
    value: float


STUDENT, BASE = "student", "base"  # the models that an evaluation examines


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answers to one benchmark question. `verdict[i]` judges `samples[i]`, with `reasons[i]` saying why."""

    id: str
    model: str
    benchmark: str
    question_id: str
    stage: str
    prompt: str
    gold: str
    samples: list[str]
    extracted: list[str | None]
    verdict: list[bool]
    reasons: list[str]


Record = TypeVar("Record")

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def _arrow_type(annotation: Any) -> tuple[pa.DataType, bool]:
    """The Arrow type of an annotation, and whether it may be null. Dictionaries travel as JSON text."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return _arrow_type(next(a for a in args if a is not type(None)))[0], True
    if origin is list:
        item, nullable = _arrow_type(args[0])
        return pa.list_(pa.field("item", item, nullable=nullable)), False
    if origin is dict:
        return pa.string(), False
    return _ARROW[annotation], False


def arrow_schema(record: type) -> pa.Schema:
    """The declared schema of a record class, derived from its annotations."""
    hints = typing.get_type_hints(record)
    columns = ((f.name, *_arrow_type(hints[f.name])) for f in dataclasses.fields(record))
    return pa.schema([pa.field(name, kind, nullable=nullable) for name, kind, nullable in columns])


def _json_columns(record: type) -> set[str]:
    return {name for name, hint in typing.get_type_hints(record).items() if typing.get_origin(hint) is dict}


def write_table(folder: Path, record: type[Record], rows: Iterable[Record], shard_rows: int = SHARD_ROWS) -> int:
    """Write rows as Parquet shards `00000.parquet`, ... into `folder`, a batch at a time; return their number.

    The same rows in the same order give the same bytes.
    """
    return write_batches(folder, record, _batches(record, iter(rows)), shard_rows)


def write_batches(
    folder: Path, record: type[Record], batches: Iterable[pa.RecordBatch], shard_rows: int = SHARD_ROWS
) -> int:
    """As `write_table`, of rows that are Arrow batches already, in the schema of the record."""
    folder.mkdir(parents=True, exist_ok=True)
    schema, total = arrow_schema(record), 0
    with _Shard(folder, 0, schema) as shard:
        for batch in batches:
            while batch.num_rows:
                if total and total % shard_rows == 0:
                    shard.next()
                some = batch.slice(0, min(BATCH_ROWS, shard_rows - total % shard_rows))
                shard.writer.write_batch(some)
                total += some.num_rows
                batch = batch.slice(some.num_rows)
    return total


class _Shard:
    """The shard that is being written."""

    def __init__(self, folder: Path, number: int, schema: pa.Schema):
        self.folder, self.number, self.schema = folder, number, schema
        self.writer = self._open()

    def _open(self) -> pq.ParquetWriter:
        return pq.ParquetWriter(self.folder / f"{self.number:05d}.parquet", self.schema, compression="zstd")

    def next(self) -> None:
        self.writer.close()
        self.number += 1
        self.writer = self._open()

    def __enter__(self) -> _Shard:
        return self

    def __exit__(self, *exc: object) -> None:
        self.writer.close()


def _batches(record: type[Record], rows: Iterator[Record]) -> Iterator[pa.RecordBatch]:
    schema, as_json = arrow_schema(record), _json_columns(record)
    while some := list(islice(rows, BATCH_ROWS)):
        columns = ([getattr(row, name) for row in some] for name in schema.names)
        values = (
            [json.dumps(value, sort_keys=True) for value in column] if name in as_json else column
            for name, column in zip(schema.names, columns, strict=True)
        )
        arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
        yield pa.record_batch(arrays, schema=schema)


def _shards(folder: Path) -> list[Path]:
    shards = sorted(folder.glob("*.parquet"))
    if not shards:
        raise UserError(f"No table in {folder}: expected Parquet shards there.", "Was the folder moved or emptied?")
    return shards


def read_table(folder: Path, record: type[Record]) -> Iterator[Record]:
    """Yield the rows of a table in order, holding one batch in memory."""
    as_json = _json_columns(record)
    names = [f.name for f in dataclasses.fields(record)]  # type: ignore[arg-type]
    for shard in _shards(folder):
        for batch in pq.ParquetFile(shard).iter_batches(BATCH_ROWS, columns=names):
            columns = [
                [json.loads(v) for v in column] if name in as_json else column
                for name, column in zip(names, (c.to_pylist() for c in batch.columns), strict=True)
            ]
            yield from map(record, *columns)


def count_table(folder: Path) -> int:
    """The number of rows, from the shards' footers."""
    return sum(pq.read_metadata(shard).num_rows for shard in _shards(folder))

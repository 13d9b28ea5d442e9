"""Where a row comes from and where it went, read from the artifacts of a store: a join by ids, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from src.core.errors import UserError
from src.core.stage import Artifact
from src.text.minhash import Sketcher, jaccard
from src.text.normalise import question_key
from src.text.shingles import words_of

# Where an id is looked for: a stage's kind, one of its tables, what a row of it is called.
PLACES = (
    ("clean", "problems", "corpus row"),
    ("distil", "problems", "teacher's problem"),
    ("clean", "rejections", "rejected text"),
    ("generate", "generations", "raw text"),
    ("prompts", "prompts", "prompt"),
    ("corpus", "passages", "passage"),
    ("evaluate", "predictions", "prediction"),
)
SHOWN = 8  # of several rows that an id may mean

Row = dict[str, Any]


class Made(Artifact):
    """A finished artifact, whose rows are looked up by id."""

    @property
    def kind(self) -> str:
        return self.path.parent.name

    @property
    def label(self) -> str:
        return f"{self.kind} {self.path.name[:8]}"

    def rows(self, table: str, ids: Iterable[str], column: str = "id", most: int = SHOWN) -> list[Row]:
        """The rows of a table whose `column` is one of the ids."""
        wanted = sorted(set(ids))
        return self._rows(table, column, [(id, id) for id in wanted], pa.array(wanted, pa.string()), most)

    def starting(self, table: str, prefix: str, column: str = "id", most: int = SHOWN) -> list[Row]:
        """The rows whose `column` begins with the prefix."""
        return self._rows(table, column, [(prefix, prefix + "\U0010ffff")], prefix, most)

    def _rows(
        self, table: str, column: str, ranges: list[tuple[str, str]], wanted: pa.Array | str, most: int
    ) -> list[Row]:
        found: list[Row] = []
        for shard in sorted((self.path / table).glob("*.parquet")):
            file = pq.ParquetFile(shard)
            place = file.schema_arrow.names.index(column)
            for group in range(file.num_row_groups):
                if not _may_hold(file.metadata.row_group(group).column(place).statistics, ranges):
                    continue
                ids = file.read_row_group(group, columns=[column])[column].combine_chunks()
                hits = pc.starts_with(ids, wanted) if isinstance(wanted, str) else pc.is_in(ids, value_set=wanted)
                if pc.any(hits).as_py():
                    found += file.read_row_group(group).filter(hits).to_pylist()
                if len(found) >= most:
                    return found[:most]
        return found


def _may_hold(statistics: Any, ranges: list[tuple[str, str]]) -> bool:
    """Whether a row group's least and greatest value leave room for one that is looked for."""
    if statistics is None or not statistics.has_min_max:
        return True
    return any(low <= statistics.max and statistics.min <= high for low, high in ranges)


@dataclass(frozen=True)
class Found:
    """A row that an id means, and the artifacts that hold it (newest first)."""

    row: Row
    table: str
    what: str
    holders: list[Made]


class Lineage:
    """The artifacts of a store, and the ways between them. Raises UserError when there are none."""

    def __init__(self, store: Path):
        folders = [path.parent for path in sorted(store.glob("*/*/manifest.json"))]
        if not folders:
            raise UserError(f"No artifacts in {store}.", "Run something first, or say where: --outputs DIR")
        self.made = {made.path.name: made for made in map(Made, folders)}

    def of_kind(self, kind: str) -> list[Made]:
        """Newest first."""
        there = [made for made in self.made.values() if made.kind == kind]
        return sorted(there, key=lambda made: (str(made.manifest.get("started")), made.path.name), reverse=True)

    def input(self, made: Made, name: str) -> Made | None:
        """What fed an artifact under that name, if it is still there."""
        return self.made.get(made.manifest["inputs"].get(name, ""))

    def users(self, made: Made, kind: str) -> list[Made]:
        """The artifacts of a kind that were fed by this one."""
        return [other for other in self.of_kind(kind) if made.path.name in other.manifest["inputs"].values()]

    def find(self, prefix: str) -> Found:
        """The one row that the id, or the beginning of one, means. Raises UserError when none or several do."""
        if not prefix.strip():
            raise UserError("An empty id means every row.", "Give an id, or at least its first digits.")
        found: dict[str, Found] = {}
        for kind, table, what in PLACES:
            for made in self.of_kind(kind):
                for row in made.starting(table, prefix):
                    if row["id"] not in found:
                        found[row["id"]] = Found(row, table, what, [made])
                    elif found[row["id"]].table == table:
                        found[row["id"]].holders.append(made)
        if prefix in found:
            return found[prefix]
        if not found:
            raise UserError(
                f"No row has an id that begins with '{prefix}'.",
                "Ids are looked for in corpus rows, rejected and raw texts, teacher's problems, prompts, passages and "
                "predictions of the store.",
            )
        if len(found) > 1:
            listed = "\n".join(f"    {id}  {f.what} in {f.holders[0].label}" for id, f in sorted(found.items())[:SHOWN])
            more = "\n    ..." if len(found) > SHOWN else ""
            raise UserError(f"'{prefix}' begins several ids:\n{listed}{more}", "Give more of its digits.")
        return next(iter(found.values()))

    def nearest(self, corpus: Made, question: str, count: int = 5) -> list[tuple[float, Row]]:
        """The rows of a corpus whose questions share most runs of words with this one, most alike first."""
        wanted = _set(question)
        best: list[tuple[float, str, Row]] = []
        for row in _questions(corpus):
            alike = jaccard(wanted, row.pop("set"))
            if alike > 0:
                best = sorted([*best, (-alike, row["id"], row)], key=lambda item: item[:2])[:count]
        return [(-alike, row) for alike, _, row in best]


def _set(question: str) -> np.ndarray:
    hashes: np.ndarray = Sketcher(bands=1, rows=1).sketch(words_of([question_key(question)])).sets.hashes
    return hashes


def _questions(corpus: Made) -> Iterator[Row]:
    sketcher = Sketcher(bands=1, rows=1)
    for shard in sorted((corpus.path / "problems").glob("*.parquet")):
        for batch in pq.ParquetFile(shard).iter_batches(columns=["id", "question"]):
            ids, questions = (column.to_pylist() for column in batch.columns)
            sets = sketcher.sketch(words_of([question_key(question) for question in questions])).sets
            for n, (id, question) in enumerate(zip(ids, questions, strict=True)):
                yield {"id": id, "question": question, "set": sets.hashes[sets.offsets[n] : sets.offsets[n + 1]]}

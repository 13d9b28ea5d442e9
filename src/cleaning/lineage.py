"""Where a row comes from and where it went, read from the artifacts of a store: a join by ids, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from src.core.errors import UserError
from src.core.stage import Artifact
from src.core.store import MANIFEST, Store
from src.text.minhash import Sketcher, jaccard
from src.text.normalise import normalise
from src.text.shingles import words_of
from src.text.spelling import comparison_key


class Place(NamedTuple):
    """Where an id is looked for: a table, what a row of it is called, the id's column, the kind of stage that leaves
    it (None: any)."""

    table: str
    what: str
    column: str = "id"
    kind: str | None = None


PLACES = (
    Place("problems", "corpus row", kind="clean"),
    Place("problems", "teacher's problem", kind="distil"),
    Place("problems", "problem"),
    Place("rejections", "rejected text"),
    Place("generations", "raw text"),
    Place("prompts", "prompt"),
    Place("passages", "passage"),
    Place("predictions", "prediction"),
    Place("predictions", "benchmark question", "question_id"),
    Place("packs", "row that a student read"),  # of a fine-tuning set: a corpus row is found above
)
KEY_DIGITS = 8  # of an artifact's key in a log, and on a page
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

    def has(self, table: str) -> bool:
        """Whether it holds that table, and no copy of rows of another one."""
        return self.kind != "select" and (self.path / table).is_dir()

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
            with self.readable(shard):
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

    @contextmanager
    def readable(self, file: Path) -> Iterator[None]:
        """Name the file in a UserError, where it turns out to be damaged."""
        try:
            yield
        except (ValueError, OSError) as error:  # Arrow's errors are of both sorts
            why, _, _ = str(error).partition("\n")
            raise UserError(f"{file} is damaged: {why}", _again(self.path)) from None


def _may_hold(statistics: Any, ranges: list[tuple[str, str]]) -> bool:
    """Whether a row group's least and greatest value leave room for one that is looked for."""
    if statistics is None or not statistics.has_min_max:
        return True
    return any(low <= statistics.max and statistics.min <= high for low, high in ranges)


def _again(folder: Path) -> str:
    return f"Remove the artifact, and the command that made it makes it again: rm -r {folder}"


@dataclass(frozen=True)
class Found:
    """What an id means, and the artifacts that hold it (newest first), each with its own row.

    A corpus row is the same in all of them; a prediction is what another model answered to the same question.
    """

    id: str
    place: Place
    holders: list[tuple[Row, Made]]

    def add(self, row: Row, made: Made) -> None:
        if all(other.path != made.path or held["id"] != row["id"] for held, other in self.holders):
            self.holders.append((row, made))


class Lineage:
    """The artifacts of a store, and the ways between them. Raises UserError when there are none, or damaged ones."""

    def __init__(self, store: Path):
        there = (_made(Store(store), path.parent) for path in sorted(store.glob(f"*/*/{MANIFEST}")))
        self.made = {made.path.name: made for made in there}
        if not self.made:
            raise UserError(f"No artifacts in {store}.", "Run something first, or say where: outputs=DIR")

    def artifact(self, key: str) -> Made | None:
        """The artifact whose key is this, or begins with it: a log prints the first digits of each."""
        found = [made for name, made in self.made.items() if name.startswith(key)] if len(key) >= KEY_DIGITS else []
        return found[0] if len(found) == 1 else None

    def of_kind(self, kind: str) -> list[Made]:
        """Newest first."""
        return self._newest_first(made for made in self.made.values() if made.kind == kind)

    def with_table(self, table: str) -> list[Made]:
        """The artifacts of whatever kind that brought such a table into being, newest first: a selection's prompts
        are copies."""
        return self._newest_first(made for made in self.made.values() if made.has(table))

    def _newest_first(self, there: Iterable[Made]) -> list[Made]:
        return sorted(there, key=lambda made: (str(made.manifest.get("started")), made.path.name), reverse=True)

    def input(self, made: Made, name: str) -> Made | None:
        """What fed an artifact under that name, if it is still there."""
        return self.made.get(made.manifest["inputs"].get(name, ""))

    def users(self, made: Made, kind: str) -> list[Made]:
        """The artifacts of a kind that were fed by this one."""
        return [other for other in self.of_kind(kind) if made.path.name in other.manifest["inputs"].values()]

    def find(self, prefix: str) -> Found:
        """What the id, or the beginning of one, means. Raises UserError when that is nothing, or several things."""
        if not prefix.strip():
            raise UserError("An empty id means every row.", "Give an id, or at least its first digits.")
        found = self._found(prefix) or self._found(prefix.lower())
        if whole := found.get(prefix) or found.get(prefix.lower()):
            return whole
        if not found:
            raise UserError(
                f"No row has an id that begins with '{prefix}'.",
                "Ids are looked for in corpus rows, rejected and raw texts, teacher's problems, prompts, passages, "
                "predictions, benchmark questions and the rows that students read.",
            )
        if len(found) > 1:
            listed = "\n".join(
                f"    {id}  {f.place.what} in {f.holders[0][1].label}" for id, f in sorted(found.items())[:SHOWN]
            )
            more = "\n    ..." if len(found) > SHOWN else ""
            raise UserError(f"'{prefix}' begins several ids:\n{listed}{more}", "Give more of its digits.")
        return next(iter(found.values()))

    def _found(self, prefix: str) -> dict[str, Found]:
        """By id. An id that several places know is what the first of them says; a whole id hides longer ones."""
        found: dict[str, Found] = {}
        for place in PLACES:
            for made in self.with_table(place.table) if place.kind is None else self.of_kind(place.kind):
                rows = made.starting(place.table, prefix, place.column)
                if len(rows) == SHOWN:  # of questions that are merely numbered, the whole id may come later
                    rows = made.rows(place.table, [prefix], place.column) or rows
                for row in rows:
                    id = row[place.column]
                    if found.setdefault(id, Found(id, place, [])).place == place:
                        found[id].add(row, made)
        return found

    def nearest(self, corpus: Made, question: str, count: int = 5) -> list[tuple[float, Row]]:
        """The rows of a corpus whose questions share most runs of words with this one, most alike first."""
        wanted = _set(question)
        best: list[tuple[float, str, Row]] = []
        for row in _questions(corpus):
            alike = jaccard(wanted, row.pop("set"))
            if alike > 0:
                best = sorted([*best, (-alike, row["id"], row)], key=lambda item: item[:2])[:count]
        return [(-alike, row) for alike, _, row in best]


def _made(store: Store, folder: Path) -> Made:
    """The artifact of a folder. Raises UserError when its manifest is not one."""
    made = Made(folder)
    store.find(made.kind, folder.name)
    if not isinstance(made.manifest, dict) or not {"inputs", "counts"} <= made.manifest.keys():
        raise UserError(f"{folder / MANIFEST} is damaged: it has no inputs or no counts.", _again(folder))
    return made


def _set(question: str) -> np.ndarray:
    hashes: np.ndarray = Sketcher(bands=1, rows=1).sketch(words_of([comparison_key(normalise(question))])).sets.hashes
    return hashes


def _questions(corpus: Made) -> Iterator[Row]:
    sketcher = Sketcher(bands=1, rows=1)
    for shard in sorted((corpus.path / "problems").glob("*.parquet")):
        with corpus.readable(shard):
            for batch in pq.ParquetFile(shard).iter_batches(columns=["id", "question"]):
                ids, questions = (column.to_pylist() for column in batch.columns)
                sets = sketcher.sketch(words_of([comparison_key(normalise(question)) for question in questions])).sets
                for n, (id, question) in enumerate(zip(ids, questions, strict=True)):
                    yield {"id": id, "question": question, "set": sets.hashes[sets.offsets[n] : sets.offsets[n + 1]]}

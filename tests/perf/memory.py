"""How much memory do the parts need that see every row, and does it grow with the rows?

    python -m tests.perf.memory 1000000 10000000
    python -m tests.perf.memory 10000000 --only duplicates sort

Each part and size runs in a process of its own, which says its peak memory; another has made its input before. The rows
are made up and have the length of real ones; of them 5 % are near-duplicates, and of the corpus's passages half are
drawn.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from src.cleaning.corpus import OpenRows
from src.cleaning.duplicates import Duplicates, Fates
from src.cleaning.features import Features, Shelf
from src.cleaning.sieve import OPEN
from src.cleaning.verification import Verification, Votes
from src.core.journal import Journal
from src.core.records import Passage, content_id
from src.core.stage import StageContext
from src.corpus.base import Reader, passage
from src.generation.base import Completion, Generator, Request, Session
from src.stages.corpus import Corpus
from src.stages.sorting import in_order
from src.stages.verifying import verify
from src.text.minhash import Sketcher
from tests.perf.measure import apart, peak_mib

PART_ROWS = 16_384
TEXT = "Add the numbers of each column, from the right to the left, and carry what is more than nine. " * 10
RUNS = 40  # runs of three words in a question
SAMPLES = 4  # votes a row: `rows` are the texts that are voted with

Figures = tuple[float, float]  # peak memory in MiB, seconds


@dataclass(frozen=True)
class Part:
    """`make` writes the input of so many rows into a folder; `work` does what is measured."""

    name: str
    what: str
    make: Callable[[int, Path], None]
    work: Callable[[int, Path], None]


def nothing(rows: int, folder: Path) -> None:
    """No input, or no work: what the program itself takes."""


def sort(rows: int, folder: Path) -> None:
    """The ids come in no order, as answers do."""
    texts = ((content_id(n), {"text": TEXT, "n": n}) for n in range(rows))
    assert sum(1 for _ in in_order(texts, folder / "runs", 20_000)) == rows


def make_journal(rows: int, folder: Path) -> None:
    with Journal(folder) as journal:
        for n in range(rows):
            journal.append(content_id(n), {"text": TEXT})


def read_ids(rows: int, folder: Path) -> None:
    with Journal(folder) as journal:
        done = journal.ids()
    assert len(done) == rows and content_id(rows - 1) in done and content_id(-1) not in done


def make_features(rows: int, folder: Path) -> None:
    """Questions of 40 runs of words; every twentieth shares 38 of them, and some bands, with the one before."""
    bands = Sketcher().bands
    for start in range(0, rows, PART_ROWS):
        n = min(PART_ROWS, rows - start)
        rng = np.random.default_rng(start)
        numbers = rng.integers(1, 2**63, (n, 4 + bands), dtype=np.uint64)
        sets = np.sort(rng.integers(0, 2**32, (n, RUNS), dtype=np.uint32), axis=1)
        again = np.arange(20, n, 20)
        sets[again, :-2] = sets[again - 1, :-2]
        sets.sort(axis=1)
        numbers[again, 4:12] = numbers[again - 1, 4:12]
        part = folder / f"{start:09d}"
        part.mkdir(parents=True)
        sizes, tool = np.full(n, RUNS, np.uint32), np.zeros(n, bool)
        columns = (*numbers[:, :4].T, np.zeros(n, np.uint64), numbers[:, 4:], sets.ravel(), sizes, tool)
        Features(*columns).save(part)


def judge(rows: int, folder: Path) -> None:
    fates = Duplicates(near=0.8, same_numbers=False).judge(Shelf(sorted(folder.glob("0*")), folder))
    assert 0.94 < (fates.fate == 0).mean() < 0.96


def make_open_rows(rows: int, folder: Path) -> None:
    """Rows that got through the first pass, in the files that it leaves."""
    for start in range(0, rows // SAMPLES, PART_ROWS):
        count = min(PART_ROWS, rows // SAMPLES - start)
        measures = {"round": 0, "arithmetic": "unchecked", "level": 0, "grade": 0.0, "words": 50, "steps": 5}
        facts = {
            **measures,
            "passage_id": "p",
            "stage": "college",
            "kind": "cot",
            "question": TEXT[:300],
            "solution": TEXT,
        }
        row = {"prompt_id": "p", "answer": "9", "generator": "g", "topic": "algebra", "repairs": "", **facts}
        given = [
            {**row, "id": content_id(start + n), "generation_id": content_id("g", start + n)} for n in range(count)
        ]
        part = folder / f"{start:09d}"
        part.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(given, OPEN), part / "open.parquet", compression="lz4")


def vote(rows: int, folder: Path) -> None:
    """Half of the problems are solved otherwise."""
    ctx, total = _context(folder), rows // SAMPLES
    ids = np.arange(total, dtype=np.uint64)
    fates = Fates(np.zeros(total, np.uint8), np.full(total, -1), np.arange(total))
    open_rows = OpenRows(sorted(folder.glob("0*")), fates, ids, np.zeros(total, bool))
    verify(ctx, Verification(programs="skip", votes=Votes(Solver(), samples=SAMPLES)), open_rows, 1)
    assert 0.4 < open_rows.stays.mean() < 0.6


class Solver(Generator):
    """Writes a solution without thinking."""

    @property
    def name(self) -> str:
        return "solver"

    @contextmanager
    def open(self, model: str | None, cache: Path) -> Iterator[Session]:
        yield _Solving()


class _Solving(Session):
    def stream(self, requests: Any) -> Iterator[Completion]:
        request: Request
        for request in requests:
            answer = 9 if request.id < "8" else 10
            yield Completion(request.id, f"{TEXT} It is \\boxed{{{answer}}}.", "stop", 100, 200)


def draw(rows: int, folder: Path) -> None:
    ctx = _context(folder)
    Corpus(Texts(rows), limit=rows // 2).run(ctx)
    assert ctx.tally.kept == rows // 2


@dataclass(frozen=True)
class Texts(Reader):
    """So many different texts."""

    rows: int

    def read(self) -> Iterator[Passage]:
        for n in range(self.rows):
            yield passage("made", f"Text {n}. {TEXT}")

    def size_hint(self) -> int:
        return self.rows


PARTS = (
    Part("program", "the program alone, its libraries read", nothing, nothing),
    Part("sort", "texts put in order of their ids on disk", nothing, sort),
    Part("ids", "ids of a journal, to go on with", make_journal, read_ids),
    Part("duplicates", "near-duplicates from 0.8", make_features, judge),
    Part("votes", f"votes of {SAMPLES} solutions for each problem, all asked", make_open_rows, vote),
    Part("draw", "half of a corpus's passages drawn (`corpus.limit`)", nothing, draw),
)


def measure(part: Part, rows: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="memory-") as scratch:
        folder = Path(scratch)
        apart(part.make, rows, folder)
        return apart(_measured, part.work, rows, folder)


def _measured(work: Callable[[int, Path], None], rows: int, folder: Path) -> Figures:
    started = time.monotonic()
    work(rows, folder)
    return peak_mib(), time.monotonic() - started


def _context(folder: Path) -> StageContext:
    for name in ("out", "work", "cache"):
        (folder / name).mkdir()
    return StageContext(folder / "out", folder / "work", {}, folder / "cache")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.memory", description=__doc__.split("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[1_000_000], help="how many rows")
    names = [part.name for part in PARTS]
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="part", help=f"of {', '.join(names)}"
    )
    arguments = parser.parse_args()
    print("| part | rows | peak MiB | seconds |\n|---|---:|---:|---:|", flush=True)
    for part in PARTS:
        for rows in arguments.sizes if part.name in arguments.only else ():
            memory, seconds = measure(part, rows)
            print(f"| {part.what} | {rows:,} | {memory:,.0f} | {seconds:,.0f} |", flush=True)


if __name__ == "__main__":
    main()

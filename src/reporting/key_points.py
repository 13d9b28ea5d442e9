"""What key-point-driven synthesis left: which topics occur together, how questions were rated, how solutions agree, and
one problem from its seed to the corpus."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from src.core.records import Problem, content_id, read_table
from src.keypoints.cooccurrence import MANY_KEY_POINTS
from src.keypoints.records import Composition, Practice, Rating
from src.reporting.collect import JobRecord, Manifest, json_lines
from src.reporting.corpus import CorpusPart
from src.reporting.plots import Plot, histogram
from src.reporting.table import Cell, Column, Table
from src.reporting.text import number, percent

MOST_TOPICS = 12  # of the map: those with the most problems
MOST_MERGED = 12
READ_AT_MOST = 50_000  # rows of a table, in search of a sample

Row = TypeVar("Row")


@dataclass(frozen=True)
class FunnelStep:
    """What one stage made of the sample."""

    title: str
    text: str
    source: Manifest


@dataclass(frozen=True)
class KeyPointReport:
    """All of it is empty for a job without topics."""

    parts: tuple[CorpusPart, ...] = ()
    plots: tuple[Plot, ...] = ()
    sample: tuple[FunnelStep, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts or self.plots)


def key_points(job: JobRecord) -> KeyPointReport:
    """Read what the stages say of themselves; what is not there is left out."""
    topics, rating, consensus = (job.manifest(kind) for kind in ("topics", "rating", "consensus"))
    parts = [_together(topics), _merged(topics)] if topics else []
    plots = [_ratings(rating) if rating else None, _agreement(consensus) if consensus else None]
    return KeyPointReport(
        tuple(part for part in parts if part.table), tuple(plot for plot in plots if plot), tuple(_sample(job))
    )


def _together(topics: Manifest) -> CorpusPart:
    """The co-occurrence matrix of the largest topics, shaded by its values."""
    names = [row["topic"] for row in _json(topics.path / "topics.json") or []][:MOST_TOPICS]
    try:
        matrix = np.load(topics.path / "cooccurrence.npy")[: len(names), : len(names)]
    except (OSError, ValueError):
        matrix = np.zeros((0, 0))
    most = matrix.max(initial=0.0)
    rows = [
        (Cell(f"{n}. {name}"), *(_shaded(value, most, topics) for value in row))
        for n, (name, row) in enumerate(zip(names, matrix.tolist()), start=1)
    ]
    columns = Column("Topic", numeric=False), *(Column(str(n)) for n in range(1, len(names) + 1))
    many = number(topics.config.get("many", MANY_KEY_POINTS))
    note = (
        f"Problems that have both topics, as log10(n + 1); on the diagonal those with more than {many} key points of "
        "the one topic. Topics are drawn in proportion to these values."
    )
    return CorpusPart("Topics that occur together", Table(columns, tuple(rows), note), map=True)


def _shaded(value: float, most: float, topics: Manifest) -> Cell:
    return Cell(f"{value:.2f}", "", (topics,), "" if value else "quiet", value / most if most else 0.0)


def _merged(topics: Manifest) -> CorpusPart:
    """The topics that were least alike of those that became one: these are worth a person's look."""
    found = list(json_lines(topics.path / "merged.jsonl"))
    rows = [
        (Cell(each["topic"]), Cell(each["into"]), Cell(f"{each['similarity']:.3f}", sources=(topics,)))
        for each in found[:MOST_MERGED]
    ]
    columns = Column("Topic", numeric=False), Column("Became", numeric=False), Column("Cosine")
    note = f"The least alike of {number(len(found))} that were merged; all are in the stage's merged.jsonl."
    return CorpusPart("Merged topics", Table(columns, tuple(rows), note))


def _ratings(rating: Manifest) -> Plot | None:
    found = _json(rating.path / "ratings.json")
    if not found or not sum(found["questions"]):
        return None
    rated = sum(found["questions"])  # the calls may not have sufficed for all
    caption = f"Of {number(rated)} questions; {percent(rating.counts.kept / rated)} % stay."
    return histogram("ratings", "Ratings", caption, found["edges"], found["questions"], "score", "questions", rating)


def _agreement(consensus: Manifest) -> Plot | None:
    found = _json(consensus.path / "agreement.json")
    if not found:
        return None
    most = max(map(int, found))
    counts = [found.get(str(votes), 0) for votes in range(most + 1)]
    edges = [votes - 0.5 for votes in range(most + 2)]
    metrics = consensus.metrics
    kept = metrics.get("questions_kept", 0) / max(1, metrics.get("questions", 0))
    caption = f"Solutions of a question that agree, those with wrong arithmetic left out; {percent(kept)} % stay."
    return histogram("agreement", "Agreement", caption, edges, counts, "solutions that agree", "questions", consensus)


def _sample(job: JobRecord) -> list[FunnelStep]:
    """The problem of the corpus with the lowest id that can be followed back to its seeds."""
    kinds = ("clean", "compositions", "topics", "seeds", "rating")
    clean, compositions, topics, seeds, rating = (job.manifest(kind) for kind in kinds)
    if clean is None or compositions is None or topics is None or seeds is None:
        return []
    if (problem := next(iter(_rows(clean, "problems", Problem)), None)) is None:
        return []
    drawn = _rows(compositions, "compositions", Composition)
    if (found := next((each for each in drawn if each.id == problem.prompt_id), None)) is None:
        return []
    practices = {p.id: p for p in _rows(topics, "practices", Practice) if p.id in found.practices}
    wanted = {practice.problem_id for practice in practices.values()}
    asked = {p.id: p.question for p in _rows(seeds, "problems", Problem) if p.id in wanted}
    steps = [
        FunnelStep(
            f"Seed {n}: {p.topic}",
            "\n\n".join([asked.get(p.problem_id, ""), *(f"- {k}" for k in p.key_points)]),
            topics,
        )
        for n, p in enumerate((practices[id] for id in found.practices if id in practices), start=1)
    ]
    steps.append(FunnelStep("New question", problem.question, compositions))
    if rating is not None and (scores := _scores(rating, problem)):
        steps.append(FunnelStep("Rating", scores, rating))
    return [*steps, FunnelStep("Solution that most agree on", problem.solution, clean)]


def _scores(rating: Manifest, problem: Problem) -> str:
    question = content_id("question", problem.prompt_id, problem.question)
    found = [r for r in _rows(rating, "ratings", Rating) if r.question_id == question]
    return "\n".join(f"Key points {r.key_points:.2f}, soundness {r.soundness:.2f}" for r in found)


def _rows(manifest: Manifest, table: str, record: type[Row]) -> Iterable[Row]:
    there = any((manifest.path / table).glob("*.parquet"))
    return islice(read_table(manifest.path / table, record), READ_AT_MOST) if there else ()


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None

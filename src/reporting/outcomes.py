"""Which questions each model solved: the rows from which studies are compared, question by question.

An arm's scores are one array a benchmark, of shape (seeds, questions): the share of a question's samples that were
judged right. Only questions that every compared job was asked are used, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from src.core.intervals import Estimate, accuracy_over_seeds, paired_difference
from src.core.records import BASE, STUDENT
from src.reporting.collect import Arm, JobRecord

Scores = dict[tuple[str, str], dict[str, float]]  # (model, benchmark) -> question id -> share of samples right


@dataclass(frozen=True)
class Comparison:
    """Two arms (or a student and its base) on the questions and seeds they share."""

    ours: Estimate
    theirs: Estimate
    difference: Estimate
    benchmarks: tuple[str, ...]
    trained_apart: bool = False  # two models of separate trainings


def job_scores(job: JobRecord) -> Scores:
    """A job's scores; empty when it was not evaluated or the predictions are gone."""
    manifest = job.manifest("evaluate")
    return _read_scores(manifest.path / "predictions") if manifest else {}


@lru_cache(maxsize=64)
def _read_scores(folder: Path) -> Scores:
    scores: Scores = {}
    for shard in sorted(folder.glob("*.parquet")):
        # not pq.read_table: that loads pyarrow.dataset and with it pandas, half a second
        table = pq.ParquetFile(shard).read(["model", "benchmark", "question_id", "verdict"])
        for model, benchmark, question, verdict in zip(*(column.to_pylist() for column in table.columns)):
            scores.setdefault((model, benchmark), {})[question] = sum(verdict) / len(verdict) if verdict else 0.0
    return scores


def _stages(job: JobRecord) -> dict[tuple[str, str], str]:
    """(benchmark, question id) -> education stage."""
    manifest = job.manifest("evaluate")
    return _read_stages(manifest.path / "predictions") if manifest else {}


@lru_cache(maxsize=8)
def _read_stages(folder: Path) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for shard in sorted(folder.glob("*.parquet")):
        table = pq.ParquetFile(shard).read(["benchmark", "question_id", "stage"])
        rows = zip(*(column.to_pylist() for column in table.columns))
        found |= {(benchmark, question): stage for benchmark, question, stage in rows}
    return found


def benchmarks(jobs: Sequence[JobRecord]) -> tuple[str, ...]:
    """The benchmarks that occur, in the order in which the first job reports them."""
    return tuple(dict.fromkeys(row.benchmark for job in jobs for row in job.accuracies if row.group == "all"))


def primary(jobs: Sequence[JobRecord]) -> tuple[str, ...]:
    """The benchmarks of what the study set out to teach, by its option `primary`; all, where it names none that occur.
    What a study claims, it claims of these."""
    named = {name for job in jobs for name in job.config.get("primary") or ()}
    names = benchmarks(jobs)
    return tuple(name for name in names if name in named) or names


def compared(jobs: Sequence[JobRecord]) -> tuple[str, ...]:
    """Of the primary benchmarks those that every examined job was asked, for arms are compared on the same questions;
    all of them, where there is none such."""
    asked = [set(found) for job in jobs if (found := benchmarks([job]))]
    return tuple(name for name in primary(jobs) if all(name in each for each in asked)) or primary(jobs)


def transfer(jobs: Sequence[JobRecord]) -> tuple[str, ...]:
    """The other benchmarks: what nobody taught."""
    return tuple(name for name in benchmarks(jobs) if name not in primary(jobs))


def strata(
    pairs: Sequence[tuple[JobRecord, str]], names: Sequence[str], stage: str | None = None
) -> list[list[np.ndarray]] | None:
    """For each (job, model): a row of scores a benchmark, all over the same questions. None if there are none.

    stage: only questions of that education stage.
    """
    scores = [(job_scores(job), model) for job, model in pairs]
    result: list[list[np.ndarray]] = [[] for _ in pairs]
    for name in names:
        asked = [score.get((model, name), {}) for score, model in scores]
        common = sorted(set.intersection(*(set(a) for a in asked))) if asked else []
        if stage is not None:
            of = _stages(pairs[0][0])
            common = [question for question in common if of.get((name, question)) == stage]
        if not common:
            return None
        for row, answers in zip(result, asked, strict=True):
            row.append(np.array([answers[q] for q in common]))
    return result if names else None


def stacked(groups: Sequence[Sequence[tuple[JobRecord, str]]], names: Sequence[str]) -> list[list[np.ndarray]] | None:
    """For each group of (job, model): one array a benchmark, (jobs, questions), over the questions all were asked."""
    rows = strata([pair for group in groups for pair in group], names)
    if rows is None:
        return None
    edges = np.cumsum([0, *map(len, groups)])
    return [_stack(rows[start:end]) for start, end in pairwise(edges)]


def arm_accuracy(arm: Arm, names: Sequence[str], model: str = STUDENT, stage: str | None = None) -> Estimate | None:
    """An arm's mean accuracy over its seeds and the named benchmarks."""
    rows = strata([(job, model) for job in arm.complete], names, stage) if arm.complete else None
    return accuracy_over_seeds(_stack(rows)) if rows else None


def against_base(jobs: Sequence[JobRecord], names: Sequence[str]) -> Comparison | None:
    """The student beside the model that its training started from, question by question."""
    return _compare([(job, STUDENT) for job in jobs], [(job, BASE) for job in jobs], names)


def against_arm(ours: Arm, theirs: Arm, names: Sequence[str], stage: str | None = None) -> Comparison | None:
    """Two arms on the seeds that both completed; None when they share none. Arms that ask the same students, and differ
    in how, were not trained apart."""
    by_seed = {job.seed: job for job in theirs.complete}
    pairs = [(job, by_seed[job.seed]) for job in ours.complete if job.seed in by_seed]
    mine, other = [(a, STUDENT) for a, _ in pairs], [(b, STUDENT) for _, b in pairs]
    return _compare(mine, other, names, stage, trained_apart=not all(_same_student(a, b) for a, b in pairs))


def _same_student(ours: JobRecord, theirs: JobRecord) -> bool:
    """One training, or, in a graph without any, one model that was there already."""
    return (mine := _student(ours)) is not None and mine == _student(theirs)


def _student(job: JobRecord) -> Any:
    """What tells the student of a job from others; None where nothing does."""
    if (trained := job.manifest("pretrain")) is not None:
        return trained.key
    if (examined := job.manifest("evaluate")) is None:
        return None
    return {name: examined.config.get(name) for name in ("model", "engine")}


def _compare(
    ours: Sequence[tuple[JobRecord, str]],
    theirs: Sequence[tuple[JobRecord, str]],
    names: Sequence[str],
    stage: str | None = None,
    trained_apart: bool = False,
) -> Comparison | None:
    rows = strata([*ours, *theirs], names, stage) if ours else None
    if not rows:
        return None
    mine, other = _stack(rows[: len(ours)]), _stack(rows[len(ours) :])
    difference = paired_difference(mine, other, trained_apart)
    return Comparison(accuracy_over_seeds(mine), accuracy_over_seeds(other), difference, tuple(names), trained_apart)


def _stack(rows: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    return [np.stack(column) for column in zip(*rows, strict=True)]

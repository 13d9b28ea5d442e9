"""Problems to read: what the teacher and the synthesizer wrote at each education stage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from src.core.records import Problem, read_table
from src.reporting.collect import Job, Manifest
from src.reporting.tables import stage_rank

READ_AT_MOST = 20_000  # rows of a table: enough to choose from, whatever the corpus' size


@dataclass(frozen=True)
class Sample:
    """One stage's pair. Either side may be missing: a stage that was switched off, a writer that failed at it."""

    stage: str
    teacher: Problem | None
    synthesizer: Problem | None
    teacher_source: Manifest | None
    synthesizer_source: Manifest | None


def samples(job: Job) -> list[Sample]:
    """One problem a stage and writer: of those read, the one whose id sorts first, which is as good as drawn by lot."""
    teacher, first = _by_stage(job, ("distil_1", "distil_2"))
    synthesizer, second = _by_stage(job, ("clean",))
    return [
        Sample(stage, teacher.get(stage), synthesizer.get(stage), first, second)
        for stage in sorted(teacher.keys() | synthesizer.keys(), key=stage_rank)
    ]


def _by_stage(job: Job, nodes: tuple[str, ...]) -> tuple[dict[str, Problem], Manifest | None]:
    """From the first of the nodes that is there."""
    for node in nodes:
        manifest = job.manifest(node)
        if manifest and any((manifest.path / "problems").glob("*.parquet")):
            chosen: dict[str, Problem] = {}
            for problem in _head(manifest):
                best = chosen.get(problem.stage)
                if best is None or problem.id < best.id:
                    chosen[problem.stage] = problem
            return chosen, manifest
    return {}, None


def _head(manifest: Manifest) -> Iterator[Problem]:
    for count, problem in enumerate(read_table(manifest.path / "problems", Problem)):
        if count == READ_AT_MOST:
            return
        yield problem


def scores(manifest: Manifest) -> list[float]:
    """The overall scores that a selector gave; empty when it gives none."""
    folder = manifest.path / "scores"
    values: list[float] = []
    for shard in sorted(folder.glob("*.parquet")):
        table = pq.read_table(shard, columns=["target", "value"], filters=[("target", "=", "overall")])
        values += table.column("value").to_pylist()
        if len(values) >= READ_AT_MOST:
            break
    return values


def fidelity(manifest: Manifest) -> dict[str, Any]:
    """What the selection checked of itself (`fidelity.json`); empty when it did not."""
    path = manifest.path / "fidelity.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

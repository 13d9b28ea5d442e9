"""Problems to read: what the teacher and the synthesizer wrote at each education stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from src.core.records import Passage, Problem, read_table
from src.reporting.collect import JobRecord, Manifest
from src.reporting.tables import stage_rank

READ_AT_MOST = 20_000  # rows of a table: enough to choose from, whatever the corpus' size


@dataclass(frozen=True)
class Sample:
    """One stage's pair. Either side may be missing: a stage that was switched off, a writer that failed at it.

    `passage` is the text that both were written from, or empty when they are about different ones.
    """

    stage: str
    teacher: Problem | None
    synthesizer: Problem | None
    teacher_source: Manifest | None
    synthesizer_source: Manifest | None
    passage: str = ""


def samples(job: JobRecord) -> list[Sample]:
    """One problem a stage and writer, about the same passage where there is one.

    Of those that qualify it is the one whose id sorts first: as good as drawn by lot, and the same every time.
    """
    teacher, first = _by_stage(job.manifests("distil"))
    corpus = [manifest] if (manifest := job.manifest("clean")) and job.manifest("generate") else []
    synthesizer, second = _by_stage(corpus)
    pairs = {
        stage: _pair(teacher.get(stage, {}), synthesizer.get(stage, {}))
        for stage in sorted(teacher.keys() | synthesizer.keys(), key=stage_rank)
    }
    shared = {a.passage_id for a, b in pairs.values() if a and b and a.passage_id == b.passage_id}
    texts = _passages(job, shared)
    return [
        Sample(
            stage, a, b, first, second, texts.get(a.passage_id, "") if a and b and a.passage_id == b.passage_id else ""
        )
        for stage, (a, b) in pairs.items()
    ]


ByPassage = dict[str, Problem]


def _pair(teacher: ByPassage, synthesizer: ByPassage) -> tuple[Problem | None, Problem | None]:
    common = [synthesizer[passage] for passage in teacher.keys() & synthesizer.keys()]
    if common:
        chosen = min(common, key=_id)
        return teacher[chosen.passage_id], chosen
    return min(teacher.values(), key=_id, default=None), min(synthesizer.values(), key=_id, default=None)


def _id(problem: Problem) -> str:
    return problem.id


def _by_stage(found: Sequence[Manifest]) -> tuple[dict[str, ByPassage], Manifest | None]:
    """Stage -> passage -> problem, from the first of the artifacts that has problems."""
    for manifest in found:
        if _has(manifest, "problems"):
            by_stage: dict[str, ByPassage] = {}
            for problem in islice(read_table(manifest.path / "problems", Problem), READ_AT_MOST):
                of_stage = by_stage.setdefault(problem.stage, {})
                of_stage[problem.passage_id] = min(problem, of_stage.get(problem.passage_id, problem), key=_id)
            return by_stage, manifest
    return {}, None


def _passages(job: JobRecord, wanted: set[str]) -> dict[str, str]:
    manifest = job.manifest("corpus")
    if not wanted or manifest is None or not _has(manifest, "passages"):
        return {}
    rows = islice(read_table(manifest.path / "passages", Passage), READ_AT_MOST)
    return {passage.id: passage.text for passage in rows if passage.id in wanted}


def _has(manifest: Manifest, table: str) -> bool:
    return any((manifest.path / table).glob("*.parquet"))

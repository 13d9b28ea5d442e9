"""What a cleaned corpus holds, from the clean stage's `coverage.json`, `stage_fit.json` and manifest: where it is thick
and thin, how its stages read, whose answers were checked, and what was left out."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from src.reporting.collect import Arm, Manifest, Study, json_lines
from src.reporting.table import EMPTY, EMPTY_TABLE, Cell, Column, Table, sources
from src.reporting.tables import stage_rank
from src.reporting.text import RANGE, number, percent, words

MOST_SOURCES = 8  # rows of a map; what is smaller stands together
MOST_FAMILIES = 8  # of a benchmark, shown one by one: the largest
OTHERS = "other sources"
VERDICTS = {
    "program": "its program prints it",
    "twin": "a program for the same question prints it",
    "votes": "other solutions agree on it",
    "arithmetic": "no step's arithmetic is wrong",
    "unchecked": "nothing to check",
    "wrong arithmetic": "a step's arithmetic is wrong",
    "wrong": "a check says otherwise",
}

Counts = Counter[tuple[str, str]]  # by name (of a source, of a topic) and stage


@dataclass(frozen=True)
class CorpusPart:
    """A table of the section, with its heading."""

    title: str
    table: Table
    map: bool = False  # shaded by value


@dataclass(frozen=True)
class CorpusSummary:
    """`parts` in the order of reading, `short` ones to stand beside each other, `each` source by itself; all of them
    empty for an artifact that says nothing of what it holds."""

    parts: tuple[CorpusPart, ...] = ()
    short: tuple[CorpusPart, ...] = ()
    each: tuple[CorpusPart, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts or self.short)


@dataclass(frozen=True)
class _Cell:
    source: str
    stage: str
    topic: str
    rows: int
    verified: int


def corpus(manifest: Manifest | None) -> CorpusSummary:
    """Read the corpus's own account; what is not there, or not in the known form, is left out."""
    if manifest is None:
        return CorpusSummary()
    cells = _with_others(_cells(manifest))
    by_source, by_topic, verified = Counts(), Counts(), Counts()
    for cell in cells:
        by_source[cell.source, cell.stage] += cell.rows
        by_topic[cell.topic, cell.stage] += cell.rows
        verified[cell.source, cell.stage] += cell.verified
    parts = (
        CorpusPart("Problems by source and stage", _map("Source", by_source, manifest), map=True),
        CorpusPart("By topic and stage", _map("Topic", by_topic, manifest), map=True),
        CorpusPart("How the stages read", _stages(manifest)),
        CorpusPart("Verified answers, %", _shares("Source", verified, by_source, manifest), map=True),
    )
    short = (
        CorpusPart("Answers", _answers(manifest)),
        CorpusPart("Left out", _left_out(manifest)),
        CorpusPart("Benchmark questions with other numbers and names", _families(manifest)),
    )
    names = _ranked(by_source) if len({cell.source for cell in cells}) > 1 else []
    each = tuple(CorpusPart(words(name), _map("Topic", _topics_of(cells, name), manifest), map=True) for name in names)
    return CorpusSummary(tuple(p for p in parts if p.table), tuple(p for p in short if p.table), each)


def corpora(study: Study) -> Table:
    """Arm by arm, where the arms read different corpora: how much was kept, how right and how diverse it is."""
    found = [(arm, m) for arm in study.arms if (m := _of_arm(arm))]
    if len({m.key for _, m in found}) < 2:
        return EMPTY_TABLE
    rows = []
    for arm, manifest in found:
        at, counts, cells = (manifest,), manifest.counts, _cells(manifest)
        verified, steps_hold = (manifest.metrics.get(f"{name}_share") for name in ("verified", "arithmetic"))
        covered, topics = len({(c.source, c.stage, c.topic) for c in cells}), len({c.topic for c in cells})
        families = manifest.metrics.get("of_a_benchmark_family")
        repeated = sum(n for reason, n in counts.rejected.items() if "duplicate" in reason)
        rows.append(
            (
                Cell(arm.name),
                Cell(number(counts.kept), sources=at),
                Cell(percent(counts.kept / counts.entered) if counts.entered else "", sources=at),
                Cell(percent(verified), sources=at) if verified is not None else EMPTY,
                Cell(percent(steps_hold), sources=at) if steps_hold is not None else EMPTY,
                Cell(percent(repeated / counts.entered) if counts.entered else "", sources=at),
                Cell(number(int(families)), sources=at) if families is not None else EMPTY,
                Cell(number(topics), sources=at) if topics else EMPTY,
                Cell(number(covered), sources=at) if covered else EMPTY,
            )
        )
    columns = (
        Column("Arm", numeric=False),
        Column("Problems"),
        Column("Kept %", hint="of what was written"),
        Column("Verified %", hint="answers that a program, or other solutions, arrive at too"),
        Column(
            "Steps hold %", hint="problems kept for which no more than arithmetic can be checked, and all of it holds"
        ),
        Column("Repeated %", hint="of what was written: the same question, or nearly the same, was there already"),
        Column(
            "Exam families", hint="problems that ask a benchmark's question with other numbers and names; they stay"
        ),
        Column("Topics", hint="distinct ones, told by the questions' terms"),
        Column("Cells", hint="combinations of source, stage and topic that have a problem"),
    )
    return Table(columns, tuple(rows)).without_empty_columns()


def _of_arm(arm: Arm) -> Manifest | None:
    return next((m for job in arm.complete if (m := job.manifest("clean"))), None)


def _read(manifest: Manifest, name: str) -> Any:
    try:
        return json.loads((manifest.path / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _cells(manifest: Manifest) -> list[_Cell]:
    """The cells of `coverage.json`."""
    found = _read(manifest, "coverage.json")
    try:
        cells = [_Cell(*(row[name] for name in _Cell.__dataclass_fields__)) for row in found or ()]
    except (KeyError, TypeError):
        return []
    return cells if all(map(_in_known_form, cells)) else []


def _in_known_form(cell: _Cell) -> bool:
    names, counts = (cell.source, cell.stage, cell.topic), (cell.rows, cell.verified)
    return all(isinstance(name, str) for name in names) and all(isinstance(n, int) for n in counts)


def _with_others(cells: list[_Cell]) -> list[_Cell]:
    """The smallest sources of many under one name."""
    sizes = Counter[str]()
    for cell in cells:
        sizes[cell.source] += cell.rows
    if len(sizes) <= MOST_SOURCES:
        return cells
    shown = {name for name, _ in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[: MOST_SOURCES - 1]}
    return [cell if cell.source in shown else _Cell(OTHERS, *_rest(cell)) for cell in cells]


def _rest(cell: _Cell) -> tuple[str, str, int, int]:
    return cell.stage, cell.topic, cell.rows, cell.verified


def _topics_of(cells: Sequence[_Cell], source: str) -> Counts:
    counts = Counts()
    for cell in cells:
        counts[cell.topic, cell.stage] += cell.rows if cell.source == source else 0
    return counts


def _ranked(counts: Counts) -> list[str]:
    """The names, largest first."""
    sizes = Counter[str]()
    for (name, _), n in counts.items():
        sizes[name] += n
    return sorted(sizes, key=lambda name: (name == OTHERS, -sizes[name], name))


def _by_stage(counts: Counts) -> list[str]:
    return sorted({stage for _, stage in counts}, key=stage_rank)


def _map(title: str, counts: Counts, manifest: Manifest) -> Table:
    """How many problems each name has at each stage, with the sums at the edges."""
    names, stages = _ranked(counts), _by_stage(counts)
    most = max(counts.values(), default=0)
    rows = [
        (Cell(words(name)), *(_counted(counts[name, s], most, manifest) for s in stages), _sum(counts, manifest, name))
        for name in names
    ]
    if len(rows) > 1:
        sums = (_sum(counts, manifest, stage=stage) for stage in stages)
        rows.append((Cell("all"), *sums, _sum(counts, manifest)))
    return Table(_columns(title, stages), tuple(rows))


def _counted(n: int, most: int, manifest: Manifest) -> Cell:
    """Shaded by the square root, so that what is thin is told from what is missing."""
    return Cell(number(n), "", (manifest,), "" if n else "quiet", math.sqrt(n / most) if most else 0.0)


def _sum(counts: Counts, manifest: Manifest, name: str | None = None, stage: str | None = None) -> Cell:
    total = sum(n for (a, b), n in counts.items() if name in (None, a) and stage in (None, b))
    return Cell(number(total), sources=(manifest,))


def _shares(title: str, some: Counts, of: Counts, manifest: Manifest) -> Table:
    """What share of each cell's problems is among `some`; an empty table when none is."""
    if not some.total():
        return EMPTY_TABLE
    stages = _by_stage(of)

    def share(names: Sequence[str], of_stages: Sequence[str], shaded: bool) -> Cell:
        cells = [(name, stage) for name in names for stage in of_stages]
        part, whole = sum(some[cell] for cell in cells), sum(of[cell] for cell in cells)
        value = part / whole if whole else 0.0
        return Cell(percent(value), "", (manifest,), heat=value if shaded else None) if whole else EMPTY

    names = _ranked(of)
    rows = [
        (Cell(words(name)), *(share([name], [stage], True) for stage in stages), share([name], stages, False))
        for name in names
    ]
    if len(rows) > 1:
        rows.append((Cell("all"), *(share(names, [s], False) for s in stages), share(names, stages, False)))
    return Table(_columns(title, stages), tuple(rows))


def _columns(title: str, stages: Sequence[str]) -> tuple[Column, ...]:
    return Column(title, numeric=False), *(Column(words(stage)) for stage in stages), Column("all")


def _stages(manifest: Manifest) -> Table:
    """Length and difficulty: what the middle question of a stage is like, and the middle 80 %."""
    found, at = _read(manifest, "stage_fit.json"), (manifest,)
    if not isinstance(found, dict):
        return EMPTY_TABLE
    verified = {
        name.rpartition("/")[2]: n for name, n in manifest.metrics.items() if name.startswith("verified/stage/")
    }
    rows = []
    for stage in sorted(found, key=stage_rank):
        facts = found[stage]
        try:
            rows.append(
                (
                    Cell(words(stage)),
                    Cell(number(facts["rows"]), sources=at),
                    _spread(facts["words"], 0, manifest),
                    _spread(facts["steps"], 0, manifest),
                    _spread(facts["grade"], 1, manifest),
                    Cell(percent(facts["terms_fit"]), sources=at),
                    Cell(percent(verified[stage]), sources=at) if stage in verified else EMPTY,
                )
            )
        except (KeyError, TypeError):
            continue
    columns = (
        Column("Stage", numeric=False),
        Column("Problems"),
        Column("Words", hint="of a question"),
        Column("Steps", hint="lines of a solution"),
        Column("Reading grade", hint="of a question: Automated Readability Index, in US school grades"),
        Column("Terms fit %", hint="questions without a term from above their stage"),
        Column("Verified %", hint="answers that a program, or other solutions, arrive at too"),
    )
    note = (
        "The median, beside it where the middle 80 % lie. Formulas count as words, so the grade compares stages and "
        "does not place one problem."
    )
    return Table(columns, tuple(rows), note).without_empty_columns()


def _spread(quantiles: dict[str, float], digits: int, manifest: Manifest) -> Cell:
    low, middle, high = (f"{quantiles[name]:.{digits}f}" for name in ("p10", "p50", "p90"))
    return Cell(middle, f"{low}{RANGE}{high}", (manifest,))


def _answers(manifest: Manifest) -> Table:
    """What the checks came to, the surest first."""
    found = {name.removeprefix("verdict/"): n for name, n in manifest.metrics.items() if name.startswith("verdict/")}
    order = [*VERDICTS, *sorted(found.keys() - VERDICTS.keys())]
    total = sum(found.values())
    return _counts(
        "The answer", "Problems", [(VERDICTS.get(v, v), found[v]) for v in order if v in found], total, manifest
    )


def _left_out(manifest: Manifest) -> Table:
    left = Counter(manifest.counts.rejected) + Counter(manifest.counts.failed)
    ranked = sorted(left.items(), key=lambda item: (-item[1], item[0]))
    return _counts("Why", "Texts", ranked, manifest.counts.entered, manifest)


def _families(manifest: Manifest) -> Table:
    """By family key, that is by the benchmark's question that is asked with other numbers and names: how many problems.
    From `benchmark_families.jsonl`; an empty table where there are none."""
    try:
        rows = json_lines(manifest.path / "benchmark_families.jsonl")
        found = Counter((str(row["benchmark"]), str(row["question_id"])) for row in rows)
    except (OSError, ValueError, KeyError, TypeError):
        return EMPTY_TABLE
    table = []
    for benchmark in sorted({name for name, _ in found}):
        families = Counter({question: n for (name, question), n in found.items() if name == benchmark})
        counts = [(f"all {number(len(families))} that are met", families.total())]
        counts += sorted(families.items(), key=lambda item: (-item[1], item[0]))[:MOST_FAMILIES]
        table += [(Cell(words(benchmark)), Cell(name), Cell(number(n), sources=(manifest,))) for name, n in counts]
    columns = (Column("Benchmark", numeric=False), Column("Question", numeric=False), Column("Problems"))
    note = (
        f"The questions met most often one by one, {MOST_FAMILIES} of a benchmark at most. Such a problem is no "
        "repetition and stays; one that left later as a duplicate is counted too."
    )
    return Table(columns, tuple(table), note) if table else EMPTY_TABLE


def _counts(title: str, what: str, rows: Sequence[tuple[str, float]], total: float, manifest: Manifest) -> Table:
    at = sources([manifest])
    cells = [
        (Cell(name), Cell(number(n), sources=at), Cell(percent(n / total), sources=at)) for name, n in rows if total
    ]
    return Table((Column(title, numeric=False), Column(what), Column("%")), tuple(cells))

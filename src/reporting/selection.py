"""What the selector preferred (`samples.json` of the select stage), and whether its scores are to be believed
(`fidelity.json`)."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import pyarrow.parquet as pq

from src.reporting.collect import Manifest
from src.reporting.table import UNKNOWN, Cell, Column, Table
from src.reporting.tables import stage_rank
from src.reporting.text import MINUS, number, percent, points, words

MIDDLE = "in the middle"
READ_AT_MOST = 200_000  # scores: enough for a histogram
MOST_GROUPS = 12  # rows of a table, more than there are stages; what is smaller stands together
EXACT, CHECKPOINT = "exact scores, ", "checkpoint "  # how the names of what says that a score is right begin


@dataclass(frozen=True)
class Undefined(Cell):
    """A rank correlation that there is none of."""

    @property
    def trace(self) -> str:
        return f"none: fewer than three values, or all of one side are the same\n{super().trace}"


@dataclass(frozen=True)
class Shown:
    """A candidate to read, from an end of the ranking or its middle."""

    end: str  # "best" | "high" | MIDDLE | "low" | "worst"
    id: str  # of its prompt
    score: float
    selected: bool
    prompt: str
    response: str
    source: Manifest


@dataclass(frozen=True)
class Selection:
    """All of it may be empty: a selector without scores has nothing to show.

    values: scores of the candidates, of very many not all; candidates: how many have one.
    correlations: what the score goes with, and whether it is right. shares: how each group fared, and what has no
    score. samples: one of each part of the ranking; `further` are the others."""

    values: tuple[float, ...] = ()
    candidates: int = 0
    correlations: tuple[Table, ...] = ()
    shares: tuple[Table, ...] = ()
    samples: tuple[Shown, ...] = ()
    further: tuple[Shown, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.values or self.correlations or self.shares)


def selection(manifest: Manifest | None) -> Selection:
    """Read the selection's own account; parts that are not there, or not in the known form, are left out."""
    if manifest is None:
        return Selection()
    found = _read(manifest, "fidelity.json")
    goes_with, told = _correlations_in(found.get("spearman")), _correlations_in(found.get("agreement"))
    agreement = {name: value for name, value in told.items() if name.startswith((EXACT, CHECKPOINT))}
    pairs = {name if " with " in name else f"score with {name}": value for name, value in goes_with.items()}
    pairs |= {name.replace(", ", " with "): value for name, value in told.items() if name not in agreement}
    shares = [
        _shares(name, _mapping(groups), manifest)
        for name, groups in _mapping(found.get("selected")).items()
        if len(_mapping(groups)) > 1
    ]
    samples, further = _samples(manifest)
    values, candidates = _scores(manifest)
    return Selection(
        values=tuple(values),
        candidates=candidates,
        correlations=tuple(filter(None, (_pairs(pairs, manifest), _agreement(agreement, manifest)))),
        shares=tuple(filter(None, (*shares, _skipped(_mapping(found.get("skipped")), manifest)))),
        samples=samples,
        further=further,
    )


def _read(manifest: Manifest, name: str) -> dict[str, Any]:
    try:
        return _mapping(json.loads((manifest.path / name).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _correlations_in(found: object) -> dict[str, float | None]:
    return {name: value for name, value in _mapping(found).items() if value is None or isinstance(value, int | float)}


def _scores(manifest: Manifest) -> tuple[list[float], int]:
    """(scores, how many there are): the former from the first files only, where there are many."""
    values: list[float] = []
    candidates = 0
    for shard in sorted((manifest.path / "scores").glob("*.parquet")):
        file = pq.ParquetFile(shard)
        overall = [target == "overall" for target in file.read(["target"]).column("target").to_pylist()]
        candidates += sum(overall)
        if len(values) < READ_AT_MOST:
            values += compress(file.read(["value"]).column("value").to_pylist(), overall)
    return values, candidates


def _pairs(found: dict[str, float | None], manifest: Manifest) -> Table:
    rows = tuple((Cell(words(name)), _spearman(value, "+z.2f", manifest)) for name, value in found.items())
    columns = (Column("Rank correlation of", numeric=False), Column("Spearman", hint="over the candidates"))
    note = "A score that merely follows the length or the loss of a text would be a poor reason to choose it."
    return Table(columns, rows, note)


def _agreement(found: dict[str, float | None], manifest: Manifest) -> Table:
    """How far the scores agree with better ones, and each checkpoint's with all of them together."""
    measured = manifest.metrics.get("scored_exactly")
    few = UNKNOWN if measured is None else Cell(number(measured), sources=(manifest,))
    rows = []
    for name, value in found.items():
        exact = name.startswith(EXACT)
        pair = f"exact with {name.removeprefix(EXACT)}" if exact else f"all with {name}"
        rows.append((Cell(pair), _spearman(value, "z.3f", manifest), few if exact else Cell("all")))
    columns = (
        Column("Agreement of scores", numeric=False),
        Column("Spearman", hint="rank correlation; 1: the same order"),
        Column("n", hint="candidates"),
    )
    note = (
        "n: the candidates that were scored exactly, or all that have a score. Scores that disagree with the exact "
        "ones, or from seed to seed, owe much to their projection."
    )
    return Table(columns, tuple(rows), note)


def _spearman(value: float | None, form: str, manifest: Manifest) -> Cell:
    if value is None or math.isnan(value):
        return Undefined(UNKNOWN.text, sources=(manifest,), tone=UNKNOWN.tone)
    return Cell(format(value, form).replace("-", MINUS), sources=(manifest,))


def _skipped(found: dict[str, Any], manifest: Manifest) -> Table:
    at = (manifest,)
    rows = tuple((Cell(reason), Cell(number(n), sources=at)) for reason, n in found.items() if isinstance(n, int))
    hint = "taken only where there are too few with one"
    return Table((Column("Without a score", numeric=False, hint=hint), Column("Candidates")), rows)


def _shares(name: str, groups: dict[str, Any], manifest: Manifest) -> Table:
    """How each group fared: its share of the pool, of the chosen, and the difference."""
    pool = sum(_count(group, "pool") for group in groups.values())
    chosen = sum(_count(group, "selected") for group in groups.values())
    rows = []
    for group, counts in _with_others(groups).items():
        before, after = _count(counts, "pool"), _count(counts, "selected")
        of_pool, of_chosen = before / pool if pool else 0.0, after / chosen if chosen else 0.0
        at = (manifest,)
        rows.append(
            (
                Cell(words(group)),
                Cell(percent(of_pool), number(before), at),
                Cell(percent(of_chosen), number(after), at),
                Cell(points(of_chosen - of_pool), sources=at) if chosen else UNKNOWN,
            )
        )
    columns = (
        Column(words(name).capitalize(), numeric=False),
        Column("Of the pool %"),
        Column("Of the chosen %"),
        Column("Shift", hint="percentage points"),
    )
    return Table(columns, tuple(rows))


def _with_others(groups: dict[str, Any]) -> dict[str, Any]:
    """The largest groups in their order; where there are many, the others as one that says how many they are."""
    ranked = sorted(groups, key=lambda name: (-_count(groups[name], "pool"), name))
    most = MOST_GROUPS if len(groups) <= MOST_GROUPS else MOST_GROUPS - 1
    shown = {name: groups[name] for name in sorted(ranked[:most], key=stage_rank)}
    others = [groups[name] for name in ranked[most:]]
    rest = {part: sum(_count(group, part) for group in others) for part in ("pool", "selected")}
    return shown | ({f"{len(others)} others": rest} if others else {})


def _count(group: object, name: str) -> int:
    value = _mapping(group).get(name)
    return value if isinstance(value, int) else 0


def _samples(manifest: Manifest) -> tuple[tuple[Shown, ...], tuple[Shown, ...]]:
    """(the best, the middle one and the worst; the others), in the order of the ranking."""
    found = _read(manifest, "samples.json")
    first, others = [], []
    for part, end, near in (("top", "best", "high"), ("middle", MIDDLE, MIDDLE), ("bottom", "worst", "low")):
        rows = found.get(part)
        shown = [_shown(near, row, manifest) for row in rows if _mapping(row)] if isinstance(rows, list) else []
        if shown:
            chosen = shown.pop({"top": 0, "bottom": -1}.get(part, len(shown) // 2))
            first.append(replace(chosen, end=end))
        others += shown
    return tuple(first), tuple(others)


def _shown(end: str, row: dict[str, Any], manifest: Manifest) -> Shown:
    score = row.get("score")
    return Shown(
        end,
        str(row.get("id", "")),
        float(score) if isinstance(score, int | float) else float("nan"),
        bool(row.get("selected")),
        re.sub(r"^## .*$", "", str(row.get("prompt", "")), flags=re.M),  # the format's own headings
        str(row.get("response", "")),
        manifest,
    )

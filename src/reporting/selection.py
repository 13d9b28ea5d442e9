"""What the selector preferred (`samples.json` of the select stage), and whether its scores are to be believed
(`fidelity.json`)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from src.reporting.collect import Manifest
from src.reporting.table import EMPTY_TABLE, UNKNOWN, Cell, Column, Table
from src.reporting.tables import stage_rank
from src.reporting.text import number, percent, points, words

READ_AT_MOST = 200_000  # scores: enough for a histogram


@dataclass(frozen=True)
class Shown:
    """A candidate to read: one end of the ranking or the other."""

    end: str  # "best" | "worst"
    score: float
    selected: bool
    prompt: str
    response: str


@dataclass(frozen=True)
class Selection:
    """All of it may be empty: a selector without scores has nothing to show."""

    values: tuple[float, ...] = ()
    correlations: Table = EMPTY_TABLE
    shares: tuple[Table, ...] = ()
    samples: tuple[Shown, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.values or self.correlations or self.shares)


def selection(manifest: Manifest | None) -> Selection:
    """Read the selection's own account; parts that are not there, or not in the known form, are left out."""
    if manifest is None:
        return Selection()
    found = _read(manifest, "fidelity.json")
    return Selection(
        values=tuple(_scores(manifest)),
        correlations=_correlations({**_mapping(found.get("spearman")), **_mapping(found.get("agreement"))}, manifest),
        shares=tuple(
            _shares(name, _mapping(groups), manifest)
            for name, groups in _mapping(found.get("selected")).items()
            if len(_mapping(groups)) > 1
        ),
        samples=tuple(_samples(_read(manifest, "samples.json"))),
    )


def _read(manifest: Manifest, name: str) -> dict[str, Any]:
    try:
        return _mapping(json.loads((manifest.path / name).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _scores(manifest: Manifest) -> list[float]:
    values: list[float] = []
    for shard in sorted((manifest.path / "scores").glob("*.parquet")):
        table = pq.ParquetFile(shard).read(["target", "value"])
        rows = zip(table.column("target").to_pylist(), table.column("value").to_pylist(), strict=True)
        values += [value for target, value in rows if target == "overall"]
        if len(values) >= READ_AT_MOST:
            break
    return values


def _correlations(found: dict[str, Any], manifest: Manifest) -> Table:
    rows = [
        (Cell(words(name)), Cell(f"{value:+.2f}".replace("-", "−"), sources=(manifest,)))
        for name, value in found.items()
        if isinstance(value, int | float)
    ]
    columns = (Column("Score against", numeric=False), Column("Spearman", hint="rank correlation over the candidates"))
    note = (
        "A score that merely follows the length or the loss of a text would be a poor reason to choose it; one that "
        "disagrees with the exact scores of a few candidates, or with other seeds, owes much to its projection."
    )
    return Table(columns, tuple(rows), note)


def _shares(name: str, groups: dict[str, Any], manifest: Manifest) -> Table:
    """How each group fared: its share of the pool, of the chosen, and the difference."""
    pool = sum(_count(group, "pool") for group in groups.values())
    chosen = sum(_count(group, "selected") for group in groups.values())
    rows = []
    for group in sorted(groups, key=stage_rank):
        before, after = _count(groups[group], "pool"), _count(groups[group], "selected")
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


def _count(group: object, name: str) -> int:
    value = _mapping(group).get(name)
    return value if isinstance(value, int) else 0


def _samples(found: dict[str, Any]) -> list[Shown]:
    """The best and the worst candidate."""
    ends = (("best", found.get("top") or [], 0), ("worst", found.get("bottom") or [], -1))
    shown = []
    for end, rows, index in ends:
        if row := _mapping(rows[index]) if isinstance(rows, list) and rows else {}:
            score = row.get("score")
            shown.append(
                Shown(
                    end,
                    float(score) if isinstance(score, int | float) else float("nan"),
                    bool(row.get("selected")),
                    re.sub(r"^## .*$", "", str(row.get("prompt", "")), flags=re.M),  # the format's own headings
                    str(row.get("response", "")),
                )
            )
    return shown

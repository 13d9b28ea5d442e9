"""The README.md of a corpus: what is in it, where it comes from, what was left out; `datasets` reads its head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from src.cleaning.gate import CHECKED

FAMILIES = "benchmark_families.jsonl"

HEAD = {
    "pretty_name": "Synthesised mathematics problems",
    "language": ["en"],
    "task_categories": ["text-generation", "question-answering"],
    "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "problems/*.parquet"}]}],
}


def write_card(
    folder: Path,
    counts: Mapping[str, Any],
    coverage: Iterable[Mapping[str, Any]],
    licences: Mapping[str, Counter[str]],
    checked: Mapping[str, Any],
    relatives: int = 0,
) -> None:
    """`counts`: the stage's tally as a dict; `coverage`: the cells of `coverage.json`; `relatives`: rows that ask a
    benchmark's question with other numbers and names."""
    cells = list(coverage)
    kept, read = counts["kept"], counts["in"]
    lines = [
        *("---", yaml.safe_dump(HEAD, sort_keys=False).rstrip(), "---", "", "# Synthesised mathematics problems", ""),
        f"{kept:,} problems with worked solutions, of {read:,} that were written.",
        "",
        "```python",
        'datasets.load_dataset("this/folder", split="train")',
        "```",
        *("", "## What is in it", "", *_table("stage", cells, "stage")),
        *("", *_table("kind", cells, "kind")),
        *("", "## Where it comes from", "", *_sources(cells, licences)),
        *("", "## What was left out", "", *_rejections(counts, read)),
        *("", "## Benchmarks", "", _benchmarks(checked, relatives)),
    ]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(title: str, cells: list[Mapping[str, Any]], by: str) -> list[str]:
    rows, verified = _sums(cells, by)
    lines = [f"| {title} | rows | answer verified |", "|---|---:|---:|"]
    return [*lines, *(f"| {name} | {n:,} | {_share(verified[name], n)} |" for name, n in sorted(rows.items()))]


def _sources(cells: list[Mapping[str, Any]], licences: Mapping[str, Counter[str]]) -> list[str]:
    rows, _ = _sums(cells, "source")
    lines = ["| source of the passage | rows | licence |", "|---|---:|---|"]
    for name, n in sorted(rows.items()):
        stated = ", ".join(licence for licence, _ in licences.get(name, Counter()).most_common(3)) or "not stated"
        lines.append(f"| {name} | {n:,} | {stated} |")
    return lines


def _rejections(counts: Mapping[str, Any], read: int) -> list[str]:
    left = Counter({**counts["rejected"], **counts["failed"]})
    lines = ["| reason | rows | share |", "|---|---:|---:|"]
    ranked = sorted(left.items(), key=lambda item: (-item[1], item[0]))
    lines += [f"| {reason} | {n:,} | {_share(n, read)} |" for reason, n in ranked]
    return [*lines, f"| **kept** | {counts['kept']:,} | {_share(counts['kept'], read)} |"]


def _benchmarks(checked: Mapping[str, Any], relatives: int) -> str:
    names = checked["benchmarks"]
    if not names:
        return f"**Not checked against any benchmark** (`{CHECKED}`)."
    how = ["whole questions"]
    how += [f"runs of {checked['ngram']} words"] if checked["ngram"] else []
    how += [f"near questions (similarity {checked['near']})"] if checked["near"] else []
    told = f"No row repeats a question of {', '.join(names)}: {', '.join(how)} were compared."
    if relatives:
        told += f" Rows that ask one with other numbers and names: {relatives:,}, duplicates included (`{FAMILIES}`)."
    return told


def _sums(cells: list[Mapping[str, Any]], by: str) -> tuple[Counter[str], Counter[str]]:
    rows: Counter[str] = Counter()
    verified: Counter[str] = Counter()
    for cell in cells:
        rows[cell[by]] += cell["rows"]
        verified[cell[by]] += cell["verified"]
    return rows, verified


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""

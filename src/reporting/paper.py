"""The papers' own numbers beside a study's, on the benchmarks that both were asked: `paper.jsonl`, with sources."""

from __future__ import annotations

import json
from pathlib import Path

from src.reporting.collect import Study
from src.reporting.outcomes import arm_accuracy, benchmarks
from src.reporting.table import EMPTY_TABLE, UNKNOWN, Cell, Column, Table, sources
from src.reporting.text import interval, percent, words

NUMBERS = Path(__file__).with_name("paper.jsonl")


def beside_the_paper(study: Study) -> Table:
    """The study's arms, then the paper's models; empty where no benchmark is shared."""
    with NUMBERS.open(encoding="utf-8") as lines:
        published = [json.loads(line) for line in lines]
    shared = [name for name in benchmarks(study.complete) if any(name in row for row in published)]
    if not shared:
        return EMPTY_TABLE
    rows = []
    for arm in study.arms:
        at = sources(job.manifest("evaluate") for job in arm.complete)
        found = [arm_accuracy(arm, [name]) for name in shared]
        cells = [Cell(percent(e.mean), interval(e.low, e.high), at) if e else UNKNOWN for e in found]
        rows.append((Cell(arm.name), *cells, Cell("this study")))
    for row in published:
        if not any(name in row for name in shared):
            continue
        cells = [Cell(f"{row[name]:.1f}") if name in row else UNKNOWN for name in shared]
        rows.append((Cell(row["model"]), *cells, Cell(row["source"], tone="quiet")))
    columns = (Column("Model", numeric=False), *(Column(f"{words(n)} %") for n in shared), Column("Source", False))
    note = (
        "Published numbers come without intervals. JiuZhang3.0: arXiv 2405.14365. Smaller scales ask smaller puzzles."
    )
    return Table(columns, tuple(rows), note)

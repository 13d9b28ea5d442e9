"""What a run says on the terminal when it ends."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from src.reporting import tables
from src.reporting.collect import Study, collect
from src.reporting.outcomes import benchmarks
from src.reporting.report import choose_baseline
from src.reporting.table import Table
from src.reporting.verdict import answer, contrasts

WIDTH = 200  # no cell is ever folded; the columns below are for the page
LEFT_OUT = {"Dollars", "Teacher tokens", "Written tokens", "Trained tokens", "GPU hours", "Tokens"}


def summary_lines(outputs: Path, study: str, baseline: str | None = None) -> list[str]:
    """The answer, the short table behind it and what is missing, as lines of plain text.

    Raises:
        UserError: no such study or arm.
    """
    found = collect(outputs, study)
    base = choose_baseline(found, baseline)
    several = len(found.arms) > 1
    table = (
        tables.arms(found, base, contrasts(found, base))
        if several
        else tables.accuracy(found, benchmarks(found.complete))
    )
    lines = [*(_lines(table) if table else []), *answer(found, base)]
    if several:
        lines.append(tables.sharing(found).sentence)
    missing = _missing(found)
    return [*lines, f"Not complete: {', '.join(missing)}."] if missing else lines


def _missing(study: Study) -> list[str]:
    jobs = [f"{job.name} ({(job.error or job.status).splitlines()[0]})" for job in study.jobs if not job.complete]
    return jobs + study.missing_seeds + [remark.rstrip(".") for remark in study.remarks]


def _lines(table: Table) -> list[str]:
    shown = RichTable(box=None, pad_edge=False, header_style="none", padding=(0, 2, 0, 0))
    kept = [i for i, column in enumerate(table.columns) if column.name not in LEFT_OUT]
    for i in kept:
        shown.add_column(table.columns[i].name, justify="right" if table.columns[i].numeric else "left", no_wrap=True)
    for row in table.rows:
        shown.add_row(*(row[i].plain for i in kept))
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False, markup=False)
    console.print(shown)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]

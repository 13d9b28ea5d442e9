"""Reports: a pure function of what the stages left on disk. Loads no ML library, and its own parts only when asked."""

from __future__ import annotations

from pathlib import Path


def write_report(outputs: Path, study: str, baseline: str | None = None) -> Path:
    """Write `outputs/reports/<study>/` (page, Markdown, CSV, drawing); return the page. See `report.write_report`."""
    from src.reporting import report

    return report.write_report(outputs, study, baseline)


def summary_lines(outputs: Path, study: str, baseline: str | None = None) -> list[str]:
    """What to print when a run ends. See `summary.summary_lines`."""
    from src.reporting import summary

    return summary.summary_lines(outputs, study, baseline)

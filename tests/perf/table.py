"""Comparisons as a table, for the terminal and for Markdown alike, and as plain data."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Any

from tests.perf.measure import Aim, Comparison, Values

HEADINGS = ("bench", "what", "ours", "the alternative", "ratio", "from - to", "aim", "met")
RIGHT = {"ours", "ratio"}


def table(found: dict[str, list[Comparison]]) -> str:
    """A Markdown table with its columns aligned, so that it reads well unrendered."""
    rows = [_row(bench, comparison) for bench, comparisons in found.items() for comparison in comparisons]
    widths = [max(len(row[i]) for row in [HEADINGS, *rows]) for i in range(len(HEADINGS))]
    rule = ["-" * (w - 1) + ":" if name in RIGHT else "-" * w for name, w in zip(HEADINGS, widths)]
    return "\n".join(_line(row, widths) for row in [HEADINGS, rule, *rows])


def notes(found: dict[str, list[Comparison]]) -> list[str]:
    """What the figures were measured on, each said once."""
    return list(dict.fromkeys(f"{bench}: {c.note}" for bench, cs in found.items() for c in cs if c.note))


def as_data(comparison: Comparison) -> dict[str, Any]:
    """All figures of a comparison, for JSON."""
    return {**asdict(comparison), "ratios": comparison.ratios, "ratio": comparison.ratio, "met": comparison.met}


def _row(bench: str, c: Comparison) -> tuple[str, ...]:
    return (
        bench,
        c.what,
        f"{figure(median(c.ours))} {c.unit}",
        f"{figure(median(c.other))} {c.unit}, {c.against}",
        figure(c.ratio),
        _spread(c.ratios),
        _aim(c.aim, c.unit),
        {True: "yes", False: "no", None: ""}[c.met],
    )


def _line(cells: tuple[str, ...] | list[str], widths: list[int]) -> str:
    padded = (
        cell.rjust(width) if name in RIGHT else cell.ljust(width) for cell, width, name in zip(cells, widths, HEADINGS)
    )
    return "| " + " | ".join(padded) + " |"


def _spread(ratios: Values) -> str:
    return f"{figure(min(ratios))} - {figure(max(ratios))}" if len(ratios) > 1 else ""


def _aim(aim: Aim | None, unit: str) -> str:
    if aim is None:
        return ""
    limit = f"{'<=' if aim.at_most else '>='} {aim.limit:g}"
    return limit if aim.of == "ratio" else f"ours {limit} {unit}"


def figure(value: float) -> str:
    """Three or four digits that mean something: 1.034, 12.3, 45,678."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 1_000 else f"{value:.1f}" if size >= 10 else f"{value:.3f}"

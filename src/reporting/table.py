"""A table as data: the page, the Markdown and the terminal show the same cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from src.reporting.collect import Manifest


@dataclass(frozen=True)
class Cell:
    """What is shown; `detail` (an interval, a note) smaller beside it; `sources` say where the number comes from.

    heat: in a map, how much of the most that a cell can have, in [0, 1]."""

    text: str
    detail: str = ""
    sources: tuple[Manifest, ...] = ()
    tone: str = ""  # "good" | "bad" | "quiet"
    heat: float | None = None

    @property
    def plain(self) -> str:
        return f"{self.text} ({self.detail})" if self.detail else self.text

    @property
    def trace(self) -> str:
        """The tooltip: manifest keys and the command that made the first."""
        if not self.sources:
            return ""
        keys = ", ".join(f"{m.stage} {m.short}" for m in self.sources[:4])
        more = f" and {len(self.sources) - 4} more" if len(self.sources) > 4 else ""
        return f"from {keys}{more}\n{self.sources[0].command}"


@dataclass(frozen=True)
class Column:
    name: str
    numeric: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """Columns and rows of cells. `note` explains how to read it."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows)

    def without_empty_columns(self) -> Table:
        """Drop the columns that say nothing in any row."""
        keep = [i for i in range(len(self.columns)) if any(row[i].text for row in self.rows)]
        rows = tuple(tuple(row[i] for i in keep) for row in self.rows)
        return Table(tuple(self.columns[i] for i in keep), rows, self.note)


EMPTY_TABLE = Table((), ())
EMPTY = Cell("")
UNKNOWN = Cell("–", tone="quiet")


def sources(manifests: Iterable[Manifest | None]) -> tuple[Manifest, ...]:
    """The distinct manifests among them, in order."""
    return tuple({m.key: m for m in manifests if m}.values())

"""How far, how fast, how long still: a live bar on a terminal, a line every few seconds in a log file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LOG_EVERY_SECONDS = 10.0
POINT_EVERY_SECONDS = 2.0
MIN_SHARE_FOR_ETA = 0.01


def span(seconds: float) -> str:
    """A time in a unit that fits: "55 hours"."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 3 * size:
            return f"{seconds / size:.0f} {unit}"
    return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"


class Progress:
    """Use as `with Progress("packing", total=n, unit="rows") as bar: bar.advance()`. `total` None: unknown.

    points: a file for {unit, done, per_second} every few seconds and at the end, one JSON object a line: what a
    tracker follows.
    """

    def __init__(
        self, what: str, total: int | None = None, unit: str = "rows", done: int = 0, points: Path | None = None
    ):
        self.what, self.total, self.unit, self.done, self.points = what, total, unit, done, points
        self._start_done, self._start = done, time.monotonic()
        self._next_line = self._start + LOG_EVERY_SECONDS
        self._next_point = self._start
        self._note = ""
        console = Console(file=sys.stderr)
        self._bar = self._rich(console) if console.is_terminal else None

    def _rich(self, console: Console) -> RichProgress:
        columns = (
            TextColumn("    {task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        bar = RichProgress(*columns, console=console, transient=True, refresh_per_second=4)
        self._task = bar.add_task(self.what, total=self.total, completed=self.done, rate="", note="")
        return bar

    @property
    def rate(self) -> float:
        """Units per second since this process started counting."""
        return (self.done - self._start_done) / max(time.monotonic() - self._start, 1e-9)

    @property
    def eta_seconds(self) -> float | None:
        """None while the total is unknown, or too little is done to tell."""
        if self.total is None or self.done - self._start_done < max(MIN_SHARE_FOR_ETA * self.total, 1):
            return None
        return (self.total - self.done) / self.rate

    def found(self, n: int) -> None:
        """Count `n` that are there already: they are done, and say nothing of the speed."""
        self._start_done += n
        self.advance(n)

    def advance(self, n: int = 1, note: str | None = None) -> None:
        """Count `n` more; `note` is shown behind the figures (a loss, say)."""
        self.done += n
        if note is not None:
            self._note = note
        if time.monotonic() >= self._next_point:
            self._write_point()
        if self._bar:
            rate = f"{_figure(self.rate)} {self.unit}/s"
            self._bar.update(self._task, completed=self.done, rate=rate, note=self._note)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LOG_EVERY_SECONDS
            print(f"    {self.line()}", file=sys.stderr, flush=True)

    def _write_point(self) -> None:
        self._next_point = time.monotonic() + POINT_EVERY_SECONDS
        if self.points:
            point = {"unit": self.unit, "done": self.done, "per_second": self.rate}
            with self.points.open("a", encoding="utf-8") as file:
                file.write(json.dumps(point) + "\n")

    def line(self) -> str:
        """The figures as one line of text."""
        of = f"{self.done:,}" if self.total is None else f"{self.done:,}/{self.total:,}"
        eta = "" if self.eta_seconds is None else f", {span(self.eta_seconds)} left"
        return f"{self.what}: {of} {self.unit}, {_figure(self.rate)}/s{eta}{'  ' + self._note if self._note else ''}"

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._write_point()
        if self._bar:
            self._bar.stop()


def _figure(rate: float) -> str:
    """Two digits of a slow rate: 0.43, 1.2, 57."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"

"""A line a minute about calls: how fast, how much, what failed, what is waited for. A silence is told sooner, once."""

from __future__ import annotations

import logging
import time
from collections import Counter

from src.generation.base import Completion

log = logging.getLogger(__name__)

LOG_SECONDS = 60.0
SILENCE_SECONDS = 5.0  # without an answer, after which the first line does not wait for its minute


class CallLog:
    """Counts of a session."""

    def __init__(self, name: str):
        self._name = name
        self._started = self._said = time.monotonic()
        self._answered = self._kept = self._answered_before = 0
        self._dollars = 0.0
        self._silent_since: float | None = None
        self._said_silence = False
        self._failed: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()

    def kept(self) -> None:
        """An answer was there already, and cost nothing."""
        self._kept += 1

    def charged(self, dollars: float) -> None:
        self._dollars += dollars

    def ended(self, completion: Completion) -> None:
        if completion.error is not None:
            self._failed[completion.error.partition(":")[0]] += 1
            return
        self._answered += 1
        if completion.note is not None:
            self._notes[completion.note] += 1

    def say(self, waiting_for: str | None, expected: int | None) -> None:
        """Log the line when a minute has passed since the last, or, unless that told of a silence, when one begins."""
        now = time.monotonic()
        self._silent_since = None if waiting_for is None else (self._silent_since or now)
        silent = self._silent_since is not None and now - self._silent_since >= SILENCE_SECONDS
        if (passed := now - self._said) < LOG_SECONDS and (self._said_silence or not silent):
            return
        log.info(self.line(passed, waiting_for, expected))
        self._said, self._answered_before, self._said_silence = now, self._answered, silent

    def line(self, seconds: float, waiting_for: str | None, expected: int | None) -> str:
        """`seconds`: since the last line. `expected`: requests of the whole stream, for the projection."""
        rate = (self._answered - self._answered_before) / seconds
        words = [f"{self._name}: {rate:,.1f} calls/s, {self._answered:,} answered"]
        if self._kept:
            words.append(f"{self._kept:,} kept from before")
        if self._dollars:
            words.append(f"${self._dollars:,.2f} so far{self._projected(expected)}")
        for what, counts in (("failed", self._failed), ("notes", self._notes)):
            if counts:
                words.append(f"{what}: {', '.join(f'{n} x {reason}' for reason, n in counts.most_common(3))}")
        if waiting_for is not None:
            words.append(waiting_for)
        return "; ".join(words)

    def _projected(self, expected: int | None) -> str:
        left = (expected or 0) - self._answered - self._kept - self._failed.total()
        if left <= 0 or not self._answered:
            return ""
        return f", about ${self._dollars * (1 + left / self._answered):,.2f} in all"

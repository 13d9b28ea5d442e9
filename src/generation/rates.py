"""Requests and tokens a minute, shared by all jobs on a machine that use the same cache folder."""

from __future__ import annotations

import time
from pathlib import Path

from src.generation.cache import Database

_SCHEMA = "CREATE TABLE IF NOT EXISTS rates (name TEXT PRIMARY KEY, free_at REAL NOT NULL) WITHOUT ROWID"


class Rates:
    """When each rate is free again. It may be lost with the machine, so it waits for no disk."""

    def __init__(self, path: Path):
        self._database = Database(path, _SCHEMA, durable=False)

    def wait_seconds(self, name: str, amount: float, per_minute: float) -> float:
        """How long to wait before using up `amount` of the rate; the turn is taken by asking.

        Each use moves the time at which the rate is free again on by its share of a minute. A pause of up to a second
        is made up for, so that a rate is reached although no job asks evenly.
        """
        now = time.time()
        with self._database.transaction():
            row = self._database.execute("SELECT free_at FROM rates WHERE name = ?", (name,)).fetchone()
            start = max(row[0] if row else 0.0, now - 1.0)
            free_at = start + amount * 60 / per_minute
            self._database.execute("INSERT OR REPLACE INTO rates VALUES (?, ?)", (name, free_at))
        return max(0.0, start - now)

    def give_back(self, name: str, amount: float, per_minute: float) -> None:
        """Of a turn that was not used: the next asker has it."""
        seconds = amount * 60 / per_minute
        self._database.execute("UPDATE rates SET free_at = free_at - ? WHERE name = ?", (seconds, name))

    def close(self) -> None:
        self._database.close()

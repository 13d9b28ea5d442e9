"""Verdicts that took algebra, kept on disk for all runs and all processes: the same pair is never compared twice."""

from __future__ import annotations

import sqlite3
import threading
from importlib.metadata import version
from pathlib import Path

from src.core.errors import UserError
from src.core.records import content_id

GRADER = 1  # raise it when the same two texts may get another verdict than before
LOCK_SECONDS = 60.0
_SCHEMA = "CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, word TEXT NOT NULL) WITHOUT ROWID"


def grader_version() -> str:
    """What a verdict depends on besides the two texts: the grader's own version and those of its libraries."""
    return f"{GRADER}, math-verify {version('math-verify')}, sympy {version('sympy')}"


class Verdicts:
    """A table of verdicts by pair of texts and version. May be used from any thread.

    SQLite with a write-ahead log, so several processes may share it; it wants a local disk. A verdict lost with the
    machine is found again, so nothing waits for the disk.
    """

    def __init__(self, path: Path):
        self._path, self._lock, self._version = path, threading.Lock(), grader_version()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, LOCK_SECONDS, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", _SCHEMA):
            self._execute(statement)

    def get(self, gold: str, answer: str) -> str | None:
        """ "equal", "different" or "unparsable"; None where the pair has not been compared."""
        rows = self._execute("SELECT word FROM verdicts WHERE key = ?", (self._key(gold, answer),))
        return rows[0][0] if rows else None

    def put(self, gold: str, answer: str, word: str) -> None:
        self._execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?)", (self._key(gold, answer), word))

    def _key(self, gold: str, answer: str) -> str:
        return content_id(self._version, gold, answer)

    def _execute(self, sql: str, values: tuple[str, ...] = ()) -> list[tuple[str]]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                mend = "Is the disk full or read-only? The file may be removed: verdicts are found again."
                raise UserError(f"The table of verdicts {self._path} failed: {error}.", mend) from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()

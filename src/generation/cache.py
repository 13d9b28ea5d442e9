"""Answers that were paid for, kept for all runs: the same question is never paid twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from src.core.errors import UserError
from src.generation.base import Completion

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, error TEXT
) WITHOUT ROWID
"""
LOCK_SECONDS = 60.0


class Database:
    """SQLite that several processes share: write-ahead log, and what is committed is on disk before the call returns.

    It wants a local disk: SQLite's locks do not hold on every network file system. Not for several threads.
    """

    def __init__(self, path: Path, schema: str):
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *schema.split(";")):
            self.execute(statement)

    def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Raises UserError when the disk is full, the file is not writable or another process never lets go of it."""
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise UserError(
                f"The database {self._path} failed: {error}.",
                "Is there space on the disk, is it writable and local? What is in it stays.",
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing, and no other process in between."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


def answer_key(question: Mapping[str, Any]) -> str:
    """SHA-256 of the question as canonical JSON: endpoint family, model, messages, sampling and seed; no position."""
    text = json.dumps(question, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class AnswerCache:
    """A table of completions by `answer_key`."""

    def __init__(self, path: Path):
        self._database = Database(path, _SCHEMA)

    def get(self, key: str, id: str) -> Completion | None:
        """The kept answer, as the completion of the request `id`."""
        columns = "text, finish_reason, prompt_tokens, completion_tokens, error"
        row = self._database.execute(f"SELECT {columns} FROM answers WHERE key = ?", (key,)).fetchone()
        return Completion(id, *row) if row else None

    def put(self, key: str, answer: Completion) -> None:
        """Keep it; on disk when this returns. A key that is there already stays as it is."""
        self._database.execute(
            "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)",
            (key, answer.text, answer.finish_reason, answer.prompt_tokens, answer.completion_tokens, answer.error),
        )

    def close(self) -> None:
        self._database.close()

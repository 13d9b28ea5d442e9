"""Answers that were paid for, kept for all runs: the same question is never paid twice."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock

from src.core.errors import UserError
from src.generation.base import Completion
from src.generation.filesystems import is_shared_by_hosts

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, error TEXT,
    cached_tokens INTEGER NOT NULL DEFAULT 0, note TEXT, thinking TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID
"""
_LATER_COLUMNS = {"cached_tokens": "INTEGER NOT NULL DEFAULT 0", "note": "TEXT", "thinking": "TEXT NOT NULL DEFAULT ''"}
_COLUMNS = "text, finish_reason, prompt_tokens, completion_tokens, error, cached_tokens, note, thinking"
LOCK_SECONDS = 60.0


class Database:
    """SQLite that several processes share; what is committed is on disk before the call returns. One thread each.

    On a file system that several hosts share, where a write-ahead log would be corrupted, it keeps a rollback journal.
    durable: false for what may be lost with the machine: then nothing waits for the disk.
    """

    def __init__(self, path: Path, schema: str, durable: bool = True):
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
        journal = "DELETE" if is_shared_by_hosts(path.parent) else "WAL"
        try:
            with FileLock(f"{path}.lock"):  # SQLite does not wait for the others where the write-ahead log is begun
                self.execute(f"PRAGMA journal_mode = {journal}")
                self.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
                with self.transaction():
                    for statement in schema.split(";"):
                        self.execute(statement)
        except OSError as error:
            raise self._failed(error) from error

    def add_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Bring a table that an earlier version made up to date."""
        with self.transaction():
            there = {row[1] for row in self.execute(f"PRAGMA table_info({table})")}
            for name in columns.keys() - there:
                self.execute(f"ALTER TABLE {table} ADD COLUMN {name} {columns[name]}")

    def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Raises UserError when the disk is full, the file is not writable or another process never lets go of it."""
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> UserError:
        return UserError(
            f"The database {self._path} failed: {error}.",
            "Is there space on the disk, is it writable and local? What is in it stays.",
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing, and no other process in between. One inside another is a part of it."""
        if self._connection.in_transaction:
            yield
            return
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")  # which fails, and leaves it open, while a reader keeps a rollback journal from it
        except BaseException:
            self._connection.rollback()
            raise

    def close(self) -> None:
        self._connection.close()


def answer_key(question: Mapping[str, Any]) -> str:
    """SHA-256 of the question as canonical JSON: endpoint family, model, messages, sampling and seed; no position."""
    text = json.dumps(question, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class AnswerCache:
    """A table of completions by `answer_key`, and of the questions that are being asked right now.

    Who asks claims the question first, so that no two askers pay for it. A claim dies with its process: each cache
    holds a file locked for as long as it is open, and the kernel lets go of the lock however the process ends.
    """

    def __init__(self, path: Path):
        self.database = Database(path, _SCHEMA)
        self.database.add_columns("answers", _LATER_COLUMNS)
        self._askers = path.with_name(f"{path.stem}.asking")
        self._name, self._life = _come_alive(self._askers)

    def get(self, key: str, id: str) -> Completion | None:
        """The kept answer, as the completion of the request `id`."""
        row = self.database.execute(f"SELECT {_COLUMNS} FROM answers WHERE key = ?", (key,)).fetchone()
        return Completion(id, *row) if row else None

    def put(self, key: str, answer: Completion) -> None:
        """Keep it; on disk when this returns. A key that is there already stays as it is."""
        values = (getattr(answer, column) for column in _COLUMNS.split(", "))
        self.database.execute(
            f"INSERT OR IGNORE INTO answers (key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (key, *values)
        )

    def is_claimed(self, key: str) -> bool:
        """Whether somebody who is alive asks the question, this cache's own user included."""
        row = self.database.execute("SELECT owner FROM claims WHERE key = ?", (key,)).fetchone()
        return row is not None and (row[0] == self._name or _is_alive(self._askers / row[0]))

    def claim(self, key: str) -> bool:
        """Whether the question is ours to ask: nobody who is alive asks it already.

        Look for the answer once more then: the last asker may have had it and let go a moment ago."""
        with self.database.transaction():
            if self.is_claimed(key):
                return False
            self.database.execute("INSERT OR REPLACE INTO claims VALUES (?, ?)", (key, self._name))
        return True

    def claim_all(self, keys: Iterable[str]) -> set[str]:
        """Those of the questions that are ours to ask now, in one transaction."""
        with self.database.transaction():
            return {key for key in keys if self.claim(key)}

    def release(self, key: str) -> None:
        """Let others ask: the answer is there, or there is none to be had."""
        self.database.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._name))

    def release_all(self, keys: Iterable[str]) -> None:
        with self.database.transaction():
            for key in keys:
                self.release(key)

    def close(self) -> None:
        self.database.execute("DELETE FROM claims WHERE owner = ?", (self._name,))
        self.database.close()
        (self._askers / self._name).unlink(missing_ok=True)
        os.close(self._life)


def _come_alive(folder: Path) -> tuple[str, int]:
    """A name for this asker, and the open file whose lock shows that it lives. Sweeps away the files of dead ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.iterdir():
        if not other.name.startswith(".") and not _is_alive(other):
            other.unlink(missing_ok=True)
    name = uuid4().hex
    life = os.open(folder / f".{name}", os.O_CREAT | os.O_RDWR)
    fcntl.flock(life, fcntl.LOCK_EX)
    (folder / f".{name}").rename(folder / name)  # locked before anybody can see it
    return name, life


def _is_alive(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False

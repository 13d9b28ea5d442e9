"""Which calls are under way in a provider's batch, and what each was booked at.

It stands in the ledger's own file, so that a batch and its booking begin and end in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping
from dataclasses import astuple, dataclass

from src.generation.budget import Ledger, Spent

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    token TEXT PRIMARY KEY, id TEXT, account TEXT NOT NULL, written_at REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch_calls (
    key TEXT PRIMARY KEY, token TEXT NOT NULL, calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, dollars REAL NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class UnderWay:
    """A batch. `token`: our name for it, which it carries as metadata; `id`: the provider's; `written_at`: when it was
    about to be sent, in seconds since 1970."""

    token: str
    id: str | None  # None: written down, and perhaps sent
    account: str
    written_at: float


class BatchBook:
    """Rows of batches, and of their calls by `answer_key`."""

    def __init__(self, ledger: Ledger):
        self._ledger, self._database = ledger, ledger.database
        with self._database.transaction():
            for statement in _SCHEMA.split(";"):
                self._database.execute(statement)
            self._database.add_columns("batches", {"written_at": "REAL"})  # of an earlier version: at the latest now
            self._database.execute("UPDATE batches SET written_at = ? WHERE written_at IS NULL", (time.time(),))

    def holds(self, key: str) -> bool:
        """Whether the question is under way in a batch, of whichever process, alive or not."""
        return self._database.execute("SELECT 1 FROM batch_calls WHERE key = ?", (key,)).fetchone() is not None

    def write(self, token: str, account: str, calls: Mapping[str, Spent]) -> None:
        """Note a batch that is about to be sent, with what was booked for each of its calls."""
        with self._database.transaction():
            self._database.execute("INSERT INTO batches VALUES (?, NULL, ?, ?)", (token, account, time.time()))
            for key, booked in calls.items():
                self._database.execute(
                    "INSERT INTO batch_calls VALUES (?, ?, ?, ?, ?, ?)", (key, token, *astuple(booked))
                )

    def note_id(self, token: str, id: str) -> None:
        """The batch was sent, and this is its number there."""
        self._database.execute("UPDATE batches SET id = ? WHERE token = ?", (id, token))

    def under_way(self, keys: Container[str]) -> list[UnderWay]:
        """The batches that hold any of the questions."""
        calls = self._database.execute("SELECT key, token FROM batch_calls")
        tokens = sorted({token for key, token in calls if key in keys})
        found = "SELECT token, id, account, written_at FROM batches WHERE token = ?"
        rows = (self._database.execute(found, (token,)).fetchone() for token in tokens)
        return [UnderWay(*row) for row in rows if row]

    def booked(self, token: str) -> dict[str, Spent]:
        """What each call of the batch was booked at, by its key; empty when the batch is closed."""
        columns = "key, calls, prompt_tokens, completion_tokens, dollars"
        rows = self._database.execute(f"SELECT {columns} FROM batch_calls WHERE token = ?", (token,))
        return {key: Spent(*sums) for key, *sums in rows}

    def close(self, batch: UnderWay, actual: Spent) -> None:
        """Forget the batch, and replace its bookings by what it cost: once, whoever comes first."""
        with self._database.transaction():
            booked = sum(self.booked(batch.token).values(), Spent())
            if self._database.execute("DELETE FROM batches WHERE token = ?", (batch.token,)).rowcount:
                self._database.execute("DELETE FROM batch_calls WHERE token = ?", (batch.token,))
                self._ledger.settle(batch.account, booked, actual)

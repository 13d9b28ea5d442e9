"""What is written down about a call: its booking before it is sent, its answer and its cost before it counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from src.generation.base import Completion
from src.generation.batch_book import BatchBook
from src.generation.budget import LEDGER, Budget, Ledger, Spent
from src.generation.cache import AnswerCache


class Begun(Enum):
    """What came of wanting to ask a question."""

    BOOKED = "the call may be sent"
    CLAIMED = "another process asks it already"
    IN_A_BATCH = "it is under way in a batch"


class Bookkeeping:
    """Answers, ledger and batches of a cache folder, for one thread."""

    def __init__(self, folder: Path):
        self.answers = AnswerCache(folder / "answers.sqlite")
        self.ledger = Ledger(folder / LEDGER)
        self.batches = BatchBook(self.ledger)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Answers reach the disk before the ledger: a crash between leaves a call booked at its highest."""
        with self.ledger.database.transaction(), self.answers.database.transaction():
            yield

    def begin(self, key: str, id: str, account: str, most: Spent, budget: Budget) -> Completion | Begun:
        """The kept answer, or the right to ask: then the question is claimed, and the call booked.

        Raises BudgetExhausted, and changes nothing, where a limit would be passed.
        """
        if (kept := self.answers.get(key, id)) is not None:
            return kept
        if self.batches.holds(key):
            return Begun.IN_A_BATCH
        if self.answers.is_claimed(key):
            return Begun.CLAIMED
        self.ledger.book(account, most, budget)
        self.answers.claim(key)
        return Begun.BOOKED

    def end(self, key: str, answer: Completion | None, account: str, booked: Spent, actual: Spent) -> None:
        """A try is over: keep its answer, if there is one to keep, and replace the booking by what it cost."""
        if answer is not None:
            self.answers.put(key, answer)
        self.ledger.settle(account, booked, actual)

    def close(self) -> None:
        self.answers.close()
        self.ledger.close()

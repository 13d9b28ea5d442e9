"""Group commit: one thread writes for many callers, and one transaction holds whatever waits.

A disk makes some hundreds of transactions a second; with 256 calls in flight each of them carries dozens of calls.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from src.generation.budget import BudgetExhausted

R = TypeVar("R")
MOST_IN_A_GROUP = 256


class Books(Protocol):
    """What the thread writes into; it is made and closed in the thread."""

    def transaction(self) -> Any: ...
    def close(self) -> None: ...


B = TypeVar("B", bound=Books)


class GroupCommit(Generic[B]):
    """`await write(work)` returns what `work(books)` returned once that is on disk.

    Work raises BudgetExhausted before it writes anything, or not at all: the others in its transaction go on. Where it
    raises anything else, all that was written with it is undone and done again, each in a transaction of its own: so
    work may run twice, and one bad row harms no other.
    """

    def __init__(self, open_books: Callable[[], B], loop: asyncio.AbstractEventLoop):
        self._loop, self._queue = loop, SimpleQueue[tuple[Callable[[B], Any], asyncio.Future[Any]] | None]()
        self._open_books = open_books
        self._thread = threading.Thread(target=self._run, name="group commit", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[B], R]) -> asyncio.Future[R]:
        future: asyncio.Future[R] = self._loop.create_future()
        self._queue.put((work, future))
        return future

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        books: B | None = None
        while (first := self._queue.get()) is not None:
            group = [first, *self._waiting(MOST_IN_A_GROUP - 1)]
            try:
                books = books or self._open_books()
                outcomes = _written(books, [work for work, _ in group])
            except Exception as error:  # the disk is full, say: none of them was written
                outcomes = [error] * len(group)
            self._loop.call_soon_threadsafe(_tell, [future for _, future in group], outcomes)
        if books is not None:
            books.close()

    def _waiting(self, most: int) -> list[tuple[Callable[[B], Any], asyncio.Future[Any]]]:
        found: list[tuple[Callable[[B], Any], asyncio.Future[Any]]] = []
        try:
            while len(found) < most:
                item = self._queue.get_nowait()
                if item is None:
                    self._queue.put(None)
                    break
                found.append(item)
        except Empty:
            pass
        return found


def _written(books: B, works: list[Callable[[B], Any]]) -> list[Any]:
    """What each returned or raised, once all are on disk."""
    outcomes, has_bad_work = list[Any](), False
    try:
        with books.transaction():
            for work in works:
                try:
                    outcomes.append(work(books))
                except BudgetExhausted as limit:
                    outcomes.append(limit)
                except Exception:
                    has_bad_work = True
                    raise
    except Exception:
        if not has_bad_work:
            raise
        return [_written_alone(books, work) for work in works]
    return outcomes


def _written_alone(books: B, work: Callable[[B], Any]) -> Any:
    try:
        with books.transaction():
            return work(books)
    except Exception as error:
        return error


def _tell(futures: list[asyncio.Future[Any]], outcomes: list[Any]) -> None:
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():  # its caller was cancelled
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

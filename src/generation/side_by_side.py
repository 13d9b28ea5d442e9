"""Sessions in processes of their own, side by side on one machine: for models so small that a second thread would only
wait for the first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Protocol

from src.core.errors import UserError
from src.core.processes import helpers
from src.core.threads import use_threads
from src.generation.base import Completion, Request, Session

FEW = 128  # requests that are written before other processes have begun
WINDOW = 4  # times what all processes are given at once: read together and sorted by length


class Opener(Protocol):
    """Options that open a session of their own in whichever process asks."""

    @property
    def batch(self) -> int: ...

    def alone(self, model: str) -> Session: ...


class SideBySide(Session):
    """`count` sessions of one engine; each is given a batch of requests at a time. Texts have seeds of their own, so it
    does not matter who writes which. Few requests are written in this process."""

    def __init__(self, options: Opener, model: str, count: int):
        self._options, self._model, self._count = options, model, count
        self._alone: Session | None = None
        self._pool: ProcessPoolExecutor | None = None

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Raises UserError where a process was lost."""
        source = iter(requests)
        first = list(islice(source, FEW))
        if len(first) < FEW:
            yield from self._here().stream(first)
            return
        batches = self._batches(first, source)
        running: set[Future[list[Completion]]] = set()
        while True:
            for batch in islice(batches, 2 * self._count - len(running)):
                running.add(self._processes().submit(_write, batch))
            if not running:
                return
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                yield from _result(future)

    def close(self) -> None:
        if self._alone is not None:
            self._alone.close()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _batches(self, first: list[Request], rest: Iterator[Request]) -> Iterator[list[Request]]:
        """Requests with prompts of similar length, the longest of a window in front and those of one prompt together;
        the last ones in equal parts."""
        full = self._options.batch * self._count
        while window := first + list(islice(rest, WINDOW * full - len(first))):
            first = []
            window.sort(key=lambda request: (-len(request.prompt), request.prompt))
            size = min(self._options.batch, -(-len(window) // self._count))
            for start in range(0, len(window), size):
                yield window[start : start + size]

    def _here(self) -> Session:
        if self._alone is None:
            self._alone = self._options.alone(self._model)
        return self._alone

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            import torch

            use_threads(self._model)
            fork = torch.get_num_threads() == 1
            self._pool = helpers(self._count, _begin, (self._options, self._model), fork)
        return self._pool


def _result(future: Future[list[Completion]]) -> list[Completion]:
    try:
        return future.result()
    except BrokenProcessPool:
        raise UserError(
            "A process that wrote texts was lost: killed, or out of memory.",
            "The same command goes on. One process alone needs less memory: workers=1 beside the generator's name.",
        ) from None


_mine: tuple[Opener, str] | Session  # of a process that writes: what it is to open, then what it has opened


def _begin(options: Opener, model: str) -> None:
    global _mine
    _mine = options, model


def _write(requests: list[Request]) -> list[Completion]:
    """Opens the session when first asked, so that a model which does not load is told like any other error."""
    global _mine
    if isinstance(_mine, tuple):
        options, model = _mine
        _mine = options.alone(model)
    return list(_mine.stream(requests))

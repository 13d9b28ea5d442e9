"""Sessions in processes of their own, side by side on one machine: for models so small that a second thread would only
wait for the first."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import islice
from typing import Protocol

from src.core.errors import UserError
from src.core.processes import helpers
from src.core.threads import use_threads
from src.generation.base import Completion, Request, Session

FEW = 128  # requests that are written before other processes have begun
WINDOW = 4  # times what all processes write at once: read together and sorted by length
AHEAD = 1.5  # times what a process writes at once: what it has, so that others begin where texts end
TURN_SECONDS = 0.25  # that a process writes before it tells what has ended and is given more


class Opener(Protocol):
    """Options that open a session of their own in whichever process asks."""

    @property
    def batch(self) -> int: ...

    def alone(self, model: str) -> Session: ...


class SideBySide(Session):
    """`count` sessions of one engine, each in a process that goes on writing while others are given more. Texts have
    seeds of their own, so it does not matter who writes which. Few requests are written in this process."""

    def __init__(self, options: Opener, model: str, count: int):
        self._options, self._model, self._count = options, model, count
        self._alone: Session | None = None
        self._pool: list[ProcessPoolExecutor] = []

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Raises UserError where a process was lost."""
        source = iter(requests)
        first = list(islice(source, FEW))
        if len(first) < FEW:
            yield from self._here().stream(first)
            return
        windows = self._windows(first, source)
        yield from self._run(lambda room: next(windows, []))

    def converse(self, ready: Callable[[int], list[Request]]) -> Iterator[Completion]:
        """Raises UserError where a process was lost."""
        first = ready(FEW)
        started = _with_first(first, ready)
        yield from self._here().converse(started) if len(first) < FEW else self._run(started)

    def close(self) -> None:
        if self._alone is not None:
            self._alone.close()
        for process in self._pool:
            process.shutdown(cancel_futures=True)

    def _windows(self, first: list[Request], rest: Iterator[Request]) -> Iterator[list[Request]]:
        """Requests of which those with long prompts come first, and those of one prompt together."""
        size = WINDOW * self._options.batch * self._count
        while window := first + list(islice(rest, size - len(first))):
            first = []
            yield sorted(window, key=lambda request: (-len(request.prompt), request.prompt))

    def _run(self, read: Callable[[int], list[Request]]) -> Iterator[Completion]:
        """Write what `read(room)` gives, until it gives nothing and nothing runs. What waits here is shared out anew in
        each turn, so that the last of it is written by all."""
        most, held = int(AHEAD * self._options.batch), [0] * self._count
        waiting: deque[Request] = deque()
        turns: dict[Future[list[Completion]], int] = {}
        try:
            while True:
                for process in set(range(self._count)) - set(turns.values()):
                    if not waiting:
                        waiting.extend(read(self._count * most - sum(held)))
                    mine = min(most - held[process], -(-len(waiting) // self._count))
                    given = [waiting.popleft() for _ in range(mine)]
                    held[process] += len(given)
                    if held[process]:
                        turns[self._turn_of(process, given)] = process
                if not turns:
                    return
                for turn in wait(turns, return_when=FIRST_COMPLETED).done:
                    ended = _result(turn)
                    held[turns.pop(turn)] -= len(ended)
                    yield from ended
        finally:  # whoever reads may stop early: what still runs must not run into the next stream
            for pool in self._pool if any(held) else ():
                with suppress(BrokenProcessPool):
                    pool.submit(_forget)

    def _turn_of(self, process: int, requests: Sequence[Request]) -> Future[list[Completion]]:
        try:
            return self._processes()[process].submit(_turn, requests)
        except BrokenProcessPool:
            raise _lost_process() from None

    def _here(self) -> Session:
        if self._alone is None:
            self._alone = self._options.alone(self._model)
        return self._alone

    def _processes(self) -> list[ProcessPoolExecutor]:
        if not self._pool:
            import torch

            use_threads(self._model)
            fork = torch.get_num_threads() == 1
            self._pool = [helpers(1, _begin, (self._options, self._model), fork) for _ in range(self._count)]
        return self._pool


def _with_first(first: Sequence[Request], ready: Callable[[int], list[Request]]) -> Callable[[int], list[Request]]:
    """`ready`, of which these have been taken already."""
    taken = deque(first)

    def read(room: int) -> list[Request]:
        found = [taken.popleft() for _ in range(min(room, len(taken)))]
        return found + (ready(room - len(found)) if room > len(found) else [])

    return read


def _result(future: Future[list[Completion]]) -> list[Completion]:
    try:
        return future.result()
    except BrokenProcessPool:
        raise _lost_process() from None


def _lost_process() -> UserError:
    return UserError(
        "A process that wrote texts was lost: killed, or out of memory.",
        "The same command goes on. One process alone needs less memory: workers=1 beside the generator's name.",
    )


class _Writer:
    """What a process writes: its session is opened with the first turn, so that a model which does not load is told
    like any other error."""

    def __init__(self, options: Opener, model: str):
        self._options, self._model = options, model
        self._session: Session | None = None
        self._waiting: deque[Request] = deque()
        self._running: Iterator[Completion] | None = None

    def turn(self, requests: Sequence[Request]) -> list[Completion]:
        """Write on, these too, for a while; what has ended."""
        if self._session is None:
            self._session = self._options.alone(self._model)
        self._waiting.extend(requests)
        self._running = self._running or self._session.converse(self._take)
        ended, until = [], time.monotonic() + TURN_SECONDS
        for completion in self._running:
            ended.append(completion)
            if time.monotonic() > until:
                return ended
        self._running = None
        return ended

    def forget(self) -> None:
        self._waiting.clear()
        self._running = None

    def _take(self, room: int) -> list[Request]:
        return [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]


_writer: _Writer  # of a process that writes


def _begin(options: Opener, model: str) -> None:
    global _writer
    _writer = _Writer(options, model)


def _turn(requests: Sequence[Request]) -> list[Completion]:
    return _writer.turn(requests)


def _forget() -> None:
    _writer.forget()

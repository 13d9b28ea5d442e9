"""How many calls may be in flight, and when: found out from what comes back.

Additive increase, multiplicative decrease (Chiu and Jain 1989, as in TCP): an answer raises the limit by a call for
each round of answers, a "too many requests" lowers it by a third and pauses all calls. A circuit breaker (Nygard,
Release It!, 2007) tells a server that is down from calls that it cannot do: where nothing but failures comes back, one
call at a time is sent, and its failure is not its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque

FIRST_CALLS = 3  # in flight before the first answer: a wrong key costs no more
FEWER = 0.7
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds, where the server asks for none
SPREAD_SECONDS = 2.0  # calls that waited start one by one over so long, or over a quarter of the pause
FAILING_CALLS = 5  # different ones without an answer between: it is the server
LATE = 1.25  # a pause is longer than it is asked for by so much at most, so that jobs do not wake together


class OutOfPatience(Exception):  # noqa: N818
    """No answer for longer than is put up with, or (`asked`) a pause asked for that is longer."""

    def __init__(self, seconds: float, words: str, asked: bool):
        self.seconds, self.words, self.asked = seconds, words, asked
        super().__init__(words)


class Throttle:
    """Admission to one server, for one session: `number = await enter()`, then `leave()` whatever comes of the call.

    most: calls in flight at most. patience: seconds without an answer after which OutOfPatience is raised.
    """

    def __init__(self, most: int, patience: float):
        self._most, self._patience = most, patience
        self._limit = float(min(most, FIRST_CALLS))
        self._in_flight = self._started = self._cut_at = self._failed_at = self.answers = 0
        self._throttled = self._failures = 0  # in a row
        self._failing: set[str] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._open_at = self._spread_until = 0.0
        self._blocked_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._words = ""

    @property
    def circuit_is_open(self) -> bool:
        """Whether it seems that no call can be answered now."""
        return self._throttled > 1 or len(self._failing) >= FAILING_CALLS

    @property
    def limit(self) -> int:
        return 1 if self.circuit_is_open else int(self._limit)

    @property
    def waiting_for(self) -> str | None:
        """What nothing is heard of, in words; None while answers come."""
        if self._blocked_since is None:
            return None
        left = self._open_at - time.monotonic()
        then = f"next try in {left:.0f} s" if left > 0 else "trying now"
        return f"no answer for {time.monotonic() - self._blocked_since:.0f} s ({self._words}); {then}"

    async def enter(self) -> int:
        """Wait for a turn; returns the number of the call."""
        if self._waiting or self._delay() > 0 or self._in_flight >= self.limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            self._admit()
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.leave()
                raise
        else:
            self._in_flight += 1
        self._started += 1
        return self._started

    def leave(self) -> None:
        self._in_flight -= 1
        self._admit()

    def answered(self) -> None:
        """A text came."""
        self.answers += 1
        self._limit = float(self._most) if self.answers == 1 else min(self._most, self._limit + 1 / self._limit)
        self.heard()

    def heard(self) -> None:
        """The server does its work, if only by refusing a call: what failed before was a matter of those calls."""
        if not self.answers:  # refused: no other call takes its place before one is answered
            self._limit = max(1.0, self._limit - 1)
        self._throttled = self._failures = 0
        self._failing.clear()
        self._blocked_since = None
        self._admit()

    def throttled(self, call: int, asked: float | None, words: str) -> None:
        """The server wants fewer calls, after a pause of `asked` seconds."""
        if call > self._cut_at:  # of the calls that were in flight already, one is enough
            self._cut_at = self._started
            self._limit = max(1.0, self._limit * FEWER)
            self._throttled += 1
        ours = _backoff(self._throttled - 1) if asked is None or self._throttled > 1 else 0.0
        self._pause(max(asked or 0.0, ours), words, asked is not None)

    def failed(self, request: str, words: str, call: int | None = None) -> bool:
        """A call failed on the server's side. Returns whether that is to be put down to the call.

        call: its number; None: it began just now."""
        self._failing.add(request)
        self._blocked_since = self._blocked_since or time.monotonic()
        self._words = words
        if not self.circuit_is_open:
            return True
        if call is None or call > self._failed_at:  # of the calls that were in flight already, one is enough
            self._failed_at = self._started
            self._failures += 1
            self._pause(_backoff(self._failures - 1), words)
        return False

    def _pause(self, seconds: float, words: str, asked: bool = False) -> None:
        now = time.monotonic()
        self._blocked_since, self._words = self._blocked_since or now, words
        if now + seconds - self._blocked_since > self._patience:
            asked = asked and seconds > self._patience
            raise OutOfPatience(seconds if asked else now - self._blocked_since, words, asked)
        self._open_at = max(self._open_at, now + seconds * random.uniform(1.0, LATE))
        self._spread_until = self._open_at + max(SPREAD_SECONDS, seconds / 4)
        self._admit()

    def _delay(self) -> float:
        return self._open_at - time.monotonic()

    def _admit(self) -> None:
        """Let in whoever may enter now, and come again when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if (delay := self._delay()) > 0:
            self._come_back(delay)
            return
        spreading = time.monotonic() < self._spread_until
        while self._waiting and self._in_flight < self.limit:
            turn = self._waiting.popleft()
            if turn.done():
                continue
            self._in_flight += 1
            turn.set_result(None)
            if spreading:
                self._come_back(random.uniform(0.0, 2 * SPREAD_SECONDS / self.limit))
                return

    def _come_back(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._admit)


def _backoff(times: int) -> float:
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(times, 10))

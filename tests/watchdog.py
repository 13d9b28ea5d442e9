"""For code that must not grow out of hand: what would take hours fails instead of hanging the tests."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SECONDS = 20.0  # of this process's processor time, where milliseconds are used: a guard, no measurement


@contextmanager
def ends() -> Iterator[None]:
    """The block fails when it has taken `SECONDS`. Regular expressions that backtrack are interrupted, too."""

    def fail(*_: object) -> None:
        pytest.fail(f"not done after {SECONDS:.0f} s of processor time")

    before = signal.signal(signal.SIGVTALRM, fail)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)

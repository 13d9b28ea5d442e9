"""How a process is stopped: Ctrl-C and SIGTERM (a scheduler's notice) let it save its state, then end it with one line.

A stopped command typed again goes on, so stopping is no failure. `Stopped` is raised in the main thread wherever it is;
code whose state is whole at certain points only (an optimizer step) runs in `deferred` and looks for `requested` there.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

EXIT_CODE = 128 + signal.SIGTERM  # a shell's code for a process that SIGTERM ended
SAVING_SECONDS = 300  # that a process may take to save its state when it is stopped; then it is killed
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """Somebody asked this process to end. Like KeyboardInterrupt no `Exception`: only the outermost code catches it."""

    def __init__(self, reason: str = "SIGTERM"):
        super().__init__(reason)


class _State:
    """Of this process: whether a stop was asked for, and how many `deferred` blocks hold it back."""

    asked: str | None = None
    deferrals = 0


def listen(*signals: signal.Signals) -> None:
    """From now on these signals stop this process. A library's handler that came later is replaced."""
    if threading.current_thread() is threading.main_thread():
        for number in signals:
            signal.signal(number, _stop)


def _stop(number: int, frame: Any) -> None:
    _State.asked = signal.Signals(number).name
    if not _State.deferrals:
        raise Stopped(_State.asked)


def requested() -> bool:
    """Whether a stop was asked for: to be looked at inside of `deferred`."""
    return _State.asked is not None


@contextmanager
def deferred() -> Iterator[None]:
    """A stop asked for meanwhile is raised at the end of the block, or by the block itself where its state is saved."""
    _State.deferrals += 1
    try:
        yield
    finally:
        _State.deferrals -= 1
    if _State.asked and not _State.deferrals:
        raise Stopped(_State.asked)


@contextmanager
def deaf_to_terminal() -> Iterator[None]:
    """A process started meanwhile ignores Ctrl-C, which a terminal sends to all: its parent tells it when to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def command() -> Iterator[None]:
    """Around a command's main function: being stopped ends it with one line; a closed pipe (`| head`) without any,
    as long as it only prints (see `keep_open_pipes`)."""
    listen(*SIGNALS)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        yield
    except (Stopped, KeyboardInterrupt) as stop:
        name = str(stop) or "SIGINT"
        print(f"Stopped by {name}; the same command goes on.", file=sys.stderr)
        sys.exit(128 + signal.Signals[name])


def keep_open_pipes() -> None:
    """For a command that does more than print: a closed pipe is an error that its code sees, not the end."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)

"""Processes that are started to be ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def helpers(
    count: int, begin: Callable[..., None] | None = None, arguments: tuple[Any, ...] = (), fork: bool = False
) -> ProcessPoolExecutor:
    """So many processes, each of which first calls `begin`. They end with this one, however it ended, and leave Ctrl-C
    to it. A fork spares them 4 s of imports; it is for programs whose libraries work with one thread."""
    how = "fork" if fork and sys.platform == "linux" else "spawn"
    return ProcessPoolExecutor(count, multiprocessing.get_context(how), initializer=_begin, initargs=(begin, arguments))


def _begin(begin: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if begin:
        begin(*arguments)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a group of its own, with its children, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

"""Processes that are started to be ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

CORES = "PYTHON_CPU_COUNT"  # what Python itself reads from 3.13 on


def cores() -> int:
    """The CPU cores that this process may use: those that the system lets it have, or fewer where `CORES` says so."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get(CORES, "")
    return min(there, int(told)) if told.isdecimal() and int(told) else there


def helpers(
    count: int, begin: Callable[..., None] | None = None, arguments: tuple[Any, ...] = (), fork: bool = False
) -> ProcessPoolExecutor:
    """So many processes, each of which first calls `begin`. They end with this one, however it ended, and leave Ctrl-C
    to it. A fork spares them 4 s of imports; it is for programs whose libraries work with one thread."""
    how = "fork" if fork and sys.platform == "linux" else "spawn"
    return ProcessPoolExecutor(count, multiprocessing.get_context(how), initializer=_begin, initargs=(begin, arguments))


def _begin(begin: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    if begin:
        begin(*arguments)


def end_with_parent(parent: int | None = None) -> None:
    """A process whose parent was killed must not go on writing: the same command may be running again.

    parent: the parent's process id, where it may have died before this process could look. A fork's parent is the fork
    server, which lives as long as the forks do; its `parent_process` is the one that asked for it."""
    parent, asking = parent or os.getppid(), multiprocessing.parent_process()

    def watch() -> None:
        while os.getppid() == parent and (asking is None or asking.is_alive()):
            time.sleep(0.3)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a group of its own, with its children, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

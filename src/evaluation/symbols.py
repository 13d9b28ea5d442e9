"""Equality that needs computer algebra, in processes that can be killed.

SymPy can hang or eat all memory on a short formula (a tower of powers, say), and signals, which math-verify's own
time-outs use, work in a main thread only. So the comparison runs in a helper process: a *template* that has loaded
math-verify once and forks a child that answers one request after another. A child that uses up its processor time is
killed by the kernel (ITIMER_PROF) and the template forks the next one in milliseconds. Processor time, not wall time:
the verdict does not depend on how busy the machine is.

This file is both ends: `Symbols` for the caller, and `python -m src.evaluation.symbols` for the template.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from src.core.errors import UserError, require

MEMORY_BYTES = 2 << 30
START_SECONDS = 120.0  # math-verify loads in 2 s on an idle machine
WALL_FACTOR = 20.0  # a child that sleeps or starves: never seen, never waited for longer than this many time limits


class Symbols:
    """One helper process; `compare` may be called from any thread and answers within its time limit."""

    def __init__(self, seconds: float = 3.0):
        self.seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def compare(self, gold: str, answer: str) -> str:
        """Returns "equal", "different", "unparsable", "timeout" or "crash"."""
        request = json.dumps({"gold": gold, "answer": answer, "seconds": self.seconds}) + "\n"
        with self._lock:
            process = self._process or self._start()
            try:
                reply = self._ask(process, request.encode())
            except TimeoutError:
                self._stop()
                return "timeout"
            except OSError:
                reply = ""
            if not reply:  # the template itself is gone
                self._stop()
            return reply or "crash"

    def _ask(self, process: subprocess.Popen[bytes], request: bytes) -> str:
        assert process.stdin is not None
        process.stdin.write(request)
        process.stdin.flush()
        return _read_line(process, self.seconds * WALL_FACTOR)

    def _start(self) -> subprocess.Popen[bytes]:
        require("math_verify", "grading by symbols")
        root = Path(__file__).resolve().parents[2]
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        paths = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", "src.evaluation.symbols"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
            start_new_session=True,  # so that template and child are killed together, and Ctrl-C reaches neither
        )
        try:
            started = _read_line(process, START_SECONDS) == "ready"
        except TimeoutError:
            started = False
        if not started:
            self._stop()
            raise UserError("The grader's helper process did not start.", "Try: python -m src.evaluation.symbols")
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def close(self) -> None:
        with self._lock:
            self._stop()


def _read_line(process: subprocess.Popen[bytes], seconds: float) -> str:
    """One line from the helper, "" when it died; TimeoutError when none comes in time."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            raise TimeoutError
    return process.stdout.readline().decode().strip()


def compare(gold: str, answer: str) -> str:
    """The comparison itself, with no guard at all: call it only where dying is allowed."""
    from math_verify import parse, verify

    wanted = parse(f"${gold}$", parsing_timeout=None)
    given = parse(f"${answer}$", parsing_timeout=None)
    if not _is_math(given) or not _is_math(wanted):
        return "unparsable"
    return "equal" if verify(wanted, given, timeout_seconds=None) else "different"


def _is_math(parsed: list[Any]) -> bool:
    return any(not isinstance(part, str) for part in parsed)


def _template() -> None:
    """Load once, then keep one child alive. Ends when the caller closes the pipe or dies."""
    import logging

    logging.disable(logging.CRITICAL)
    compare("x+1", "1+x")  # loads math-verify and fills SymPy's caches, for every child
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _say("ready")
    while True:
        child = os.fork()
        if child == 0:
            _serve()
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return
        _say("timeout" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF else "crash")


def _serve() -> None:
    """The child: answer requests until the pipe ends. A comparison out of time kills it (SIGPROF's default)."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    while request := _read_request():
        signal.setitimer(signal.ITIMER_PROF, request["seconds"])
        try:
            reply = compare(request["gold"], request["answer"])
        except (MemoryError, RecursionError):
            os._exit(3)
        except Exception:  # SymPy's and ANTLR's parsers raise every kind of thing on nonsense
            reply = "unparsable"
        signal.setitimer(signal.ITIMER_PROF, 0)
        _say(reply)
    os._exit(0)


def _read_request() -> dict[str, Any] | None:
    """Read one line byte-exactly from the shared pipe: nothing may be buffered in a child that dies."""
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(0, 65_536)
        if not piece:
            return None
        data += piece
    request: dict[str, Any] = json.loads(data)
    return request


def _say(word: str) -> None:
    os.write(1, word.encode() + b"\n")


if __name__ == "__main__":
    _template()

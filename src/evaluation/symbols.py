"""Equality that needs computer algebra, in processes that can be killed.

SymPy can hang or eat all memory on a short formula (a tower of powers, say), and signals, which math-verify's own
time-outs use, work in a main thread only. So the comparison runs in a helper process: a *template* that has loaded
math-verify once and forks a child that answers one request after another. A child that uses up its processor time is
killed by the kernel (ITIMER_PROF) and the template forks the next one in milliseconds. Processor time, not wall time:
the verdict does not depend on how busy the machine is.

This file is both ends: `Symbols` for the caller, and `python -m src.evaluation.symbols` for the template.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from src.core.errors import require
from src.evaluation.helper import Helper

MEMORY_BYTES = 2 << 30
MEMORY_EXIT = 97
REPLIES = 3  # the file descriptor for them
WALL_FACTOR = 20.0  # a child that sleeps or starves: never seen, never waited for longer than this many time limits


class Symbols:
    """One helper process; `compare` may be called from any thread and answers within its time limit."""

    def __init__(self, seconds: float = 3.0):
        self.seconds = seconds
        root = Path(__file__).resolve().parents[2]
        paths = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        environment = {**os.environ, **threads, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"}
        self._helper = Helper([sys.executable, "-m", "src.evaluation.symbols"], environment)

    def compare(self, gold: str, answer: str) -> str:
        """Returns "equal", "different", "unparsable", "timeout", "memory" or "crash"."""
        require("math_verify", "grading by symbols")
        request = json.dumps({"gold": gold, "answer": answer, "seconds": self.seconds})
        try:
            return self._helper.ask(request, self.seconds * WALL_FACTOR) or "crash"
        except TimeoutError:
            return "timeout"

    def close(self) -> None:
        self._helper.close()


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
    os.dup2(1, REPLIES)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a parser prints is no reply
    _say("ready")
    while True:
        child = os.fork()
        if child == 0:
            _serve()
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return
        _say(_cause_of_death(status))


def _cause_of_death(status: int) -> str:
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) == signal.SIGPROF else "crash"
    return "memory" if os.WEXITSTATUS(status) == MEMORY_EXIT else "crash"


def _serve() -> None:
    """The child: answer requests until the pipe ends. A comparison out of time kills it (SIGPROF's default)."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    while request := _read_request():
        signal.setitimer(signal.ITIMER_PROF, request["seconds"])
        try:
            reply = compare(request["gold"], request["answer"])
        except MemoryError:
            os._exit(MEMORY_EXIT)
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
    os.write(REPLIES, word.encode() + b"\n")


if __name__ == "__main__":
    _template()

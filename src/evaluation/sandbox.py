"""Running Python that a model wrote, where it can do no harm.

    with Sandbox() as sandbox:
        sandbox.run("print(2 + 2)")      # Execution(status="ok", output="4\\n")

What separates a program from this machine is in `src.evaluation.isolation`. A warm template process has NumPy and SymPy
loaded and forks a child for each program (`sandbox_worker.py`). A program begins in an empty folder, without this
process's environment, and prints the same each time: strings hash alike, and random numbers begin at one seed.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from src.evaluation.isolation import (
    WORKER,
    Isolation,
    Programs,
    bubblewrap_command,
    isolation_for,
    namespaces_command,
    require_readable_python,
    scratch,
    spare_user,
)
from src.evaluation.sandbox_worker import empty, process_space
from src.evaluation.worker_process import WorkerProcess

MARGIN_SECONDS = 10.0  # for a busy machine, on top of the program's own time
PREFIXES = {"bubblewrap": bubblewrap_command, "namespaces": namespaces_command, "none": list}

log = logging.getLogger(__name__)
_numbers = count()


class Execution(NamedTuple):
    """`status`: ok; error (an exception or an exit code, told in the output); timeout; memory; output (too much of it);
    killed (it ended itself or its supervisor by a signal)."""

    status: str
    output: str


class Sandbox:
    """One worker; `run` may be called from any thread. Limits are per program: `seconds` of wall time, `memory_mb` of
    all its processes together, `output_chars` of printed text, `processes`.

    Raises UserError where `programs` asks for an isolation that this machine does not have.
    """

    def __init__(
        self,
        seconds: float = 5.0,
        memory_mb: int = 1024,
        output_chars: int = 10_000,
        processes: int = 16,
        programs: Programs = "isolated",
    ):
        self.limits = {"seconds": seconds, "memory": memory_mb << 20, "output": output_chars, "processes": processes}
        self.isolation: Isolation = isolation_for(programs)
        user = spare_user(next(_numbers)) if os.getuid() == 0 else None
        self._folder = None if self.isolation != "none" else _open_folder(user)
        folder = str(self._folder or scratch())
        inside = [sys.executable, "-P", "-s", str(WORKER), process_space(), str(user or ""), folder]
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        plain = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": folder, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
        self._worker = WorkerProcess([*PREFIXES[self.isolation](), *inside], {**plain, **threads})

    def run(self, code: str, before: Sequence[str] = ()) -> Execution:
        """Run a program in an interpreter of its own; its standard output and errors come back together.

        `before`: programs that run first, in silence, and whose names it sees, as in a notebook; each has the time of
        one.
        """
        seconds = float(self.limits["seconds"]) * (1 + len(before))
        request = json.dumps({"code": code, "before": list(before), **self.limits, "seconds": seconds})
        try:
            answer = self._worker.ask(request, seconds + MARGIN_SECONDS)
        except TimeoutError:
            return Execution("timeout", "")
        if not answer:
            return Execution("killed", "")
        found = json.loads(answer)
        if not found.pop("fresh"):
            self._worker.close()  # the next program starts another one
        return Execution(**found)

    def close(self) -> None:
        self._worker.close()
        if self._folder and not _remove(self._folder):
            log.warning("What programs left in %s could not be removed.", self._folder)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _open_folder(user: int | None) -> Path:
    """Where an unisolated sandbox works; `user` may pass through it to its own."""
    if user is not None:
        require_readable_python(user)
    folder = Path(mkdtemp(prefix="sandbox-"))
    folder.chmod(0o711)
    return folder


def _remove(folder: Path) -> bool:
    if not empty(folder):
        return False
    folder.rmdir()
    return True

"""A worker process that answers one line with one line, and that can always be killed."""

from __future__ import annotations

import selectors
import subprocess
import threading
from collections.abc import Mapping, Sequence

from src.core.errors import UserError
from src.core.processes import end_group

START_SECONDS = 120.0  # NumPy and SymPy load in 2 s on an idle machine


class WorkerProcess:
    """Started when first asked, and again after it died; `ask` may be called from any thread, one at a time."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]):
        self.command, self.environment = list(command), dict(environment)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, line: str, seconds: float) -> str:
        """The worker's answer, "" when it died over it. Raises TimeoutError, and kills it, when none comes in time."""
        with self._lock:
            if self._process and self._process.poll() is not None:  # it was killed while it had nothing to do
                self._stop()
            process = self._process or self._start()
            try:
                _write_line(process, line)
            except BrokenPipeError:  # or was just then
                self._stop()
                process = self._start()
                _write_line(process, line)
            try:
                answer = _read_line(process, seconds)
            except TimeoutError:
                self._stop()
                raise
            if not answer:
                self._stop()
            return answer

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            start_new_session=True,  # so that it dies with its children, and Ctrl-C reaches none of them
        )
        try:
            started = _read_line(process, START_SECONDS) == "ready"
        except TimeoutError:
            started = False
        if not started:
            self._stop()
            raise UserError(
                "The worker process of a sandbox did not start.", f"Try it by hand: {' '.join(self.command)}"
            )
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            end_group(process)

    def close(self) -> None:
        with self._lock:
            self._stop()


def _write_line(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")
    process.stdin.flush()


def _read_line(process: subprocess.Popen[bytes], seconds: float) -> str:
    """One line from the worker, "" when it died; TimeoutError when none comes in time."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            raise TimeoutError
    return process.stdout.readline().decode("utf-8", "replace").strip()

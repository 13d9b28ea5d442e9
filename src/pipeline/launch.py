"""How a stage gets to run: here, in a process of its own, or under torchrun.

A stage that loads torch or vLLM gets its own process, so that its memory is freed when it ends, and so that a
distributed strategy never re-executes the sweep that launched it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.core.errors import UserError
from src.core.store import FULL_DISK_CODE, full_disk, write_json

SPEC, RESULT = "spec.json", "result.json"


class Compute(ABC):
    """Where stages run. `run` fills `<folder>/out` and returns what the worker measured."""

    @abstractmethod
    def run(self, spec: dict[str, Any], folder: Path, heavy: bool) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Local(Compute):
    """This machine. `isolate` false runs heavy stages in this process too (for debuggers).

    `torchrun`: processes for a stage that trains; null: as many as its trainer has devices, none but a plain one for 1.
    """

    isolate: bool = True
    torchrun: int | None = None

    def run(self, spec: dict[str, Any], folder: Path, heavy: bool) -> dict[str, Any]:
        write_json(folder / SPEC, spec)
        if not (heavy and self.isolate):
            from src.worker import run_spec

            return run_spec(folder / SPEC)
        return self._in_process(folder, spec["kind"], self._processes(spec))

    def _processes(self, spec: dict[str, Any]) -> int:
        if spec["kind"] not in ("synthesizer", "pretrain"):
            return 1
        return self.torchrun or int(spec["stage"]["trainer"]["devices"])

    def _in_process(self, folder: Path, kind: str, processes: int) -> dict[str, Any]:
        (folder / RESULT).unlink(missing_ok=True)
        command = [sys.executable, "-m", "src.worker", str(folder / SPEC), f"--processes={processes}"]
        code = subprocess.run(command, env={**os.environ, "PYTHONUNBUFFERED": "1"}).returncode
        if code == FULL_DISK_CODE:
            raise full_disk(folder)
        result = json.loads((folder / RESULT).read_text()) if (folder / RESULT).exists() else {}
        if "problem" in result:
            raise UserError(result["problem"], result["mend"])
        if code or not result:
            raise UserError(
                f"The stage '{kind}' ended with {_exit_words(code)}; its own words are above.",
                f"Its inputs are in {folder / SPEC}; `python -m src.worker {folder / SPEC}` runs it alone.",
            )
        return result


def _exit_words(code: int) -> str:
    if code == -9:
        return "SIGKILL (out of memory, or somebody ended it)"
    return f"signal {-code}" if code < 0 else f"exit code {code}"

"""How a stage gets to run: here, in a process of its own, or under torchrun.

A stage that loads torch or vLLM gets its own process, so that its memory is freed when it ends, and so that a
distributed strategy never re-executes the sweep that launched it. Importing the two costs 12 seconds on two CPU cores;
a server imports them once, while the first stages run, and every stage is a fork of it.
"""

from __future__ import annotations

import json
import multiprocessing
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
TRAINING_KINDS = ("synthesizer", "pretrain")
PRELOADED = ["src.worker", "src.modeling.training", "src.generation.vllm_session"]


class Compute(ABC):
    """Where stages run. `run` fills `<folder>/out` and returns what the worker measured."""

    def prepare(self) -> None:  # noqa: B027  most places need no preparation
        """Called when a heavy stage will run soon."""

    @abstractmethod
    def run(self, spec: dict[str, Any], folder: Path, heavy: bool) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Local(Compute):
    """This machine.

    isolate: false runs heavy stages in this process too (for debuggers).
    warm: stages are forks of a server that has imported the libraries; false starts Python anew for each.
    torchrun: processes for a stage that trains; null: as many as its trainer has devices.
    """

    isolate: bool = True
    warm: bool = True
    torchrun: int | None = None

    def prepare(self) -> None:
        if self.isolate and self.warm:
            _server().Process(target=_nothing).start()

    def run(self, spec: dict[str, Any], folder: Path, heavy: bool) -> dict[str, Any]:
        write_json(folder / SPEC, spec)
        if not (heavy and self.isolate):
            from src.worker import run_spec

            return run_spec(folder / SPEC)
        return self._in_process(folder, spec["kind"], self._processes(spec))

    def _processes(self, spec: dict[str, Any]) -> int:
        if spec["kind"] not in TRAINING_KINDS:
            return 1
        return self.torchrun or int(spec["stage"]["trainer"]["devices"])

    def _in_process(self, folder: Path, kind: str, processes: int) -> dict[str, Any]:
        (folder / RESULT).unlink(missing_ok=True)
        fork = self.warm and processes == 1
        code = _forked(folder / SPEC) if fork else _fresh(folder / SPEC, processes)
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


def _fresh(spec: Path, processes: int) -> int:
    command = [sys.executable, "-m", "src.worker", str(spec), f"--processes={processes}"]
    return subprocess.run(command, env={**os.environ, "PYTHONUNBUFFERED": "1"}).returncode


def _forked(spec: Path) -> int:
    process = _server().Process(target=_work, args=(spec,))
    process.start()
    process.join()
    return int(process.exitcode or 0)


def _server() -> Any:
    """The fork server's context; the server starts with its first process and ends with this one."""
    if multiprocessing.get_start_method() not in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("forkserver", force=True)  # joblib's own, which a forked stage cannot know
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # vLLM binds memory to a node, and says so at every start
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _nothing() -> None:
    """What the server forks first, so that it starts importing."""


def _work(spec: Path) -> None:
    from src.worker import end_with_parent, main

    end_with_parent()
    sys.exit(main(spec))


def _exit_words(code: int) -> str:
    if code == -9:
        return "SIGKILL (out of memory, or somebody ended it)"
    return f"signal {-code}" if code < 0 else f"exit code {code}"

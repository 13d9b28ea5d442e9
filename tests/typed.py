"""A command as a user types it, without the seconds in which Python and its libraries begin: a fork that has them."""

from __future__ import annotations

import multiprocessing
import os
import resource
import runpy
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRELOADED = [
    *("torch", "transformers", "pyarrow.dataset", "sympy", "hydra.main", "matplotlib.figure"),
    *("src.pipeline.command", "src.worker", "src.modeling.training", "src.reporting", "src.evaluate"),
]
LIMIT_SECONDS = 300  # of processor time


@dataclass(frozen=True)
class Done:
    code: int | None
    said: str  # on both streams


def typed(module: str, words: list[str], folder: Path, **environment: str) -> Done:
    """`python -m <module> <words>`, typed in `folder`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with tempfile.NamedTemporaryFile() as said:
        process = context.Process(target=_run, args=(module, words, str(folder), said.name, environment))
        process.start()
        process.join()
        return Done(process.exitcode, Path(said.name).read_text(errors="replace"))


def _run(module: str, words: list[str], folder: str, said: str, environment: dict[str, str]) -> None:
    with open(said, "wb", buffering=0) as file:  # noqa: PTH123
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update({"COLUMNS": "200", "PYTHONPATH": str(ROOT), **environment})
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS))
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)

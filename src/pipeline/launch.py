"""How a stage gets to run: here, in a process of its own, under torchrun, or on the machines of a Ray cluster.

A stage that loads torch or vLLM gets its own process, so that its memory is freed when it ends, and so that a
distributed strategy never re-executes the sweep that launched it. Importing the two costs 12 seconds on two CPU cores;
a server imports what the stages' components name in `preloads` once, while the first stages run, and every stage is a
fork of it.

No process gets a secret key that its stage does not need. None hears a terminal's Ctrl-C: whoever started it passes a
stop on as SIGTERM, and waits until the stage has saved its state.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, ClassVar

from src.core import stopping
from src.core.errors import UserError, require
from src.core.fingerprint import describe
from src.core.records import content_id
from src.core.stage import Stage
from src.core.stopping import Stopped
from src.core.store import FULL_DISK_CODE, RESULT, finished_work, full_disk, worker_lock, write_json

SPEC = "spec.json"
SECRET = re.compile(r"(KEY|SECRET|PASSWORD)$")  # of a variable's name; HF_TOKEN is none: models are loaded with it
ASKING_A_SERVER = "src.generation.openai.OpenAIGenerator"
WORKER = "src.worker"


class Compute(ABC):
    """Where stages run. `run` fills `<folder>/out` and returns what the worker measured."""

    def check(self, stage: Stage) -> None:  # noqa: B027  most places take any stage
        """Raises UserError where the stage could not be started here."""

    def prepare(self, modules: Iterable[str] = ()) -> None:  # noqa: B027  most places need no preparation
        """Called when heavy stages will run soon, with the modules that they will import."""

    @abstractmethod
    def run(self, spec: dict[str, Any], folder: Path, heavy: bool) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Local(Compute):
    """This machine.

    isolate: false runs heavy stages in this process too (for debuggers).
    warm: stages are forks of a server that has imported the libraries; false starts Python anew for each.
    torchrun: processes for a stage that trains, on each machine; null: as many as its trainer has devices.
    across: the command that starts another one once on each of `{nodes}` machines that share this folder, for a stage
      whose trainer has several nodes; e.g. srun inside an allocation of Slurm's. An empty list: the run stops at such
      a stage and says what to type on each machine.
    rendezvous: host:port of this machine where the others find it; null: its name, and a port that is free.
    """

    by_slurm: ClassVar[str] = "Set compute=slurm inside an allocation"

    isolate: bool = True
    warm: bool = True
    torchrun: int | None = None
    across: tuple[str, ...] | None = None
    rendezvous: str | None = None

    def check(self, stage: Stage) -> None:
        """Raises UserError for a stage that trains on several machines where nothing says how they are reached."""
        nodes = int(_trainer(describe(stage))["nodes"])
        if nodes > 1 and self.across is None:
            raise UserError(
                f"trainer.nodes={nodes}, but compute.across does not say how a command is started on each machine.",
                f"{self.by_slurm}, or compute.across=[]: then the run stops at each stage that trains and says what to "
                "type on each machine.",
            )

    def prepare(self, modules: Iterable[str] = ()) -> None:
        if self.isolate and self.warm:
            with _without_secrets(), stopping.deaf_to_terminal():
                _server().set_forkserver_preload([WORKER, *modules])
                forkserver.ensure_running()  # it imports while this process goes on

    def run(self, spec: dict[str, Any], folder: Path, heavy: bool) -> dict[str, Any]:
        spec = {**spec, "id": spec_id(spec)}
        write_json(folder / SPEC, spec)
        if not (heavy and self.isolate):
            from src.worker import run_spec

            return run_spec(folder / SPEC)
        with worker_lock(folder):
            done = finished_work(folder, spec["id"])
        return done or self._in_process(folder, spec)

    def _command(self, spec: dict[str, Any], path: Path) -> list[str]:
        """How the worker is started where it is more than one process, or Python starts anew."""
        trainer = _trainer(spec["stage"])
        processes, nodes = self.torchrun or int(trainer["devices"]), int(trainer["nodes"])
        command = [sys.executable, "-m", "src.worker", str(path), f"--processes={processes}"]
        if nodes == 1:
            return [*command, f"--parent={os.getpid()}"]
        meeting = self.rendezvous or f"{socket.gethostname()}:{free_port()}"
        together = [f"--nodes={nodes}", f"--rendezvous={meeting}"]
        if not self.across:
            raise UserError(
                f"The stage '{spec['kind']}' trains on {nodes} machines, and compute.across is empty.",
                f"Type on each machine `{' '.join([*command, *together])}` and then this command again, which takes "
                "the result over.",
            )
        return [*(word.format(nodes=nodes) for word in self.across), *command, *together]

    def _in_process(self, folder: Path, spec: dict[str, Any]) -> dict[str, Any]:
        (folder / RESULT).unlink(missing_ok=True)
        command = self._command(spec, folder / SPEC)
        fork = self.warm and command[-2:] == ["--processes=1", f"--parent={os.getpid()}"]
        keys = _keys_for(spec)
        code = _forked(folder / SPEC, keys) if fork else _fresh(command, keys)
        if code == FULL_DISK_CODE:
            raise full_disk(folder)
        if code in (stopping.EXIT_CODE, -signal.SIGTERM):
            raise Stopped
        result = json.loads((folder / RESULT).read_text()) if (folder / RESULT).exists() else {}
        result.pop("spec", None)
        if "problem" in result:
            raise UserError(result["problem"], result["mend"])
        if code or not result:
            raise UserError(
                f"The stage '{spec['kind']}' ended with {_exit_words(code)}; its own words are above.",
                f"Its inputs are in {folder / SPEC}; `python -m src.worker {folder / SPEC}` runs it alone.",
            )
        return result


@dataclass(frozen=True)
class RayCluster(Local):
    """Engines that write texts run on every machine of a Ray cluster; all other work stays on this machine.

    address, workers, gpus, cpus: see `src.generation.pool.Pool`.
    """

    by_slurm: ClassVar[str] = (
        "Inside an allocation of Slurm's set compute.across as compute=slurm has it (conf/compute/slurm.yaml), which "
        "itself would write all texts on one machine"
    )

    address: str | None = None
    workers: int | None = None
    gpus: float | None = None
    cpus: float | None = None

    def check(self, stage: Stage) -> None:
        """Raises UserError when Ray is not installed, too."""
        require("ray", "compute=ray")
        super().check(stage)

    def prepare(self, modules: Iterable[str] = ()) -> None:
        """Raises UserError when Ray is not installed."""
        require("ray", "compute=ray")
        super().prepare(modules)

    def run(self, spec: dict[str, Any], folder: Path, heavy: bool) -> dict[str, Any]:
        engine = spec["stage"].get("engine")
        if engine is not None and engine["_target_"] != ASKING_A_SERVER:
            options = {name: getattr(self, name) for name in ("address", "workers", "gpus", "cpus")}
            pool = {"_target_": "src.generation.pool.Pool", "engine": engine, **options}
            spec = {**spec, "stage": {**spec["stage"], "engine": pool}}
        return super().run(spec, folder, heavy)


def _trainer(stage: dict[str, Any]) -> dict[str, Any]:
    """The described stage's trainer where it trains; any other stage is one process."""
    return stage["trainer"] if "recipe" in stage else {"devices": 1, "nodes": 1}


def spec_id(spec: dict[str, Any]) -> str:
    """Names what a worker is to do, whoever starts it."""
    return content_id(json.dumps({name: spec[name] for name in ("kind", "stage", "inputs")}, sort_keys=True))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        port: int = free.getsockname()[1]
        return port


def _fresh(command: list[str], keys: dict[str, str]) -> int:
    environment = {name: value for name, value in os.environ.items() if not SECRET.search(name)}
    with stopping.deaf_to_terminal():
        process = subprocess.Popen(command, env={**environment, **keys, "PYTHONUNBUFFERED": "1"})
    _join(process, process.wait)
    return process.returncode


def _forked(spec: Path, keys: dict[str, str]) -> int:
    with _without_secrets(), stopping.deaf_to_terminal():
        process = _server().Process(target=_work, args=(spec, keys))
        process.start()
    _join(process, process.join)
    return int(process.exitcode or 0)


def _join(process: Any, wait: Callable[..., Any]) -> None:
    """Wait for the process's end. Stopped meanwhile, it is stopped too and given time to save its state; stopped
    again, it ends at once."""
    try:
        wait()
    except (Stopped, KeyboardInterrupt):
        process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                wait(stopping.SAVING_SECONDS)
        finally:
            process.kill()
        raise


def _keys_for(spec: Any) -> dict[str, str]:
    """The secret variables that the stage's own options name, with their values."""
    if isinstance(spec, dict):
        named = {spec["api_key_env"]} if isinstance(spec.get("api_key_env"), str) else set[str]()
        inner = [_keys_for(value) for value in spec.values()]
        return {name: os.environ[name] for name in named if name in os.environ} | {
            k: v for d in inner for k, v in d.items()
        }
    return {}


@contextmanager
def _without_secrets() -> Iterator[None]:
    """A process that starts meanwhile inherits no secret."""
    secrets = {name: os.environ.pop(name) for name in list(os.environ) if SECRET.search(name)}
    try:
        yield
    finally:
        os.environ.update(secrets)


def _server() -> Any:
    """The fork server's context; the server starts with `prepare` or its first process, and ends with this one."""
    if multiprocessing.get_start_method() not in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("forkserver", force=True)  # joblib's own, which a forked stage cannot know
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # vLLM binds memory to a node, and says so at every start
    return multiprocessing.get_context("forkserver")


def _work(spec: Path, keys: dict[str, str]) -> None:
    from src.core.processes import end_with_parent
    from src.worker import main

    os.environ.update(keys)
    end_with_parent()
    sys.exit(main(spec))


def _exit_words(code: int) -> str:
    if code == -9:
        return "SIGKILL (out of memory, or somebody ended it)"
    return f"signal {-code}" if code < 0 else f"exit code {code}"

"""Running Python that a model wrote, where it can do no harm.

    with Sandbox() as sandbox:
        sandbox.run("print(2 + 2)")      # Execution(status="ok", output="4\\n")

With bubblewrap on the system: no network, a root that holds nothing but the libraries (read-only), an empty /tmp of
64 MB, no environment, its own process space. Without it: resource limits, a folder of its own and a bare environment
only, which stop accidents but no attack; `Sandbox.isolation` says which of the two it is. A warm template process has
NumPy and SymPy loaded and forks a child for each snippet (`sandbox_worker.py`). A snippet begins in an empty folder and
prints the same each time: strings hash alike, and random numbers begin at one seed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, TimeoutExpired, run
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from src.evaluation.helper import Helper

Isolation = Literal["bubblewrap", "limits"]
WORKER = Path(__file__).with_name("sandbox_worker.py")
NOBODY = 65_534
MARGIN_SECONDS = 10.0  # for a busy machine, on top of the snippet's own time
FOLDER_BYTES = 64 << 20
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")


class Execution(NamedTuple):
    """`status`: ok; error (an exception or an exit code, told in the output); timeout; memory; output (too much of it);
    killed (it ended itself or its supervisor by a signal)."""

    status: str
    output: str


class Sandbox:
    """One worker; `run` may be called from any thread. Limits are per snippet: `seconds` of wall time, `memory_mb` of
    address space of each process, `output_chars` of printed text, `processes` (which together may
    take that many times the memory)."""

    def __init__(self, seconds: float = 5.0, memory_mb: int = 1024, output_chars: int = 10_000, processes: int = 16):
        self.limits = {"seconds": seconds, "memory": memory_mb << 20, "output": output_chars, "processes": processes}
        self.isolation: Isolation = "bubblewrap" if has_bubblewrap() else "limits"
        walled = self.isolation == "bubblewrap"
        self._folder = None if walled else TemporaryDirectory(prefix="sandbox-", ignore_cleanup_errors=True)
        folder = self._folder.name if self._folder else _scratch()
        user = str(NOBODY) if walled and os.getuid() == 0 else ""
        inside = [sys.executable, "-P", "-s", str(WORKER), self.isolation, user, folder]
        command = [*_bubblewrap(), *inside] if walled else inside
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        plain = {"PATH": "/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
        self._helper = Helper(command, {**plain, **threads})

    def run(self, code: str, before: Sequence[str] = ()) -> Execution:
        """Run a snippet in an interpreter of its own; its standard output and errors come back together.

        `before`: snippets that run first, in silence, and whose names it sees, as in a notebook.
        """
        request = json.dumps({"code": code, "before": list(before), **self.limits})
        try:
            answer = self._helper.ask(request, float(self.limits["seconds"]) + MARGIN_SECONDS)
        except TimeoutError:
            return Execution("timeout", "")
        if not answer:
            return Execution("killed", "")
        found = json.loads(answer)
        if found.pop("spoiled"):
            self._helper.close()  # the next snippet starts a fresh one
        return Execution(**found)

    def close(self) -> None:
        self._helper.close()
        if self._folder:
            self._folder.cleanup()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@cache
def has_bubblewrap() -> bool:
    """Is it there, and does this kernel let it make its namespaces?"""
    if not shutil.which("bwrap"):
        return False
    try:
        return run([*_bubblewrap(), "/usr/bin/true"], stdin=DEVNULL, capture_output=True, timeout=30).returncode == 0
    except (OSError, TimeoutExpired):
        return False


def _bubblewrap() -> list[str]:
    """The walls. Root drops to `nobody` inside by itself (limits on processes do not bind root), so it needs no user
    namespace; everybody else gets one, in which the limit counts the sandbox's own processes only."""
    spaces = ["pid", "net", "ipc", "uts"] + ([] if os.getuid() == 0 else ["user"])
    rights = ["--cap-drop", "ALL"]
    if os.getuid() == 0:
        rights += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_KILL"]
    walls = ["bwrap", *(f"--unshare-{space}" for space in spaces), *rights, "--die-with-parent", "--new-session"]
    for folder in dict.fromkeys(("/tmp", _scratch())):  # before the rest, which /tmp would hide where it lies there
        walls += [*_size_limit(), "--tmpfs", folder]
    walls += [part for folder in _parents(_readable()) for part in ("--perms", "0755", "--dir", folder)]
    walls += [part for path in _readable() for part in ("--ro-bind", path, path)]
    return [*walls, "--proc", "/proc", "--dev", "/dev", "--chmod", "1777", _scratch(), "--chdir", _scratch()]


def _scratch() -> str:
    """Where a snippet may write: /tmp, unless parts of this project lie there, which no sweeping-out must meet."""
    return "/scratch" if any(path.startswith("/tmp/") for path in _readable()) else "/tmp"


@cache
def _size_limit() -> list[str]:
    """A limit for /tmp, from bubblewrap 0.8 on; with an older one, what a snippet writes there can fill the memory."""
    help_text = run(["bwrap", "--help"], stdin=DEVNULL, capture_output=True, text=True, timeout=30)
    return ["--size", str(FOLDER_BYTES)] if "--size" in help_text.stdout + help_text.stderr else []


def _parents(paths: list[str]) -> list[str]:
    """The folders above the given ones, outermost first: bubblewrap would make them for root's eyes only."""
    return sorted({str(parent) for path in paths for parent in Path(path).parents} - {"/", *paths})


def _readable() -> list[str]:
    """The interpreter and its libraries, and nothing else of this machine's files."""
    libraries = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    mine = (sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent), *libraries, str(WORKER))
    return list(dict.fromkeys(path for path in (*SYSTEM, *mine) if Path(path).exists()))

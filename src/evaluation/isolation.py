"""What separates a program that a model wrote from this machine, and how such a program is started.

| isolation | what it needs | what a program meets |
|---|---|---|
| bubblewrap | Debian's package `bubblewrap` | no network, only its own processes, the libraries read-only |
| namespaces | `unshare` (util-linux) and user namespaces, or root | the same, set up by `sandbox_root.py` |
| none | nothing | resource limits alone: they stop accidents, and no attack |

As root each sandbox also has a user of its own: limits on processes do not bind root, and they count by user.
Landlock was looked at: its Python packages are young, and UDP sockets need seccomp besides.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, TimeoutExpired, run
from typing import Literal

from src.core.errors import UserError

Isolation = Literal["bubblewrap", "namespaces", "none"]
Programs = Literal["isolated", "unisolated", "skip"]

WORKER = Path(__file__).with_name("sandbox_worker.py")
ROOT_SCRIPT = Path(__file__).with_name("sandbox_root.py")
FOLDER_BYTES = 64 << 20
FIRST_USER, USERS = (
    61_184,
    4_096,
)  # the ids that systemd keeps for short-lived users: no person's, and mapped everywhere
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
PROBE_SECONDS = 30.0


def isolation_for(programs: Programs) -> Isolation:
    """What programs run in under this option. Raises UserError for "isolated" where the machine has no isolation."""
    if programs == "unisolated":
        return "none"
    if found := best_isolation(os.environ.get("PATH", "")):
        return found
    raise UserError(
        "Programs that a model wrote are run in isolation only, and neither bubblewrap nor user namespaces work here: "
        "apt-get install bubblewrap.",
        "programs=skip runs none of them; programs=unisolated runs them with the rights of your user, which no report "
        "will keep quiet about.",
    )


@cache
def best_isolation(path: str) -> Isolation | None:
    """The strongest isolation that works with the commands on `path` (the variable PATH) and with this kernel."""
    if shutil.which("bwrap", path=path) and _works([*bubblewrap_command(), "/usr/bin/true"]):
        return "bubblewrap"
    if shutil.which("unshare", path=path) and _works([*namespaces_command(), "/usr/bin/true"]):
        return "namespaces"
    return None


def _works(command: list[str]) -> bool:
    try:
        return run(command, stdin=DEVNULL, capture_output=True, timeout=PROBE_SECONDS).returncode == 0
    except (OSError, TimeoutExpired):
        return False


def bubblewrap_command() -> list[str]:
    """What goes before a command so that bubblewrap isolates it. Root needs no user namespace: the worker drops to a
    user of its own (`spare_user`). Everybody else gets one, in which limits count the sandbox's own processes only."""
    spaces = ["pid", "net", "ipc", "uts"] + ([] if os.getuid() == 0 else ["user"])
    rights = ["--cap-drop", "ALL"]
    if os.getuid() == 0:
        rights += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_KILL"]
    command = ["bwrap", *(f"--unshare-{space}" for space in spaces), *rights, "--die-with-parent", "--new-session"]
    for folder in dict.fromkeys(("/tmp", scratch())):  # before the rest, which /tmp would hide where it lies there
        command += [*_size_limit(), "--tmpfs", folder]
    command += [part for folder in _parents(readable()) for part in ("--perms", "0755", "--dir", folder)]
    command += [part for path in readable() for part in ("--ro-bind", path, path)]
    return [*command, "--proc", "/proc", "--dev", "/dev", "--chmod", "1777", scratch(), "--chdir", scratch()]


def namespaces_command() -> list[str]:
    """The same with `unshare`: it makes the namespaces, and `sandbox_root.py` the file system in them."""
    spaces = ["--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts"]
    if os.getuid() != 0:
        spaces += ["--user", "--map-root-user"]
    paths = os.pathsep.join(readable())
    return ["unshare", *spaces, sys.executable, "-P", "-s", str(ROOT_SCRIPT), paths, scratch(), str(FOLDER_BYTES)]


def spare_user(number: int) -> int:
    """A user id for the `number`-th sandbox of this process; other processes begin elsewhere."""
    return FIRST_USER + (os.getpid() * 16 + number) % USERS


def require_readable_python(user: int) -> None:
    """Raises UserError where `user` cannot read this interpreter's libraries. For root, which may ask."""
    try:
        done = run([sys.executable, "-c", "import sympy"], user=user, group=user, extra_groups=[], env={}, cwd="/")
        fine = done.returncode == 0
    except OSError:
        fine = False
    if not fine:
        raise UserError(
            f"As root, programs=unisolated runs programs as user {user}, who cannot read {sys.prefix}.",
            "apt-get install bubblewrap, or put the environment where every user can read it.",
        )


def scratch() -> str:
    """Where a program may write: /tmp, unless parts of this project lie there, which no sweeping-out must meet."""
    return "/scratch" if any(path.startswith("/tmp/") for path in readable()) else "/tmp"


@cache
def _size_limit() -> list[str]:
    """A limit for /tmp, from bubblewrap 0.8 on; with an older one, what a program writes there can fill the memory."""
    help_text = run(["bwrap", "--help"], stdin=DEVNULL, capture_output=True, text=True, timeout=PROBE_SECONDS)
    return ["--size", str(FOLDER_BYTES)] if "--size" in help_text.stdout + help_text.stderr else []


def _parents(paths: list[str]) -> list[str]:
    """The folders above the given ones, outermost first: bubblewrap would make them for root's eyes only."""
    return sorted({str(parent) for path in paths for parent in Path(path).parents} - {"/", *paths})


def readable() -> list[str]:
    """The interpreter and its libraries, and nothing else of this machine's files."""
    libraries = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    mine = (sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent), *libraries, str(WORKER))
    there = dict.fromkeys(path for path in (*SYSTEM, *mine) if Path(path).exists())
    return [path for path in there if not any(str(parent) in there for parent in Path(path).parents)]

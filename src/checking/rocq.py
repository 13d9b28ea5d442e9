"""Rocq (Coq) as a checker: `apt-get install coq`, seen with 8.16. Warm toplevels, each in a sandbox."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from subprocess import DEVNULL, run
from typing import ClassVar

from src.checking.base import Checker, CheckerSession, Claim, Task
from src.checking.formula import FormulaSyntax
from src.checking.pool import PooledSession
from src.checking.toplevel import Toplevel
from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.evaluation.isolation import Programs, bubblewrap_command, isolation_for, namespaces_command, spare_user
from src.theorems.statement import Statement

INSTALL = "apt-get install coq (Debian and Ubuntu), or choose another checker."
PREFIXES: dict[str, Callable[[], list[str]]] = {
    "bubblewrap": bubblewrap_command,
    "namespaces": namespaces_command,
    "none": list,
}
FILE_BYTES, PROCESSES = 1 << 20, 64
SYNTAX = FormulaSyntax(
    forall="forall",
    quantified=re.compile(r"forall\b"),
    arrow="->",
    binders=re.compile(r"\b(?:forall|exists2?|fun|let|if|match|fix|cofix)\b"),
)
_numbers = count()


@dataclass(frozen=True)
class Rocq(Checker):
    """Proofs by tactics, over the integers unless a statement says otherwise.

    libraries: what is loaded before anything is stated; scope: how numbers are read.
    seconds: of processor time for one proof; memory_mb: for one toplevel; programs: how it is kept apart from this
        machine.
    """

    language: ClassVar[str] = "rocq"
    stop: ClassVar[tuple[str, ...]] = ("\n",)
    refutations: ClassVar[tuple[str, ...]] = ("intros; first [contradiction | lia].", "intros; lra.")

    libraries: tuple[str, ...] = ("ZArith", "Lia", "QArith", "Lqa", "Znumtheory")
    scope: str = "Z_scope"
    seconds: float = 5.0
    memory_mb: int = 2_048
    programs: Programs = "isolated"
    workers: int = field(default=1, metadata=not_in_key("how many processes share the work"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "libraries", tuple(self.libraries))
        at_least(self, 1, "workers")
        at_least(self, 256, "memory_mb")
        if self.seconds <= 0:
            raise ValueError(f"seconds must be above 0, not {self.seconds}")

    @property
    def falsum(self) -> str:
        return "False"

    def preflight(self) -> None:
        self.identity()
        isolation_for(self.programs)

    def identity(self) -> dict[str, str]:
        return {"version": _version(os.environ.get("PATH", ""))}

    def open(self) -> CheckerSession:
        self.identity()
        return PooledSession(self, self.workers, lambda: Toplevel(self.command(), self.preamble(), self.seconds))

    def written(self, statement: Claim) -> str:
        assert isinstance(statement, Statement), "libraries are Lean's"
        return SYNTAX.written(statement)

    def read(self, formula: str) -> Statement | None:
        return SYNTAX.read(formula)

    def formula(self, task: Task) -> str:
        """What a task asks to be proved."""
        written = self.written(task.statement)
        return f"~ ({written})" if task.negated else written

    def command(self) -> list[str]:
        """Starts a toplevel: without network, files and rights where there is isolation, within limits everywhere."""
        isolation = isolation_for(self.programs)
        limits = [f"--as={self.memory_mb << 20}", f"--fsize={FILE_BYTES}", f"--nproc={PROCESSES}", "--core=0"]
        drop = []
        if os.getuid() == 0 and isolation != "none":
            user = spare_user(next(_numbers))
            drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"]
        return [*PREFIXES[isolation](), *drop, "prlimit", *limits, "coqtop", "-q"]

    def preamble(self) -> list[str]:
        libraries = " ".join(self.libraries)
        return [f"From Coq Require Import {libraries}.", f"Open Scope {self.scope}."]


@cache
def _version(path: str) -> str:
    if not shutil.which("coqtop", path=path):
        raise UserError("The checker rocq needs coqtop, which is not on the path.", INSTALL)
    told = run(["coqtop", "--version"], stdin=DEVNULL, capture_output=True, text=True)
    return told.stdout.partition("version ")[2].split()[0] if "version " in told.stdout else told.stdout.strip()

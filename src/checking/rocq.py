"""Rocq (Coq) as a checker: `apt-get install coq`, seen with 8.16. Warm toplevels, each in a sandbox."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from queue import SimpleQueue
from subprocess import DEVNULL, run
from typing import TypeVar

from src.checking.base import Checker, CheckerSession, Task, Verdict, split_arrows
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
LOOKED_AT, LOOKED_AT_CHARS = (
    50,
    20_000,
)  # proofs whose assumptions are looked at together; their length: a pipe holds it
FILE_BYTES, PROCESSES = 1 << 20, 64
_FORMULA = re.compile(r"forall (\w[\w ]*: \w+|(?:\([\w ]+: \w+\) ?)+), (.*)", re.DOTALL)
_numbers = count()
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Rocq(Checker):
    """Proofs by tactics, over the integers unless a statement says otherwise.

    libraries: what is loaded before anything is stated; scope: how numbers are read.
    seconds: of processor time for one proof; memory_mb: for one toplevel; programs: how it is kept apart from this
        machine.
    """

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

    def open(self) -> RocqSession:
        self.identity()
        return RocqSession(self)

    def written(self, statement: Statement) -> str:
        body = " -> ".join([*map(_bracketed, statement.hypotheses), statement.conclusion])
        return f"forall {statement.variables}, {body}" if statement.variables else body

    def read(self, formula: str) -> Statement | None:
        found = _FORMULA.fullmatch(formula.strip())
        variables, body = (found[1], found[2]) if found else ("", formula.strip())
        *hypotheses, conclusion = split_arrows(body)
        if not conclusion or not all(hypotheses) or conclusion.startswith("forall"):
            return None
        return Statement(variables, tuple(hypotheses), conclusion)

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


def _bracketed(hypothesis: str) -> str:
    """A hypothesis with an arrow or a quantifier of its own needs brackets."""
    return f"({hypothesis})" if len(split_arrows(hypothesis)) > 1 or hypothesis.startswith("forall") else hypothesis


@cache
def _version(path: str) -> str:
    if not shutil.which("coqtop", path=path):
        raise UserError("The checker rocq needs coqtop, which is not on the path.", INSTALL)
    told = run(["coqtop", "--version"], stdin=DEVNULL, capture_output=True, text=True)
    return told.stdout.partition("version ")[2].split()[0] if "version " in told.stdout else told.stdout.strip()


class RocqSession(CheckerSession):
    """`workers` toplevels, started when first needed."""

    def __init__(self, checker: Rocq):
        self.checker = checker
        self._threads = ThreadPoolExecutor(checker.workers)
        self._free: SimpleQueue[Toplevel] = SimpleQueue()
        for _ in range(checker.workers):
            self._free.put(Toplevel(checker.command(), checker.preamble(), checker.seconds))

    def check_all(self, tasks: Iterable[Task]) -> list[Verdict]:
        asked = list(tasks)
        given = [(self.checker.formula(task), task.proof) for task in asked]
        distinct = list(dict.fromkeys(given))
        found = dict(zip(distinct, self._map(lambda toplevel, pair: toplevel.prove(*pair), distinct), strict=True))
        groups = list(_groups([pair for pair, verdict in found.items() if verdict.status == "proved"]))
        looked = self._map(lambda toplevel, group: toplevel.assumptions(group), groups)
        found |= {p: v for group, verdicts in zip(groups, looked, strict=True) for p, v in zip(group, verdicts)}
        return [_of(found[pair], task.negated) for pair, task in zip(given, asked, strict=True)]

    def well_formed(self, statements: Iterable[Statement]) -> list[Verdict]:
        given = [self.checker.written(statement) for statement in statements]
        distinct = list(dict.fromkeys(given))
        found = dict(zip(distinct, self._map(lambda toplevel, formula: toplevel.state(formula), distinct), strict=True))
        return [found[formula] for formula in given]

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        while not self._free.empty():
            self._free.get().close()

    def _map(self, judge: Callable[[Toplevel, T], R], items: Sequence[T]) -> list[R]:
        return list(self._threads.map(lambda item: self._with_one(judge, item), items))

    def _with_one(self, judge: Callable[[Toplevel, T], R], item: T) -> R:
        toplevel = self._free.get()
        try:
            return judge(toplevel, item)
        finally:
            self._free.put(toplevel)


def _of(verdict: Verdict, negated: bool) -> Verdict:
    """A proof of the negation refutes."""
    return Verdict("refuted") if negated and verdict.status == "proved" else verdict


def _groups(proved: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    group: list[tuple[str, str]] = []
    for pair in proved:
        if group and (len(group) == LOOKED_AT or sum(len(a) + len(b) for a, b in [*group, pair]) > LOOKED_AT_CHARS):
            yield group
            group = []
        group.append(pair)
    if group:
        yield group

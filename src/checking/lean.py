"""Lean 4 as a checker, through the REPL of the Lean community (github.com/leanprover-community/repl).

The REPL reads JSON commands that a blank line ends, {"cmd": text, "env": number}, and answers {"messages":
[{"severity", "data", ...}], "sorries": [...], "env": number}: the text is worked out in the environment of that number,
and the answer names the new one. So each proof begins in the environment of the imports, and no proof sees another.

A `Statement` becomes one formula over the checker's own imports. A `Declaration` of a library is stated as it was
published, over its own imports, options and definitions: `theorem name binders : conclusion := by`, then the proof.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from src.checking.base import (
    ASSUMPTIONS,
    DIED,
    ILL_FORMED,
    NO_PROOF,
    REFUSED,
    Checker,
    CheckerSession,
    CheckVerdict,
    Claim,
    Task,
)
from src.checking.formula import FormulaSyntax
from src.checking.pool import PooledSession
from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.core.processes import end_group
from src.evaluation.isolation import Programs, bubblewrap_command, isolation_for
from src.text.answers import extract_answer
from src.theorems.lean import negated, signature, source, without_comments
from src.theorems.statement import Declaration, Statement

START_SECONDS = 600.0  # Mathlib is loaded
RECYCLE = 1_000  # proofs: the REPL keeps every environment that it has made
NAME = "checked_goal"
AXIOMS = frozenset({"propext", "Classical.choice", "Quot.sound"})  # of Lean's own logic
# Commands, which a proof by tactics has no use for, and what lets a proof pass unproved or run programs.
FORBIDDEN = re.compile(
    r"(?<![\w.\'])(?:sorry|admit|axiom|constant|opaque|unsafe|partial|native_decide|implemented_by|extern|import|namespace"
    r"|section|end|theorem|lemma|example|def|abbrev|instance|structure|class|inductive|attribute|local|scoped|variable"
    r"|universe|notation|infixl?|infixr|prefix|postfix|macro|macro_rules|syntax|elab|elab_rules|initialize|run_cmd|run_tac"
    r"|by_elab|run_elab|run_meta|simproc|alias|eval%|set_option|open|export|mutual|deriving|private|protected"
    r"|noncomputable|dbg_trace|trace|IO)(?![\w\'])|#|@\["
)
SYNTAX = FormulaSyntax(
    forall="∀",
    quantified=re.compile(r"∀(?![ᶠᵐ])"),  # those are about filters and measures
    arrow="→",
    binders=re.compile(r"[∀∃λ]|\b(?:fun|let|if|match|have)\b"),
    equivalence="↔",
)
_DEPENDS = re.compile(r"depends on axioms: \[(.*)\]", re.DOTALL)
_IMPORT = re.compile(r"^import\s+\S+$", re.MULTILINE)


class Goal(NamedTuple):
    """What a worker is told to be proved. imports: what its environment holds; before: options, openings and
    definitions; claim: the theorem called `name`; trusted: it is a library's, and no model wrote any of it."""

    imports: str
    before: str
    claim: str
    name: str
    trusted: bool = False


@dataclass(frozen=True)
class Lean(Checker):
    """Proofs by tactics in a Lake project that has the REPL, and Mathlib where `imports` ask for it.

    project: its folder; imports, opens: what a statement may speak of. command: starts the REPL there.
    seconds: of wall time, for one proof; heartbeats: Lean's own limit, the same on every machine, unless a library sets
        another. memory_mb: for one REPL, what it reads from files left aside.
    """

    language: ClassVar[str] = "lean"
    stop: ClassVar[tuple[str, ...]] = ("```",)
    refutations: ClassVar[tuple[str, ...]] = ("omega", "linarith", "simp_all", "norm_num at *")

    project: str = field(metadata=not_in_key("what it holds is in identity()"))
    imports: tuple[str, ...] = ("Mathlib",)
    opens: tuple[str, ...] = ("Nat", "Real")
    command: tuple[str, ...] = ("lake", "exe", "repl")
    seconds: float = 60.0
    heartbeats: int = 400_000
    memory_mb: int = 16_384
    programs: Programs = "isolated"
    workers: int = field(default=1, metadata=not_in_key("how many processes share the work"))

    def __post_init__(self) -> None:
        for name in ("imports", "opens", "command"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        at_least(self, 1, "workers", "heartbeats")
        at_least(self, 256, "memory_mb")

    @property
    def falsum(self) -> str:
        return "False"

    def identity(self) -> dict[str, str]:
        """Lean's version, and that of everything that the project builds on."""
        folder = Path(self.project).expanduser()
        files = {name: folder / name for name in ("lean-toolchain", "lake-manifest.json")}
        if not shutil.which(self.command[0]):
            raise UserError(f"The checker lean needs {self.command[0]}, which is not on the path.", "Install elan.")
        if missing := [str(path) for path in files.values() if not path.is_file()]:
            raise UserError(
                f"There is no Lake project in {folder}: {', '.join(missing)} missing.", "checker.project=DIR"
            )
        return {name: path.read_text(encoding="utf-8").strip() for name, path in files.items()}

    def open(self) -> CheckerSession:
        self.identity()
        return PooledSession(self, self.workers, lambda: Repl(self._command(), self.project, self.seconds))

    def written(self, statement: Claim) -> str:
        if isinstance(statement, Declaration):
            return source(statement)
        return SYNTAX.written(statement)

    def formula(self, task: Task) -> str:
        if isinstance(task.statement, Declaration):
            return source(negated(task.statement) if task.negated else task.statement)
        written = self.written(task.statement)
        return f"¬ ({written})" if task.negated else written

    def goal(self, task: Task) -> Goal:
        if not isinstance(task.statement, Declaration):
            opens = f"\nopen {' '.join(self.opens)}" if self.opens else ""
            imports = "\n".join(f"import {name}" for name in self.imports)
            return Goal(imports, self._limit() + opens, f"theorem {NAME} : {self.formula(task)}", NAME)
        given = negated(task.statement) if task.negated else task.statement
        imports = "\n".join(_IMPORT.findall(given.header))
        opened = _IMPORT.sub("", given.header).strip("\n")
        before = "\n".join(part for part in (self._limit(), opened, given.context) if part)
        return Goal(imports, before, signature(given), given.name, trusted=True)

    def proof_in(self, text: str) -> str:
        return extract_answer(text, "proof") or ""

    def read(self, formula: str) -> Statement | None:
        return SYNTAX.read(formula)

    def _limit(self) -> str:
        return f"set_option maxHeartbeats {self.heartbeats}"

    def _command(self) -> list[str]:
        isolation = isolation_for(self.programs)
        limited = ["prlimit", f"--data={self.memory_mb << 20}", "--core=0", *self.command]
        if isolation == "none":
            return limited
        if isolation != "bubblewrap":
            raise UserError("The checker lean is isolated by bubblewrap alone.", "apt-get install bubblewrap")
        homes = (Path(self.project).expanduser(), Path(os.environ.get("ELAN_HOME", "~/.elan")).expanduser())
        binds = [part for home in homes if home.exists() for part in ("--ro-bind", str(home), str(home))]
        return [*bubblewrap_command(), *binds, "--chdir", str(homes[0]), *limited]


class Repl:
    """One REPL, warm. A proof that it does not answer in time costs the process, and the next one starts another."""

    def __init__(self, command: Sequence[str], folder: str, seconds: float):
        self.command, self.folder, self.seconds = list(command), folder, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._bases: dict[str, int] = {}  # the environments of imports
        self._judged = 0

    def state(self, goal: Goal) -> CheckVerdict:
        if not goal.trusted and (forbidden := FORBIDDEN.search(_formula(goal))):
            return CheckVerdict("error", f"{ILL_FORMED}: {forbidden[0]}")
        verdict, _ = self._work(goal, f"{goal.claim} := by sorry", ILL_FORMED)
        return verdict

    def prove(self, goal: Goal, proof: str) -> CheckVerdict:
        for text, what in (("" if goal.trusted else _formula(goal), ILL_FORMED), (_code(proof), REFUSED)):
            if forbidden := FORBIDDEN.search(text):
                return CheckVerdict("error", f"{what}: {forbidden[0]}")
        if not proof.strip():
            return CheckVerdict("error", f"{REFUSED}: empty")
        tactics = "\n".join(f"  {line}" for line in proof.strip("\n").splitlines())
        verdict, reply = self._work(goal, f"{goal.claim} := by\n{tactics}", NO_PROOF)
        if verdict.status != "proved":
            return verdict
        if reply.get("sorries"):
            return CheckVerdict("error", f"{ASSUMPTIONS}: sorryAx")
        return self._axioms(goal, int(reply["env"]))

    def assumptions(self, proved: Sequence[tuple[Goal, str]]) -> list[CheckVerdict]:
        """They were looked at with each proof: that is cheap in Lean."""
        return [CheckVerdict("proved")] * len(proved)

    def _axioms(self, goal: Goal, env: int) -> CheckVerdict:
        """Whether the theorem of that environment depends on nothing but Lean's own axioms."""
        verdict, reply = self._work(goal, f"#print axioms {goal.name}", ASSUMPTIONS, env)
        if verdict.status != "proved":
            return verdict
        told = " ".join(message["data"] for message in reply.get("messages", []))
        if re.search(rf"'(?:[^']*\.)?{re.escape(goal.name)}' does not depend on any axioms", told):
            return CheckVerdict("proved")
        found = _DEPENDS.search(told)
        names = {name.strip() for name in found[1].split(",")} if found else {"not seen"}
        return (
            CheckVerdict("proved")
            if names <= AXIOMS
            else CheckVerdict("error", f"{ASSUMPTIONS}: {', '.join(names - AXIOMS)}")
        )

    def _work(self, goal: Goal, text: str, what: str, env: int | None = None) -> tuple[CheckVerdict, dict[str, Any]]:
        """What Lean says to a text: in the environment `env`, else in that of the goal's imports, after what stands
        before the goal."""
        try:
            if env is None:
                if self._judged >= RECYCLE:
                    self.close()
                env, text = self._base(goal.imports), f"{goal.before}\n\n{text}"
                self._judged += 1
            reply = self._ask({"cmd": text, "env": env}, self.seconds)
        except TimeoutError:
            return CheckVerdict("timeout"), {}
        except EOFError:
            return CheckVerdict("error", DIED), {}
        errors = [m["data"] for m in reply.get("messages", []) if m.get("severity") == "error"]
        if "env" not in reply:
            errors.append(str(reply.get("message", "no environment")))
        if errors:
            return CheckVerdict("error", f"{what}: {' '.join(errors[0].split())[:160]}"), reply
        return CheckVerdict("proved"), reply

    def _base(self, imports: str) -> int:
        """The environment of these imports, in a REPL that lives."""
        if self._process is None:
            self._start()
        if imports not in self._bases:
            try:
                reply = self._ask({"cmd": imports}, START_SECONDS)
                wrong = [m["data"] for m in reply.get("messages", []) if m.get("severity") == "error"]
                problem = " ".join(wrong) or ("" if "env" in reply else str(reply.get("message", reply)))
            except (TimeoutError, EOFError) as error:
                problem = repr(error)
            if problem:
                self.close()
                raise UserError(
                    f"The REPL of Lean did not take {imports.replace(chr(10), ', ') or 'no imports'}: {problem}",
                    f"Try it in {self.folder}: {' '.join(self.command)}",
                )
            self._bases[imports] = int(reply["env"])
        return self._bases[imports]

    def _start(self) -> None:
        self._judged = 0
        self._bases = {}
        self._process = subprocess.Popen(
            self.command,
            cwd=Path(self.folder).expanduser(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in ("PATH", "HOME", "ELAN_HOME") if name in os.environ},
            start_new_session=True,
        )

    def _ask(self, command: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Raises TimeoutError and EOFError, and ends the process for both."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        found, deadline = b"", time.monotonic() + seconds
        try:
            process.stdin.write(json.dumps(command).encode() + b"\n\n")
            process.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while b"\n\n" not in found:
                    if not selector.select(max(0.0, deadline - time.monotonic())):
                        raise TimeoutError
                    piece = os.read(process.stdout.fileno(), 1 << 16)
                    if not piece:
                        raise EOFError
                    found += piece
            reply: dict[str, Any] = json.loads(found)
        except BrokenPipeError:
            self.close()
            raise EOFError from None
        except BaseException:
            self.close()
            raise
        return reply

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            end_group(process)


def _code(proof: str) -> str:
    """A proof without its comments, whose words are no commands. All of it where a string or a name in guillemets may
    hold what only looks like the beginning of a comment."""
    return proof if '"' in proof or "«" in proof else without_comments(proof)


def _formula(goal: Goal) -> str:
    """What a model may have written of it."""
    return goal.claim.removeprefix(f"theorem {goal.name} :")

"""Lean 4 as a checker, through the REPL of the Lean community (github.com/leanprover-community/repl).

The REPL reads JSON commands that a blank line ends, {"cmd": text, "env": number}, and answers {"messages":
[{"severity", "data", ...}], "sorries": [...], "env": number}: the text is worked out in the environment of that number,
and the answer names the new one. So each proof begins in the environment of the imports, and no proof sees another.
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
from typing import Any, ClassVar

from src.checking.base import (
    ASSUMPTIONS,
    DIED,
    ILL_FORMED,
    NO_PROOF,
    REFUSED,
    Checker,
    CheckerSession,
    Task,
    Verdict,
    bracketed,
    split_arrows,
)
from src.checking.pool import PooledSession
from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.core.processes import end_group
from src.evaluation.isolation import Programs, bubblewrap_command, isolation_for
from src.theorems.statement import Statement

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
_QUANTIFIER = re.compile(r"[∀∃λ]|\b(?:fun|let|if|match|have)\b")
_FORMULA = re.compile(r"∀ ([^,]+), (.*)", re.DOTALL)
_DEPENDS = re.compile(r"depends on axioms: \[(.*)\]", re.DOTALL)


@dataclass(frozen=True)
class Lean(Checker):
    """Proofs by tactics in a Lake project that has the REPL, and Mathlib where `imports` ask for it.

    project: its folder; imports, opens: what a statement may speak of. command: starts the REPL there.
    seconds: of wall time, for one proof; heartbeats: Lean's own limit, the same on every machine.
    """

    language: ClassVar[str] = "lean"

    project: str
    imports: tuple[str, ...] = ("Mathlib",)
    opens: tuple[str, ...] = ("Nat", "Real")
    command: tuple[str, ...] = ("lake", "exe", "repl")
    seconds: float = 60.0
    heartbeats: int = 400_000
    programs: Programs = "isolated"
    workers: int = field(default=1, metadata=not_in_key("how many processes share the work"))

    def __post_init__(self) -> None:
        for name in ("imports", "opens", "command"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        at_least(self, 1, "workers", "heartbeats")

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
        return PooledSession(
            self, self.workers, lambda: Repl(self._command(), self.project, self.header(), self.seconds)
        )

    def written(self, statement: Statement) -> str:
        body = " → ".join([*(bracketed(part, _QUANTIFIER, "→") for part in statement.hypotheses), statement.conclusion])
        return f"∀ {statement.variables}, {body}" if statement.variables else body

    def formula(self, task: Task) -> str:
        written = self.written(task.statement)
        return f"¬ ({written})" if task.negated else written

    def read(self, formula: str) -> Statement | None:
        found = _FORMULA.fullmatch(formula.strip())
        variables, body = (found[1], found[2]) if found else ("", formula.strip())
        *hypotheses, conclusion = split_arrows(body, "→")
        return Statement(variables, tuple(hypotheses), conclusion) if conclusion and all(hypotheses) else None

    def header(self) -> str:
        """What every proof stands behind."""
        lines = [f"import {name}" for name in self.imports]
        lines += [f"set_option maxHeartbeats {self.heartbeats}"]
        return "\n".join([*lines, *([f"open {' '.join(self.opens)}"] if self.opens else [])])

    def _command(self) -> list[str]:
        isolation = isolation_for(self.programs)
        if isolation == "none":
            return list(self.command)
        if isolation != "bubblewrap":
            raise UserError("The checker lean is isolated by bubblewrap alone.", "apt-get install bubblewrap")
        homes = (Path(self.project).expanduser(), Path(os.environ.get("ELAN_HOME", "~/.elan")).expanduser())
        binds = [part for home in homes if home.exists() for part in ("--ro-bind", str(home), str(home))]
        return [*bubblewrap_command(), *binds, "--chdir", str(homes[0]), *self.command]


class Repl:
    """One REPL, warm. A proof that it does not answer in time costs the process, and the next one starts another."""

    def __init__(self, command: Sequence[str], folder: str, header: str, seconds: float):
        self.command, self.folder, self.header, self.seconds = list(command), folder, header, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._base, self._judged = 0, 0

    def state(self, formula: str) -> Verdict:
        if forbidden := FORBIDDEN.search(formula):
            return Verdict("error", f"{ILL_FORMED}: {forbidden[0]}")
        verdict, _ = self._work(f"theorem {NAME} : {formula} := by sorry", ILL_FORMED)
        return verdict

    def prove(self, formula: str, proof: str) -> Verdict:
        for text, what in ((formula, ILL_FORMED), (proof, REFUSED)):
            if forbidden := FORBIDDEN.search(text):
                return Verdict("error", f"{what}: {forbidden[0]}")
        if not proof.strip():
            return Verdict("error", f"{REFUSED}: empty")
        tactics = "\n".join(f"  {line}" for line in proof.strip("\n").splitlines())
        verdict, reply = self._work(f"theorem {NAME} : {formula} := by\n{tactics}", NO_PROOF)
        if verdict.status != "proved":
            return verdict
        if reply.get("sorries"):
            return Verdict("error", f"{ASSUMPTIONS}: sorryAx")
        return self._axioms(int(reply["env"]))

    def assumptions(self, proved: Sequence[tuple[str, str]]) -> list[Verdict]:
        """They were looked at with each proof: that is cheap in Lean."""
        return [Verdict("proved")] * len(proved)

    def _axioms(self, env: int) -> Verdict:
        """Whether the theorem of that environment depends on nothing but Lean's own axioms."""
        verdict, reply = self._work(f"#print axioms {NAME}", ASSUMPTIONS, env)
        if verdict.status != "proved":
            return verdict
        told = " ".join(message["data"] for message in reply.get("messages", []))
        if f"'{NAME}' does not depend on any axioms" in told:
            return Verdict("proved")
        found = _DEPENDS.search(told)
        names = {name.strip() for name in found[1].split(",")} if found else {"not seen"}
        return Verdict("proved") if names <= AXIOMS else Verdict("error", f"{ASSUMPTIONS}: {', '.join(names - AXIOMS)}")

    def _work(self, text: str, what: str, env: int | None = None) -> tuple[Verdict, dict[str, Any]]:
        try:
            if env is None and self._judged >= RECYCLE:
                self.close()
            if self._process is None:
                self._start()
            self._judged += env is None
            reply = self._ask({"cmd": text, "env": self._base if env is None else env}, self.seconds)
        except TimeoutError:
            return Verdict("timeout"), {}
        except EOFError:
            return Verdict("error", DIED), {}
        errors = [m["data"] for m in reply.get("messages", []) if m.get("severity") == "error"]
        if "env" not in reply:
            errors.append(str(reply.get("message", "no environment")))
        if errors:
            return Verdict("error", f"{what}: {' '.join(errors[0].split())[:160]}"), reply
        return Verdict("proved"), reply

    def _start(self) -> None:
        self._judged = 0
        self._process = subprocess.Popen(
            self.command,
            cwd=Path(self.folder).expanduser(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in ("PATH", "HOME", "ELAN_HOME") if name in os.environ},
            start_new_session=True,
        )
        try:
            reply = self._ask({"cmd": self.header}, START_SECONDS)
            self._base = int(reply["env"])
        except (TimeoutError, EOFError, KeyError) as error:
            self.close()
            raise UserError(f"The REPL of Lean did not start: {error!r}", f"Try it: {' '.join(self.command)}") from None

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

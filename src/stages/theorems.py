"""Stages around formal statements: `theorems` has them written, `statement_filter` lets the sound ones through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from src.checking.base import Checker, Task, Verdict, contradiction
from src.core.checks import at_least
from src.core.fingerprint import not_in_key
from src.core.records import Problem, content_id, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.evaluation.theorems import digest_of_files, read_library
from src.theorems.families import LANGUAGE
from src.theorems.posed import CONTRADICTORY, ILL_FORMED, Posed, of_library, posed_problems, worked


def proof_row(checker: Checker, row: Posed, negated: bool, proof: str, generator: str, round: int) -> Problem:
    """A proof as a training row: the student reads the formula, or its negation, and writes the proof."""
    question = goal(checker, row, negated)
    id, answer = content_id("proof", question, proof), "refuted" if negated else "proved"
    return Problem(id, row.id, row.id, row.family, "plain", question, proof, answer, generator, round)


def goal(checker: Checker, row: Posed, negated: bool) -> str:
    """What a prover is asked: one formula on one line, or the source text of a library's theorem."""
    return checker.formula(Task(row.statement, "", negated)).rstrip("\n")


def check_language(checker: Checker, library: str | None = None) -> None:
    """Raises ValueError for a checker that cannot read what states the theorems: the families, or a library in Lean."""
    if library and checker.language != "lean":
        raise ValueError("library holds theorems in Lean: checker=lean checker.project=DIR reads them")
    if not library and checker.language != LANGUAGE:
        raise ValueError(
            f"checker must read {LANGUAGE}, in which the procedural families state their theorems; for Lean, set "
            "worked.library, theorems.library and exam.library to files or folders of theorems"
        )


def library_rows(library: str) -> list[Posed]:
    """Its theorems, in order. Raises UserError where it cannot be read."""
    path = Path(library).expanduser()
    return [of_library(entry.declaration, path.stem, entry.proof) for entry in read_library(path)]


def library_identity(*libraries: str | None) -> dict[str, str]:
    """What a key says of libraries: their content."""
    return {
        f"library_{number}": digest_of_files(Path(library).expanduser())
        for number, library in enumerate(libraries)
        if library
    }


def _claim(row: Posed) -> str:
    """What a row claims, whatever it is called and however it is laid out."""
    return " ".join(f"{row.context} {row.variables} : {row.conclusion}".split())


@dataclass(frozen=True)
class Theorems(Stage):
    """Problems of the procedural families, with the formal statements that a writer made of them: the table
    `statements`; beside it `problems`, the reference proofs where they are known.

    n: how many problems; after: so many others that are not these; error_rate: of the statements, with a fault: a
    conclusion that does not follow, a hypothesis too few, hypotheses that contradict each other, or a formula that is
    none.
    library: theorems in Lean instead of the families' (`src.evaluation.theorems.read_library`), the first `n` as they
        are: `after` and `error_rate` are for the families. A field `formal_proof` tells reference proofs.
    held_out: another library, that of the exam: what it claims is rejected here.
    """

    kind: ClassVar[str] = "theorems"
    version: ClassVar[int] = 3

    checker: Checker
    n: int
    after: int = 0
    error_rate: float = 0.0
    data_seed: int = 0
    library: str | None = field(default=None, metadata=not_in_key("its content is in identity()"))
    held_out: str | None = field(default=None, metadata=not_in_key("its content is in identity()"))

    def __post_init__(self) -> None:
        check_language(self.checker, self.library)
        at_least(self, 1, "n")
        at_least(self, 0, "after")
        if not 0 <= self.error_rate <= 1:
            raise ValueError(f"error_rate must lie in [0, 1], not {self.error_rate}")

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return self.n

    def identity(self) -> dict[str, str]:
        return library_identity(self.library, self.held_out)

    def run(self, ctx: StageContext) -> None:
        rows = self._posed()
        ctx.tally.enter(len(rows))
        asked = {_claim(row) for row in library_rows(self.held_out)} if self.held_out else set()
        entered, rows = len(rows), [row for row in rows if not asked or _claim(row) not in asked]
        ctx.tally.reject("asked in the exam", entered - len(rows))
        ctx.tally.keep(write_table(ctx.out / "statements", Posed, rows))
        proofs = (proof_row(self.checker, *proof, "reference", 0) for proof in worked(rows))
        ctx.summary["reference_proofs"] = write_table(ctx.out / "problems", Problem, proofs)
        ctx.summary["faults"] = sum(row.fault != "" for row in rows)

    def _posed(self) -> list[Posed]:
        if self.library:
            return library_rows(self.library)[: self.n]
        return posed_problems(self.after + self.n, self.data_seed, self.error_rate)[self.after :]


@dataclass(frozen=True)
class StatementFilter(Stage):
    """Reads and writes `statements`: the well-formed ones whose hypotheses do not contradict each other.

    A hypothesis is rejected as arXiv 2405.14333 does it: where False follows from the hypotheses. `attempts` are the
    proofs of False that are tried; None: the checker's own. well_formed, consistent: whether each filter works. What is
    left out stands with its reason in `rejected.jsonl`; of planted faults the summary tells each filter's precision and
    recall.
    """

    kind: ClassVar[str] = "statement_filter"
    version: ClassVar[int] = 2

    checker: Checker
    well_formed: bool = True
    consistent: bool = True
    attempts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "attempts", tuple(self.attempts or self.checker.refutations))

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return inputs["statements"].rows

    def run(self, ctx: StageContext) -> None:
        rows = list(ctx.inputs["statements"].table("statements", Posed))
        ctx.tally.enter(len(rows))
        with self.checker.open() as session:
            stated = session.well_formed(row.statement for row in rows)
            ill = {row.id: verdict for row, verdict in zip(rows, stated, strict=True) if verdict.status != "proved"}
            sound = [row for row in rows if row.id not in ill]
            tried = self.attempts or ()
            tasks = [Task(contradiction(self.checker, row.statement), proof) for row in sound for proof in tried]
            verdicts = iter(session.check_all(tasks))
        absurd = {
            row.id: Verdict("error", "False follows from the hypotheses")
            for row in sound
            if any([next(verdicts).status == "proved" for _ in tried])
        }
        found = {
            **(ill if self.well_formed else {}),
            **(absurd if self.consistent else {}),
        }
        _judge_filter(ctx, "well_formed", rows, set(ill), ILL_FORMED)
        _judge_filter(ctx, "consistent", rows, set(absurd), CONTRADICTORY)
        kept = [row for row in rows if row.id not in found]
        ctx.tally.keep(write_table(ctx.out / "statements", Posed, kept))
        with (ctx.out / "rejected.jsonl").open("w", encoding="utf-8") as file:
            for row in rows:
                if verdict := found.get(row.id):
                    ctx.tally.reject(verdict.kind or verdict.status)
                    told = {"id": row.id, "formula": goal(self.checker, row, False), "reason": verdict.reason}
                    file.write(json.dumps({**told, "fault": row.fault}) + "\n")


def _judge_filter(ctx: StageContext, name: str, rows: list[Posed], found: set[str], fault: str) -> None:
    """Precision and recall of a filter, on planted faults."""
    planted = {row.id for row in rows if row.fault == fault}
    ctx.summary |= precision_and_recall(name, found, planted)


def precision_and_recall(name: str, found: set[str], planted: set[str]) -> dict[str, float]:
    """How many a filter found, how many faults of its kind were planted, and how many of these it found; the shares
    where they are defined."""
    hits = len(found & planted)
    told = {f"{name}/found": float(len(found)), f"{name}/planted": float(len(planted)), f"{name}/hits": float(hits)}
    if found:
        told[f"{name}/precision"] = hits / len(found)
    if planted:
        told[f"{name}/recall"] = hits / len(planted)
    return told

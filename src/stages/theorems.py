"""Stages around formal statements: `theorems` has them written; `well_formed`, `statement_rating` and `consistent` let
those through that are worth a proof."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from src.checking.base import Checker, CheckerSession, CheckVerdict, Task, contradiction
from src.core.checks import at_least
from src.core.fingerprint import not_in_key
from src.core.records import Generation, Problem, Prompt, content_id, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.evaluation.theorems import digest_of_files, read_library
from src.generation.procedural.generator import ProceduralGenerator
from src.stages.rating import Rate, row_of
from src.theorems.families import LANGUAGE
from src.theorems.posed import CONTRADICTORY, ILL_FORMED, TRIVIAL, Posed, of_library, posed_problems, worked
from src.theorems.rating import StatementRating, grade_prompt, read_grade
from src.theorems.statement import Declaration


def proof_row(checker: Checker, row: Posed, negated: bool, proof: str, generator: str, round: int) -> Problem:
    """A proof as a training row: the student reads the formula, or its negation, and writes the proof."""
    question = goal(checker, row, negated)
    id, answer = content_id("proof", question, proof), "refuted" if negated else "proved"
    return Problem(id, row.id, row.id, row.family, "plain", question, proof, answer, generator, round)


def translation_row(checker: Checker, row: Posed) -> Problem:
    """A problem in words and its formal statement as a training row."""
    question, formula = translation_question(checker, row), stated(checker, row)
    id = content_id("translation", question, formula)
    return Problem(id, row.id, row.id, row.family, "plain", question, formula, "translated", "reference", 0)


def translation_question(checker: Checker, row: Posed) -> str:
    """What a model is asked that is to state a problem formally."""
    return f"State in {checker.language.capitalize()}: {row.text}"


def stated(checker: Checker, row: Posed) -> str:
    """The statement as one formula, that of a library without what is opened and defined around it."""
    if isinstance(row.statement, Declaration):
        return f"∀ {row.variables}, {row.conclusion}" if row.variables else row.conclusion
    return checker.written(row.statement)


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


def claim(row: Posed) -> str:
    """What a row claims, whatever it is called and however it is laid out."""
    return " ".join(" ".join((row.context, row.variables, ":", *row.hypotheses, row.conclusion)).split())


def claims_of(library: str | None) -> set[str]:
    """What a library's theorems claim; nothing where there is none."""
    return {claim(row) for row in library_rows(library)} if library else set()


@dataclass(frozen=True)
class Theorems(Stage):
    """Problems of the procedural families, with the formal statements that a writer made of them: the table
    `statements`; beside it `problems`, the reference proofs where they are known.

    n: how many problems; after: so many others that are not these; translations: `problems` also tells how those
    without a fault are stated; error_rate: of the statements, with a fault: a
    conclusion that does not follow, a hypothesis too few, hypotheses that contradict each other, a formula that is
    none, or a trivial statement.
    library: theorems in Lean instead of the families' (`src.evaluation.theorems.read_library`), the first `n` as they
        are: `after` and `error_rate` are for the families. A field `formal_proof` tells reference proofs.
    held_out: another library, that of the exam: what it claims is rejected here.
    """

    kind: ClassVar[str] = "theorems"
    version: ClassVar[int] = 4

    checker: Checker
    n: int
    after: int = 0
    error_rate: float = 0.0
    translations: bool = False
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
        asked = claims_of(self.held_out)
        entered, rows = len(rows), [row for row in rows if not asked or claim(row) not in asked]
        ctx.tally.reject("asked in the exam", entered - len(rows))
        ctx.tally.keep(write_table(ctx.out / "statements", Posed, rows))
        proofs = [proof_row(self.checker, *proof, "reference", 0) for proof in worked(rows)]
        told = [row for row in rows if row.text and not row.fault] if self.translations else []
        translated = [translation_row(self.checker, row) for row in told]
        write_table(ctx.out / "problems", Problem, [*proofs, *translated])
        ctx.summary["reference_proofs"] = len(proofs)
        ctx.summary["faults"] = sum(row.fault != "" for row in rows)

    def _posed(self) -> list[Posed]:
        if self.library:
            return library_rows(self.library)[: self.n]
        return posed_problems(self.after + self.n, self.data_seed, self.error_rate)[self.after :]


@dataclass(frozen=True)
class StatementFilter(Stage):
    """Reads and writes `statements`; those in which the checker finds a fault are left out.

    reject: whether they are; either way the summary tells the filter's precision and recall on faults that were planted
        for it. What is left out stands with its reason in `rejected.jsonl`.
    """

    version: ClassVar[int] = 1
    fault: ClassVar[str]  # the planted one that it is for

    checker: Checker
    reject: bool = True

    @abstractmethod
    def faulty(self, session: CheckerSession, rows: Sequence[Posed]) -> dict[str, CheckVerdict]:
        """Why a statement is left out, by id."""

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return inputs["statements"].rows

    def run(self, ctx: StageContext) -> None:
        rows = list(ctx.inputs["statements"].table("statements", Posed))
        ctx.tally.enter(len(rows))
        with self.checker.open() as session:
            found = self.faulty(session, rows)
        judge_filter(ctx, self.kind, rows, set(found), self.fault)
        reasons = {id: verdict.reason or verdict.status for id, verdict in found.items()}
        write_table(ctx.out / "statements", Posed, sift(ctx, self.checker, rows, reasons if self.reject else {}))


@dataclass(frozen=True)
class WellFormed(StatementFilter):
    """Leaves out what the checker cannot read as a statement."""

    kind: ClassVar[str] = "well_formed"
    fault: ClassVar[str] = ILL_FORMED

    def faulty(self, session: CheckerSession, rows: Sequence[Posed]) -> dict[str, CheckVerdict]:
        stated = session.well_formed(row.statement for row in rows)
        return {row.id: verdict for row, verdict in zip(rows, stated, strict=True) if verdict.status != "proved"}


@dataclass(frozen=True)
class Consistent(StatementFilter):
    """Leaves out statements whose hypotheses contradict each other, as arXiv 2405.14333 does it: where False follows
    from them. `attempts` are the proofs of False that are tried; None: the checker's own."""

    kind: ClassVar[str] = "consistent"
    fault: ClassVar[str] = CONTRADICTORY

    attempts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "attempts", tuple(self.attempts or self.checker.refutations))

    def faulty(self, session: CheckerSession, rows: Sequence[Posed]) -> dict[str, CheckVerdict]:
        tried = self.attempts or ()
        tasks = [Task(contradiction(self.checker, row.statement), proof) for row in rows for proof in tried]
        verdicts = iter(session.check_all(tasks))
        absurd = CheckVerdict("error", "False follows from the hypotheses")
        return {row.id: absurd for row in rows if any([next(verdicts).status == "proved" for _ in tried])}


@dataclass(frozen=True, kw_only=True)
class RateStatements(Rate[Posed]):
    """Reads and writes `statements`: those whose grades are good enough. A grade is worth 0 (poor), 0.25 (fair), 0.5
    (above average), 0.75 (good) or 1 (excellent); arXiv 2405.14333 leaves out what is fair or poor, by one rater.

    checker: whose language the statements are in.
    reject: whether what is rated below `least` is left out; either way the summary tells precision and recall on
        trivial statements that were planted.
    """

    kind: ClassVar[str] = "statement_rating"
    version: ClassVar[int] = 3
    tokens_a_prompt: ClassVar[int] = 300
    table: ClassVar[str] = "statements"
    record: ClassVar[type] = Posed
    rating: ClassVar[type] = StatementRating

    checker: Checker
    least: float = 0.5
    reject: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.teacher, ProceduralGenerator) and self.checker.language != LANGUAGE:
            raise ValueError(
                f"teacher must read {self.checker.language}, and the procedural one reads {LANGUAGE} alone: "
                "choose another, or set rating=null, so that no statement is rated"
            )

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return inputs["statements"].rows

    def asked(self, row: Posed) -> tuple[Prompt, str, Mapping[str, str]]:
        formula = goal(self.checker, row, False)
        context = {"hypotheses": "\n".join(row.hypotheses), "conclusion": row.conclusion}
        prompt = Prompt(row.id, row.id, row.family, "plain", formula)
        return prompt, grade_prompt(self.checker.language, formula), context

    def read(self, text: Generation) -> StatementRating | None:
        grade = read_grade(text.text)
        return StatementRating(text.id, row_of(text.id), grade) if grade else None

    def kept(self, ctx: StageContext, rows: Iterable[Posed], reason: Callable[[Posed], str | None]) -> Iterable[Posed]:
        rows = list(rows)
        low = {row.id: why for row in rows if (why := reason(row))}
        judge_filter(ctx, "rating", rows, set(low), TRIVIAL)
        return sift(ctx, self.checker, rows, low if self.reject else {})


def sift(ctx: StageContext, checker: Checker, rows: Sequence[Posed], reasons: Mapping[str, str]) -> list[Posed]:
    """The rows without those that have a reason against them, all counted. `rejected.jsonl` tells the others, each with
    its reason and the fault that was planted in it."""
    kept = [row for row in rows if row.id not in reasons]
    ctx.tally.keep(len(kept))
    with (ctx.out / "rejected.jsonl").open("w", encoding="utf-8") as file:
        for row in rows:
            if reason := reasons.get(row.id):
                ctx.tally.reject(reason.partition(":")[0])
                told = {"id": row.id, "formula": goal(checker, row, False), "reason": reason, "fault": row.fault}
                file.write(json.dumps(told, ensure_ascii=False) + "\n")
    return kept


def judge_filter(ctx: StageContext, name: str, rows: Sequence[Posed], found: set[str], fault: str) -> None:
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

"""Stages in which a model writes proofs and the checker judges them: `prove` for the next round, and the exams."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import ClassVar

from src.checking.base import Checker, CheckVerdict, Task
from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.core.journal import Journal
from src.core.records import STUDENT, Prediction, Problem, content_id, seed_from, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.evaluation.requests import Answer
from src.generation.base import Completion, Generator, Request, Sampling, Session
from src.modeling.estimate import writing_cost
from src.modeling.shape import Shape
from src.stages.theorems import (
    check_language,
    goal,
    library_identity,
    library_rows,
    precision_and_recall,
    proof_row,
)
from src.text.parsing import plain_prompt
from src.theorems.posed import MISSING, WRONG, Posed, Split, posed_problems


@dataclass(frozen=True)
class Prove(Stage):
    """The model of the input "prover" tries to prove each of the `statements`, and its negation beside it; the first
    proof that the checker accepts ends the search. Writes them as the table `problems`.

    attempts: at each side; negations: whether the negation is tried; round: of the loop, for seeds and records. What an
    input whose name begins with "earlier" has settled is not tried again.
    shape, expected_tokens: for a plan: how big the model is, and how much it will write.
    """

    kind: ClassVar[str] = "prove"
    version: ClassVar[int] = 3
    heavy: ClassVar[bool] = True

    checker: Checker
    engine: Generator
    attempts: int = 4
    negations: bool = True
    temperature: float = 0.8
    max_tokens: int = 64
    round: int = 1
    data_seed: int = 0
    shape: Shape | None = field(
        default=None, metadata=not_in_key("how big the model is, for a plan: its name says which it is")
    )
    expected_tokens: float | None = field(
        default=None, metadata=not_in_key("a guess at rows that are not there yet, for a plan")
    )

    def __post_init__(self) -> None:
        at_least(self, 1, "attempts", "max_tokens", "round")
        at_least(self, 0, "temperature")
        if self.attempts > 1 and self.temperature == 0:
            raise ValueError(f"{self.attempts} attempts at temperature 0 are all the same: raise the temperature")

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return inputs["statements"].rows

    def expecting(self, inputs: Mapping[str, Upstream]) -> Stage:
        """As if no statement were settled before the last attempt, and every text were as long as it may be."""
        rows = inputs["statements"].rows
        if self.expected_tokens is not None or rows is None:
            return self
        return replace(self, expected_tokens=float(rows * len(self.sides) * self.attempts * self.max_tokens))

    def estimate(self) -> dict[str, float]:
        known = self.expected_tokens
        return {} if known is None else writing_cost(known, self.shape, self.engine.devices)

    @property
    def uncounted(self) -> str:
        return "" if self.estimate() else "as many proofs as there are statements"

    @property
    def sides(self) -> tuple[bool, ...]:
        """Whether it is the negation that is tried."""
        return (False, True) if self.negations else (False,)

    def run(self, ctx: StageContext) -> None:
        rows = list(ctx.inputs["statements"].table("statements", Posed))
        ctx.tally.enter(len(rows))
        earlier = {problem.prompt_id for problem in _earlier(ctx)}
        todo = [row for row in rows if row.id not in earlier]
        ctx.tally.reject("settled in an earlier round", len(rows) - len(todo))
        proofs = self._search(ctx, todo)
        write_table(ctx.out / "problems", Problem, proofs.values())
        ctx.tally.keep(len(proofs))
        ctx.tally.reject(f"not settled in {self.attempts} attempts", len(todo) - len(proofs))
        refuted = {id for id, proof in proofs.items() if proof.answer == "refuted"}
        wrong = {row.id for row in todo if row.fault in (WRONG, MISSING)}
        ctx.summary |= {"proved": len(proofs) - len(refuted), **precision_and_recall("refuted", refuted, wrong)}

    def _search(self, ctx: StageContext, todo: Sequence[Posed]) -> dict[str, Problem]:
        """The first accepted proof of each statement, in the statements' order."""
        proofs: dict[str, Problem] = {}
        with ProofAsking(ctx, self.engine, self.checker) as asking:
            for attempt in range(self.attempts):
                left = [(row, side) for row in todo if row.id not in proofs for side in self.sides]
                answers = asking.answers([self._request(row, side, attempt) for row, side in left])
                written = (self.checker.proof_in(answer.text) for answer in answers)
                tasks = [(row, side, text) for (row, side), text in zip(left, written, strict=True)]
                verdicts = asking.check(Task(row.statement, text, side) for row, side, text in tasks)
                for (row, side, text), verdict in zip(tasks, verdicts, strict=True):
                    if verdict.status in ("proved", "refuted") and row.id not in proofs:
                        proofs[row.id] = proof_row(self.checker, row, side, text, self.engine.name, self.round)
                ctx.summary[f"settled_by_attempt_{attempt + 1}"] = len(proofs)
            ctx.summary["completion_tokens"] = asking.tokens
        return {row.id: proofs[row.id] for row in todo if row.id in proofs}

    def _request(self, row: Posed, negated: bool, attempt: int) -> Request:
        id = content_id("prove", self.round, row.id, negated, attempt)
        sampling = Sampling(self.temperature, max_tokens=self.max_tokens, stop=self.checker.stop)
        return Request(id, plain_prompt(goal(self.checker, row, negated)), seed_from(self.data_seed, id), sampling)


@dataclass(frozen=True)
class ExamineProver(Stage):
    """Held-out statements put to the model of the input "pretrain": of taught families, and of families that it never
    saw. Leaves the files of an evaluation; with several samples pass@k, by the unbiased estimator. `cumulative` is the
    share proved in any sample here or in an input whose name begins with "earlier".

    n: statements of each kind; samples: proofs of each. library: theorems in Lean instead of the families'; the first
        `n` are asked.
    label: of the model: `records.BASE` before the first round, whose answers an input "baseline" brings along.
    shape: how big the model is, for a plan.
    """

    kind: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 4
    heavy: ClassVar[bool] = True

    checker: Checker
    engine: Generator
    n: int = 100
    samples: int = 4
    temperature: float = 0.8
    max_tokens: int = 64
    label: str = STUDENT
    data_seed: int = 0
    library: str | None = field(default=None, metadata=not_in_key("its content is in identity()"))
    shape: Shape | None = field(
        default=None, metadata=not_in_key("how big the model is, for a plan: its name says which it is")
    )

    def __post_init__(self) -> None:
        check_language(self.checker, self.library)
        at_least(self, 1, "n", "samples", "max_tokens")
        at_least(self, 0, "temperature")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} samples at temperature 0 are all the same: raise the temperature")

    def estimate(self) -> dict[str, float]:
        exams = 1 if self.library else len(EXAMS)
        return writing_cost(float(exams * self.n * self.samples * self.max_tokens), self.shape, self.engine.devices)

    def identity(self) -> dict[str, str]:
        return library_identity(self.library)

    def run(self, ctx: StageContext) -> None:
        from src.evaluation.results import GradedAnswer
        from src.stages.evaluate import write_results

        asked = self._asked()
        requests = [self._request(row, sample) for _, row in asked for sample in range(self.samples)]
        with ProofAsking(ctx, self.engine, self.checker, prover="pretrain") as asking:
            answers = asking.answers(requests)
            statements = (row.statement for _, row in asked for _ in range(self.samples))
            texts = [self.checker.proof_in(answer.text) for answer in answers]
            verdicts = asking.check(Task(s, text) for s, text in zip(statements, texts, strict=True))
        ctx.tally.enter(len(answers))
        ctx.tally.keep(len(answers))
        graded = []
        for place, (name, row) in enumerate(asked):
            mine = slice(place * self.samples, (place + 1) * self.samples)
            prediction = self._prediction(name, row, answers[mine], texts[mine], verdicts[mine])
            costs = zip(*((a.tokens, a.seconds, a.finish_reason == "stop") for a in answers[mine]), strict=True)
            graded.append(GradedAnswer(prediction, "", *costs))
        write_results(ctx, graded, {})
        ctx.summary["completion_tokens"] = sum(answer.tokens for answer in answers)
        ctx.summary |= self._cumulative(ctx, [item.prediction for item in graded])

    def _cumulative(self, ctx: StageContext, found: Sequence[Prediction]) -> dict[str, float]:
        """By exam, the share of statements proved by any sample of any round up to this one."""
        earlier = [
            prediction
            for name, artifact in ctx.inputs.items()
            if name.startswith("earlier")
            for prediction in artifact.table("predictions", Prediction)
        ]
        proved = {prediction.question_id for prediction in (*earlier, *found) if any(prediction.verdict)}
        asked: dict[str, list[bool]] = defaultdict(list)
        for prediction in found:
            asked[prediction.benchmark].append(prediction.question_id in proved)
        return {f"{name}/cumulative": sum(solved) / len(solved) for name, solved in asked.items()}

    def _asked(self) -> list[tuple[str, Posed]]:
        """Each statement with the exam that it is of."""
        if self.library:
            return [(TAUGHT, row) for row in library_rows(self.library)[: self.n]]
        drawn = {
            name: posed_problems(self.n, self.data_seed, part="exam", split=split) for name, split in EXAMS.items()
        }
        return [(name, row) for name, rows in drawn.items() for row in rows]

    def _request(self, row: Posed, sample: int) -> Request:
        id = content_id("exam", row.id, sample)
        sampling = Sampling(self.temperature, max_tokens=self.max_tokens, stop=self.checker.stop)
        return Request(id, plain_prompt(goal(self.checker, row, False)), seed_from(self.data_seed, id), sampling)

    def _prediction(
        self, name: str, row: Posed, answers: list[Answer], texts: list[str], verdicts: list[CheckVerdict]
    ) -> Prediction:
        return Prediction(
            id=content_id(self.label, name, row.id),
            model=self.label,
            benchmark=name,
            question_id=row.id,
            stage=row.family,
            prompt=plain_prompt(goal(self.checker, row, False)),
            gold=row.proof or "",
            samples=[answer.text for answer in answers],
            extracted=list(texts),
            verdict=[verdict.status == "proved" for verdict in verdicts],
            reasons=[verdict.reason or verdict.status for verdict in verdicts],
        )


TAUGHT = "theorems"
EXAMS: dict[str, Split] = {TAUGHT: "seen", "theorems_unseen": "unseen"}


class ProofAsking:
    """A model and a checker, each started when first needed; texts are journalled, so that a kill costs none."""

    def __init__(self, ctx: StageContext, engine: Generator, checker: Checker, prover: str = "prover"):
        self._ctx, self._engine, self._checker = ctx, engine, checker
        self._model = str(ctx.inputs[prover].path / "model")
        self._exits = ExitStack()
        self._session: Session | None = None
        self._journal = self._exits.enter_context(Journal(ctx.work / "texts"))
        self._known = {id: Answer(**row) for id, row in self._journal.rows()}
        self._proofs = self._exits.enter_context(checker.open())

    @property
    def tokens(self) -> int:
        """Of all that was written."""
        return sum(answer.tokens for answer in self._known.values())

    def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """What the model writes for each request."""
        missing = [request for request in requests if request.id not in self._known]
        with self._ctx.progress("writing proofs", total=len(requests), unit="proofs") as bar:
            bar.found(len(requests) - len(missing))
            clock = time.monotonic()
            for completion in self._asked(missing):
                before, clock = clock, time.monotonic()
                seconds = round(clock - before, 4)
                answer = Answer(completion.text, completion.finish_reason, completion.completion_tokens, seconds)
                self._known[completion.id] = answer
                self._journal.append(completion.id, {name: getattr(answer, name) for name in Answer.__slots__})
                bar.advance()
        return [self._known[request.id] for request in requests]

    def check(self, tasks: Iterable[Task]) -> list[CheckVerdict]:
        return self._proofs.check_all(tasks)

    def _asked(self, requests: Sequence[Request]) -> Iterator[Completion]:
        if not requests:
            return
        if self._session is None:
            self._session = self._exits.enter_context(self._engine.open(self._model, self._ctx.cache))
        for completion in self._session.stream(requests):
            if completion.finish_reason == "error":
                raise UserError(f"The prover failed: {completion.error}", "The same command again goes on from here.")
            yield completion

    def __enter__(self) -> ProofAsking:
        return self

    def __exit__(self, *exc: object) -> None:
        self._exits.close()


def _earlier(ctx: StageContext) -> Iterator[Problem]:
    for name, artifact in sorted(ctx.inputs.items()):
        if name.startswith("earlier"):
            yield from artifact.table("problems", Problem)

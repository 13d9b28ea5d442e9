"""Step data for a process reward model: a model's own solutions to questions of training parts, with labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import digest_of, not_in_key
from src.core.journal import Journal
from src.core.records import content_id, seed_from, write_table
from src.core.stage import Stage, StageContext
from src.evaluation.benchmark import Benchmark
from src.evaluation.prompting import Protocol, Style, full_text
from src.evaluation.question import Question, named
from src.evaluation.step_labels import Beginnings, Step, Steps, planted, reference_rows, rows_of
from src.generation.base import Generator, Request, Sampling
from src.modeling.estimate import writing_cost
from src.modeling.shape import Shape
from src.modeling.sources import ModelSource
from src.stages.training import start_of

if TYPE_CHECKING:
    from src.evaluation.grading import Grader
    from src.evaluation.requests import Answer, PlannedQuestion

    Asked = tuple[PlannedQuestion, Steps]  # with the steps that its prompt ends with


@dataclass(frozen=True)
class StepData(Stage):
    """Has the model of the input "pretrain", or `model`, solve questions of the benchmarks' training or dev parts, and
    goes on from the beginnings of its solutions; writes the table `steps`.

    names: of the benchmarks to take questions from; null: all that have a training part.
    questions: in all; solutions: to each; rollouts: continuations of each partial solution, other solutions that begin
        with it included; those that are first met in a continuation are continued no further, and told of no more.
    references: worked solutions of training questions, these and others, whose steps are good ones; none is written
        for them.
    temperature: of what is written; max_tokens: of a text, where it is not its benchmark's.
    planted: the share of good steps that are told again with an error put in. tested: the share of questions whose
        steps are for measuring, not for training.
    """

    kind: ClassVar[str] = "steps"
    version: ClassVar[int] = 10
    heavy: ClassVar[bool] = True

    benchmarks: dict[str, Benchmark]
    engine: Generator
    model: ModelSource | None = None
    names: tuple[str, ...] | None = None
    questions: int = 200
    solutions: int = 4
    rollouts: int = 4
    references: int = 0
    temperature: float = 0.8
    max_tokens: int | None = None
    prompting: Style = "corpus"
    shots: int = 4
    planted: float = 0.5
    tested: float = 0.25
    data_seed: int = 0
    shape: Shape | None = field(
        default=None, metadata=not_in_key("how big the model is, for a plan: its name says which it is")
    )

    def __post_init__(self) -> None:
        at_least(self, 1, "questions", "solutions", "max_tokens")
        at_least(self, 0, "rollouts", "references", "temperature", "shots")
        if not self.benchmarks:
            raise ValueError("benchmarks must name at least one benchmark to take questions from")
        unknown = sorted({*(self.names or ())} - self.benchmarks.keys())
        if unknown or (self.names is not None and not self.names):
            there = ", ".join(self.benchmarks)
            raise ValueError(f"names must be of the benchmarks {there}, not {', '.join(unknown) or 'none'}")
        if not 0 <= self.planted <= 1:
            raise ValueError(f"planted must lie in [0, 1], not {self.planted}")
        if not 0 <= self.tested < 1:
            raise ValueError(f"tested must lie in [0, 1), so that steps are left to train on, not {self.tested}")
        if self.prompting in ("program", "tool"):
            raise ValueError(f"prompting={self.prompting} asks for programs, which have no steps")

    def run(self, ctx: StageContext) -> None:
        """Raises UserError where no benchmark has questions to learn from."""
        from src.evaluation.grading import Grader
        from src.evaluation.program_pool import ProgramPool
        from src.evaluation.requests import collect

        model = str(ctx.inputs["pretrain"].path / "model") if "pretrain" in ctx.inputs else None
        model = model or (start_of(self.model, ctx) if self.model else None)
        plan = self._plan(model)
        found = {planned.question.id: Beginnings() for planned in plan}
        with ExitStack() as stack:
            session = cache(lambda: stack.enter_context(self.engine.open(model, ctx.cache)))
            journal = stack.enter_context(Journal(ctx.work / "texts"))
            pool, grader = stack.enter_context(ProgramPool("skip")), stack.enter_context(Grader())
            bar = stack.enter_context(ctx.progress("solutions", unit="texts"))

            def take(asked: Sequence[Asked]) -> None:
                requests = [planned for planned, _ in asked]
                answers = collect(requests, lambda: nullcontext(session()), journal, bar, pool)
                self._take(asked, answers, found, grader)

            take([(planned, ()) for planned in plan])
            take(list(self._continued(plan, found)))
        write_table(ctx.out / "steps", Step, self._rows(ctx, plan, found))

    def estimate(self) -> dict[str, float]:
        """Solutions as long as they may be, each with as many continuations as one of its beginnings wants: there are
        more beginnings, and texts are shorter."""
        longest = max(self.max_tokens or benchmark.max_tokens for benchmark in self.benchmarks.values())
        return writing_cost(
            float(self.questions * self.solutions * longest * (1 + self.rollouts)), self.shape, self.engine.devices
        )

    def _plan(self, model: str | None) -> list[PlannedQuestion]:
        from src.evaluation.requests import RequestPlanner

        benchmarks = {name: self.benchmarks[name] for name in self._learnt_from()}
        share = -(-self.questions // len(benchmarks))
        drawn = {name: self._drawn(benchmark, share) for name, benchmark in benchmarks.items()}
        protocol, sampling = Protocol(self.prompting, self.shots), Sampling(self.temperature)
        asked_of = digest_of({"engine": self.engine.unpooled, "model": self.model})
        planner = RequestPlanner(protocol, self.solutions, sampling, self.max_tokens, self.data_seed, asked_of)
        plan = planner.plan(model, benchmarks, drawn)
        return list({planned.question.id: planned for planned in plan}.values())

    def _learnt_from(self) -> list[str]:
        """The benchmarks that are named, else all; of them those that have a training part."""
        known = self.names or tuple(self.benchmarks)
        usable = [name for name in known if _has_training_part(self.benchmarks[name])]
        if not usable:
            raise UserError(
                f"None of the benchmarks {', '.join(known)} has a training part of word problems to learn from.",
                "Name one that has, such as benchmark=[gsm8k] or [procedural_seen].",
            )
        return usable

    def _drawn(self, benchmark: Benchmark, n: int) -> list[Question]:
        asked = named(benchmark.dev_questions())
        return sorted(asked, key=lambda question: content_id("steps", self.data_seed, question.id))[:n]

    def _continued(self, plan: Sequence[PlannedQuestion], found: Mapping[str, Beginnings]) -> Iterator[Asked]:
        """What the model is to go on from: beginnings of which too little is known."""
        for planned in plan:
            first = planned.requests[0]
            for steps, wanted in found[planned.question.id].wanting(self.rollouts):
                prompt = planned.prompt + "".join(f"{step}\n" for step in steps)
                ids = [content_id(first.id, "rollout", *steps, n) for n in range(wanted)]
                requests = tuple(Request(id, prompt, seed_from(self.data_seed, id), first.sampling) for id in ids)
                yield replace(planned, prompt=prompt, requests=requests), steps

    def _take(
        self,
        asked: Sequence[Asked],
        answers: Mapping[str, Answer],
        found: Mapping[str, Beginnings],
        grader: Grader,
    ) -> None:
        """Grade the texts, and tell every beginning of theirs how they ended."""
        from src.evaluation.grading import Pair
        from src.evaluation.requests import answers_of
        from src.text.answers import extract_answer

        texts = [
            (planned, given, answer.text, answer.finish_reason == "stop")
            for planned, given in asked
            for answer in answers_of(planned, answers)
            if answer.finish_reason != "error"
        ]
        pairs = []
        for planned, given, text, _ in texts:
            kind = self.benchmarks[planned.benchmark].answer_type
            solution = "".join(f"{step}\n" for step in given) + text
            pairs.append(Pair(planned.question.gold, extract_answer(solution, kind), kind))
        for (planned, given, text, ended), verdict in zip(texts, grader.grade_all(pairs), strict=True):
            found[planned.question.id].add(text, verdict.correct, given, ended)

    def _rows(
        self, ctx: StageContext, plan: Sequence[PlannedQuestion], found: Mapping[str, Beginnings]
    ) -> Iterator[Step]:
        """Of every question its rows, those with planted errors last; a step that was written and is in the worked
        solution as well stands there once. Counted as they go."""
        questions = {planned.question.id: planned.question for planned in plan}
        worked = {question.id: question for question in self._worked()}
        for id, question in (questions | worked).items():
            tested, text = seed_from("tested", id) < self.tested * 2**31, full_text(question)
            own = {row.id: row for row in rows_of(id, text, found.get(id, Beginnings()), tested, self.rollouts)}
            if id in worked:
                own |= {row.id: row for row in reference_rows(id, text, question.solution or "", tested)}
            for row in (*own.values(), *planted(own.values(), self.planted)):
                ctx.tally.enter()
                ctx.tally.keep()
                name = f"steps/{row.source}{' (tested)' if row.tested else ''}"
                ctx.summary[name] = ctx.summary.get(name, 0) + 1
                yield row

    def _worked(self) -> Iterator[Question]:
        names = self._learnt_from()
        for name in names if self.references else ():
            drawn = self._drawn(self.benchmarks[name], -(-self.references // len(names)))
            yield from (question for question in drawn if question.solution)


def _has_training_part(benchmark: Benchmark) -> bool:
    if benchmark.style in ("program", "tool"):
        return False
    try:
        benchmark.check_dev()
    except UserError:
        return False
    return True

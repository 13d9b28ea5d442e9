"""Putting every question to a model, each answer journalled the moment it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from src.core.errors import UserError
from src.core.journal import Journal
from src.core.progress import Progress
from src.core.records import content_id, seed_from
from src.evaluation.benchmark import Benchmark
from src.evaluation.prompting import Prompting, Style, prompting
from src.evaluation.question import Question
from src.generation.base import Completion, Request, Sampling, Session

Opener = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote for one sample of a question. `finish_reason` "error": it wrote nothing."""

    text: str
    finish_reason: str
    tokens: int


@dataclass(frozen=True)
class Asked:
    """One question to one model: the prompt, and the ids of its samples' requests."""

    benchmark: str
    question: Question
    prompt: str
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Asking:
    """How questions are asked: samples per question, how they are drawn, and the prompt's style."""

    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    style: Style = "corpus"
    shots: int = 4
    seed: int = 0

    def plan(
        self, label: str, model: str, benchmarks: Mapping[str, Benchmark], questions: Mapping[str, Sequence[Question]]
    ) -> list[Asked]:
        """Every request to one model. `label` is what the results call it, `model` its folder."""
        styles: dict[Style, Prompting] = {}
        plan = []
        for name, benchmark in benchmarks.items():
            style = benchmark.style or self.style
            if style not in styles:
                styles[style] = prompting(style, model, self.shots)
            plan += [self._ask(label, name, benchmark, styles[style], question) for question in questions[name]]
        return plan

    def _ask(self, label: str, name: str, benchmark: Benchmark, way: Prompting, question: Question) -> Asked:
        prompt = way.write(question, benchmark)
        sampling = Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=benchmark.max_tokens,
            stop=tuple(dict.fromkeys((*way.stop, *benchmark.stop))),
        )
        requests = tuple(
            Request(
                id=content_id(label, name, question.id, sample, prompt, sampling),
                prompt=prompt,
                seed=seed_from(self.seed, question.id, sample),  # the same for every model: paired comparisons
                sampling=sampling,
            )
            for sample in range(self.samples)
        )
        return Asked(name, question, prompt, requests)


def load_questions(benchmarks: Mapping[str, Benchmark]) -> dict[str, list[Question]]:
    """The questions of every benchmark; an error says which benchmark it is."""
    questions = {}
    for name, benchmark in benchmarks.items():
        try:
            questions[name] = benchmark.questions()
        except UserError as error:
            raise UserError(f"Benchmark '{name}': {error.problem}", error.mend) from error
    return questions


def collect(plan: Sequence[Asked], open_session: Opener, journal: Journal, progress: Progress) -> dict[str, Answer]:
    """The answers by request id. Those in the journal are not asked again; the engine starts only if any is missing.

    A request that failed is answered with "error" and stays out of the journal, so that another try asks it again.
    """
    wanted = {request.id: request for asked in plan for request in asked.requests}
    answers = {id: Answer(**row) for id, row in journal.rows() if id in wanted}
    missing = [request for id, request in wanted.items() if id not in answers]
    progress.advance(len(answers))
    if missing:
        with open_session() as session:
            for completion in session.stream(iter(missing)):
                answers[completion.id] = answer = _answer(completion)
                if answer.finish_reason != "error":
                    journal.append(completion.id, {name: getattr(answer, name) for name in Answer.__slots__})
                progress.advance()
    for id in wanted.keys() - answers.keys():  # an engine that drops requests is not let off silently
        answers[id] = Answer("", "error", 0)
    return answers


def _answer(completion: Completion) -> Answer:
    return Answer(completion.text, completion.finish_reason, completion.completion_tokens)


def answers_of(asked: Asked, answers: Mapping[str, Answer]) -> Iterator[Answer]:
    """A question's answers, in the order of its samples."""
    return (answers[request.id] for request in asked.requests)

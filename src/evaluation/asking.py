"""Putting every question to a model, each answer journalled the moment it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from src.core.errors import UserError
from src.core.journal import Journal
from src.core.progress import Progress
from src.core.records import content_id, seed_from
from src.evaluation.benchmark import Benchmark
from src.evaluation.programs import FENCE, Workbench, waiting_program
from src.evaluation.prompting import Prompting, Style, prompting
from src.evaluation.question import Question
from src.generation.base import Completion, Request, Sampling, Session

Opener = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote for one sample of a question, with what its programs printed.

    finish_reason: "stop"; "length"; "turns", when it would have run one program too many; "error": it wrote nothing.
    seconds: its share of the time in which the engine wrote all answers.
    """

    text: str
    finish_reason: str
    tokens: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Asked:
    """One question to one model: the prompt, the way it was made, and the ids of its samples' requests."""

    benchmark: str
    question: Question
    prompt: str
    requests: tuple[Request, ...]
    way: Prompting


@dataclass(frozen=True)
class Asking:
    """How questions are asked: samples per question, how they are drawn, and the prompt's style."""

    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    style: Style = "corpus"
    shots: int = 4
    turns: int = 4
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
                styles[style] = prompting(style, model, self.shots, self.turns)
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
        return Asked(name, question, prompt, requests, way)


def load_questions(benchmarks: Mapping[str, Benchmark]) -> dict[str, list[Question]]:
    """The questions of every benchmark; an error says which benchmark it is."""
    questions = {}
    for name, benchmark in benchmarks.items():
        try:
            questions[name] = benchmark.questions()
        except UserError as error:
            raise UserError(f"Benchmark '{name}': {error.problem}", error.mend) from error
    return questions


def collect(
    plan: Sequence[Asked], open_session: Opener, journal: Journal, progress: Progress, bench: Workbench
) -> dict[str, Answer]:
    """The answers by request id. Those in the journal are not asked again; the engine starts only if any is missing.

    A request that failed is answered with "error" and stays out of the journal, so that another try asks it again.
    """
    wanted = {request.id: Dialogue(request, asked.way) for asked in plan for request in asked.requests}
    answers = {id: Answer(**row) for id, row in journal.rows() if id in wanted}
    missing = [dialogue for id, dialogue in wanted.items() if id not in answers]
    progress.advance(len(answers))
    if missing:
        with open_session() as session:
            for id, answer in hold(missing, session, bench):
                answers[id] = answer
                if answer.finish_reason != "error":
                    journal.append(id, {name: getattr(answer, name) for name in Answer.__slots__})
                progress.advance()
    for id in wanted.keys() - answers.keys():  # an engine that drops requests is not let off silently
        answers[id] = Answer("", "error", 0)
    return answers


class Dialogue:
    """One sample on its way: the model writes, its program runs, it reads the output and goes on."""

    def __init__(self, request: Request, way: Prompting):
        self.id, self.request, self.way = request.id, request, way
        self.text, self.tokens, self.seconds, self.programs = way.opening, 0, 0.0, 0

    def hear(self, completion: Completion, bench: Workbench) -> Future[str] | str:
        """Take in what the model wrote: the program's output to wait for, or the reason why the answer ends here."""
        self.text += completion.text
        self.tokens += completion.completion_tokens
        if not self.way.programs or completion.finish_reason != "stop":
            return completion.finish_reason
        if self.way.opening and not self.programs:  # the closing fence was the stop string
            self.text += FENCE
        waiting = waiting_program(self.text)
        if waiting is None:
            return "stop"
        if self.programs == self.way.programs:
            return "turns"
        self.programs += 1
        return bench.start(*waiting)

    def read(self, output: str) -> str | None:
        """Show the model its program's output. Returns why the answer ends here, or None when it goes on."""
        self.text = f"{self.text.rstrip()}\n{output}"
        if not self.way.reads_output:
            return "stop"
        return "length" if self.tokens >= self.request.sampling.max_tokens else None

    def next_request(self) -> Request:
        """What the model is asked now. An answer's tokens are limited over all its turns."""
        if not self.programs:
            return self.request
        left = self.request.sampling.max_tokens - self.tokens
        return replace(
            self.request,
            id=content_id(self.id, self.programs),
            prompt=self.request.prompt.removesuffix(self.way.opening) + self.text,
            seed=seed_from(self.request.seed, self.programs),
            sampling=replace(self.request.sampling, max_tokens=left),
        )

    def answer(self, reason: str) -> tuple[str, Answer]:
        text = "" if reason == "error" else self.text
        return self.id, Answer(text, reason, self.tokens, round(self.seconds, 4))


def hold(dialogues: Iterable[Dialogue], session: Session, bench: Workbench) -> Iterator[tuple[str, Answer]]:
    """Hold all dialogues, turn by turn; programs run while the engine writes. Yields answers as they are complete."""
    clock = time.monotonic()

    def lap() -> float:
        nonlocal clock
        before, clock = clock, time.monotonic()
        return clock - before

    speaking = list(dialogues)
    while speaking:
        asked = {request.id: (request, d) for d in speaking for request in (d.next_request(),)}
        running: list[tuple[Dialogue, Future[str]]] = []
        for completion in session.stream(request for request, _ in asked.values()):
            dialogue = asked[completion.id][1]
            dialogue.seconds += lap()
            heard = dialogue.hear(completion, bench)
            if isinstance(heard, str):
                yield dialogue.answer(heard)
            else:
                running.append((dialogue, heard))
        speaking = []
        for dialogue, output in running:
            ended = dialogue.read(output.result())
            dialogue.seconds += lap()
            if ended:
                yield dialogue.answer(ended)
            else:
                speaking.append(dialogue)


def answers_of(asked: Asked, answers: Mapping[str, Answer]) -> Iterator[Answer]:
    """A question's answers, in the order of its samples."""
    return (answers[request.id] for request in asked.requests)

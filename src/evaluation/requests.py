"""From questions to answers: requests are planned, then made, and each answer is journalled when it is there."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from src.core.errors import UserError
from src.core.journal import Journal
from src.core.progress import Progress
from src.core.records import content_id, seed_from
from src.evaluation.benchmark import Benchmark
from src.evaluation.program_pool import ProgramPool
from src.evaluation.programs import FENCE, shown_output, waiting_program
from src.evaluation.prompting import Prompting, Protocol
from src.evaluation.question import Question
from src.evaluation.sandbox import Execution
from src.generation.base import Completion, Request, Sampling, Session

log = logging.getLogger(__name__)

Opener = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote for one sample of a question, with what its programs printed.

    finish_reason: "stop"; "length"; "turns", when it would have run one program too many; "error": it wrote nothing.
    seconds: its share of the time in which the engine wrote all answers. prompt_tokens: those of all its turns.
    """

    text: str
    finish_reason: str
    tokens: int
    seconds: float = 0.0
    prompt_tokens: int = 0


@dataclass(frozen=True)
class PlannedQuestion:
    """One question to one model: the prompt, the way it was made, and the requests of its samples."""

    benchmark: str
    question: Question
    prompt: str
    requests: tuple[Request, ...]
    way: Prompting


@dataclass(frozen=True)
class RequestPlanner:
    """How questions become requests.

    sampling: of all benchmarks, but for lengths and stop strings, which are each benchmark's own. max_tokens: a length
        for all of them, where one is given. asked_of: what tells this model and engine from others; like the seed, it
        is part of a request's id, so that no answer is taken for another's.
    """

    protocol: Protocol
    samples: int = 1
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.0))
    max_tokens: int | None = None
    seed: int = 0
    asked_of: str = ""

    def plan(
        self, model: str | None, benchmarks: Mapping[str, Benchmark], questions: Mapping[str, Sequence[Question]]
    ) -> list[PlannedQuestion]:
        """Every request to one model. `model`: its folder; None for one behind a server."""
        plan = []
        for name, benchmark in benchmarks.items():
            way = self.protocol.prompting(benchmark, model)
            plan += [self._planned(name, benchmark, way, question) for question in questions[name]]
        return plan

    def _planned(self, name: str, benchmark: Benchmark, way: Prompting, question: Question) -> PlannedQuestion:
        prompt = way.write(question)
        stop = tuple(dict.fromkeys((*way.stop, *benchmark.stop)))
        sampling = replace(self.sampling, max_tokens=self.max_tokens or benchmark.max_tokens, stop=stop)
        requests = []
        for sample in range(self.samples):
            seed = seed_from(self.seed, question.id, sample)  # the same for every model: paired comparisons
            id = content_id(self.asked_of, name, question.id, sample, seed, prompt, sampling)
            requests.append(Request(id, prompt, seed, sampling))
        return PlannedQuestion(name, question, prompt, tuple(requests), way)


def load_questions(benchmarks: Mapping[str, Benchmark]) -> dict[str, list[Question]]:
    """The questions of every benchmark; an error says which benchmark it is, as does a warning of stages left out."""
    questions = {}
    for name, benchmark in benchmarks.items():
        try:
            questions[name] = benchmark.questions()
        except UserError as error:
            raise UserError(f"Benchmark '{name}': {error.problem}", error.mend) from error
        if unasked := benchmark.unasked_stages():
            log.warning("%s asks nothing of %s: no family there is about its fields.", name, ", ".join(unasked))
    return questions


def collect(
    plan: Sequence[PlannedQuestion], open_session: Opener, journal: Journal, progress: Progress, pool: ProgramPool
) -> dict[str, Answer]:
    """The answers by request id. Those in the journal are not asked again; the engine starts only if any is missing.

    A request that failed for good is answered with "error". Raises UserError where one failed that another time may
    spare: it stays out of the journal, so that the same command asks for it again.
    """
    wanted = {request.id: Dialogue(request, planned.way) for planned in plan for request in planned.requests}
    answers = {id: Answer(**row) for id, row in journal.rows() if id in wanted}
    missing = [dialogue for id, dialogue in wanted.items() if id not in answers]
    progress.found(len(answers))
    if missing:
        with open_session() as session:
            for id, answer in complete(missing, session, pool):
                answers[id] = answer
                if answer.finish_reason != "error":
                    journal.append(id, {name: getattr(answer, name) for name in Answer.__slots__})
                progress.advance()
    raise_if_lost((dialogue.lost for dialogue in missing if dialogue.lost), len(wanted))
    for id in wanted.keys() - answers.keys():  # an engine that drops requests is not let off silently
        answers[id] = Answer("", "error", 0)
    return answers


def raise_if_lost(reasons: Iterable[str], asked: int) -> None:
    """Raises UserError for texts that could not be had now: a finished evaluation is never asked again."""
    found = Counter(reason.partition(":")[0] for reason in reasons)
    if found:
        most = ", ".join(f"{n} x {reason}" for reason, n in found.most_common(3))
        raise UserError(
            f"{found.total()} of {asked} answers are not to be had now: {most}.",
            "The same command again asks for these alone. Where a server fails at them for good, engine.max_retries=0 "
            "gives them up.",
        )


class Dialogue:
    """One sample on its way: the model writes, its program runs, it reads the output and goes on."""

    def __init__(self, request: Request, way: Prompting):
        self.id, self.request, self.way = request.id, request, way
        self.text, self.programs = way.opening, 0
        self.tokens, self.prompt_tokens, self.seconds = 0, 0, 0.0
        self.lost: str | None = None  # why it failed, where another time may spare it

    def hear(self, completion: Completion, pool: ProgramPool) -> Future[Execution] | str:
        """Take in what the model wrote: the program's end to wait for, or the reason why the answer ends here."""
        self.text += completion.text
        self.tokens += completion.completion_tokens
        self.prompt_tokens += completion.prompt_tokens
        self.lost = completion.error or "unknown error" if completion.transient else None
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
        return pool.start(*waiting)

    def read(self, execution: Execution) -> str | None:
        """Show the model its program's output. Returns why the answer ends here, or None when it goes on."""
        self.text = f"{self.text.rstrip()}\n{shown_output(execution)}"
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
        return self.id, Answer(text, reason, self.tokens, round(self.seconds, 4), self.prompt_tokens)


def complete(dialogues: Iterable[Dialogue], session: Session, pool: ProgramPool) -> Iterator[tuple[str, Answer]]:
    """All dialogues, turn by turn; programs run while the engine writes. Yields answers as they are complete."""
    clock = time.monotonic()

    def lap() -> float:
        nonlocal clock
        before, clock = clock, time.monotonic()
        return clock - before

    speaking = list(dialogues)
    while speaking:
        asked = {request.id: (request, d) for d in speaking for request in (d.next_request(),)}
        running: list[tuple[Dialogue, Future[Execution]]] = []
        for completion in session.stream(request for request, _ in asked.values()):
            dialogue = asked[completion.id][1]
            dialogue.seconds += lap()
            heard = dialogue.hear(completion, pool)
            if isinstance(heard, str):
                yield dialogue.answer(heard)
            else:
                running.append((dialogue, heard))
        speaking = []
        for dialogue, execution in running:
            ended = dialogue.read(execution.result())
            dialogue.seconds += lap()
            if ended:
                yield dialogue.answer(ended)
            else:
                speaking.append(dialogue)


def answers_of(planned: PlannedQuestion, answers: Mapping[str, Answer]) -> Iterator[Answer]:
    """A question's answers, in the order of its samples."""
    return (answers[request.id] for request in planned.requests)

"""A generator and a reward model whose best answer is known: a walk of digits, each worth its share."""

import random
from contextlib import contextmanager
from dataclasses import dataclass, field

from src.core.journal import Journal
from src.core.progress import Progress
from src.core.records import content_id, seed_from
from src.evaluation.decoding import Resources
from src.evaluation.decoding.rewards import Scores, StepScorer
from src.evaluation.prompting import Prompting, corpus_prompt
from src.evaluation.question import Question
from src.evaluation.requests import PlannedQuestion
from src.generation.base import Completion, Request, Sampling, Session

SHARES = {1: 0.1, 2: 0.4, 3: 0.2, 4: 0.3}  # of the digits; they add up to 1, as a policy's do
TOKENS = 3  # of a step
LONGEST = 40


def digit(seed: int) -> int:
    return random.Random(seed).randint(1, 4)


@dataclass
class Walks(Session):
    """Writes steps "go 3", `depth` of them, then a box with all digits. It ends texts in an order of its own, several
    requests at a time, and dies after `dies` texts."""

    depth: int = 3
    order: int = 0
    at_once: int = 8
    dies: int | None = None
    blank: bool = False
    asked: list[str] = field(default_factory=list)
    generated: int = 0

    def stream(self, requests):
        waiting = list(requests)
        random.Random(self.order).shuffle(waiting)
        for request in waiting:
            if self.dies is not None and len(self.asked) >= self.dies:
                raise KeyboardInterrupt
            self.asked.append(request.id)
            completion = self.write(request)
            self.generated += completion.completion_tokens
            yield completion

    def converse(self, ready):
        while requests := ready(self.at_once):
            yield from self.stream(requests)

    def write(self, request: Request) -> Completion:
        lines = [line for line in request.prompt.partition("## Solution\n")[2].split("\n") if line.strip()]
        steps, rng = [int(line.split()[1]) for line in lines], random.Random(request.seed)
        new: list[str] = []
        while len(steps) < self.depth:
            steps.append(rng.randint(1, 4))
            new.append(f"go {steps[-1]}")
            if "\n" in request.sampling.stop:
                return self.ended(request, new[-1], TOKENS, "\n")
        new.append(f"so \\boxed{{{''.join(map(str, steps))}}}")
        return self.ended(request, "\n".join(new), TOKENS * len(new), None)

    def ended(self, request, text, tokens, stopped_at):
        if self.blank and stopped_at and not request.prompt.endswith("\n\n"):
            text, tokens = "", 1
        if tokens > (most := request.sampling.max_tokens):
            return Completion(request.id, text[:most], "length", 9, most)
        return Completion(request.id, text, "stop", 9, tokens, stopped_at=stopped_at)


class Shares(StepScorer):
    """A step "go d" is worth its digit's share, a box 1."""

    def __init__(self):
        self.batches = []

    def score(self, partials):
        self.batches.append(len(partials))
        worth = lambda step: SHARES[int(step.split()[1])] if step.startswith("go") else 1.0  # noqa: E731
        return [Scores(tuple(worth(step) for step in p.steps[p.first :]), 10) for p in partials]


def plan_of(questions: int, trees: int = 1, max_tokens: int = LONGEST) -> list[PlannedQuestion]:
    plan = []
    for n in range(questions):
        question = Question(f"Walk {n}.", "222", id=content_id("walk", n))
        prompt = corpus_prompt(question.text)
        sampling = Sampling(max_tokens=max_tokens, stop=("## Question",))
        requests = [
            Request(content_id(question.id, i), prompt, seed_from(0, question.id, i), sampling) for i in range(trees)
        ]
        plan.append(PlannedQuestion("walks", question, prompt, tuple(requests), Prompting(str)))
    return plan


@contextmanager
def resources(folder, session=None, scorer=None):
    with Journal(folder) as journal:
        yield Resources(lambda: session or Walks(), lambda: scorer or Shares(), journal, Progress("walks"), None)


def sampled_answers(planned: PlannedQuestion, children: int, depth: int) -> dict[tuple[int, ...], float]:
    """Every answer in the tree that these seeds draw, by its digits, with its value: written down independently."""
    found: dict[tuple[int, ...], float] = {}

    def visit(path, digits, value):
        if len(digits) == depth:
            found[digits] = max(value, found.get(digits, 0.0))
            return
        drawn: dict[int, int] = {}
        for child in range(children):
            drawn.setdefault(digit(seed_from(planned.requests[0].seed, *path, child, 0)), child)
        for number, child in drawn.items():
            visit((*path, child), (*digits, number), value * SHARES[number])

    visit((), (), 1.0)
    return found

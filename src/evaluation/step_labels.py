"""Labels for the steps of solutions, without people: by what becomes of them, and by arithmetic.

A partial solution is worth the share of its continuations that reach the gold answer (Wang et al. 2023, arXiv
2312.08935). A whole solution is a continuation of each of its beginnings, so solutions that share a beginning label it
together. A step whose arithmetic does not hold is bad, and so is whatever follows it: that much is certain and costs
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from src.core.records import content_id, seed_from
from src.evaluation.decoding.rewards import steps_of
from src.text.arithmetic import check_arithmetic

BOX = "\\boxed{"
RESULT = re.compile(r"(?<==)(\s*)(\d+)(?![\d.]*\d)(?!\s*[-+*/^(=])")  # a whole number that ends a side of an equation

Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table `steps`: the last of `steps`, after those before it.

    share: of the continuations that reached the gold answer. source: "rollouts"; "arithmetic" where it is known to be
        wrong; "reference" of a worked solution; "planted" where an error was put in. tested: its question is one of
        those held out to measure by.
    """

    id: str
    question_id: str
    question: str
    steps: list[str]
    share: float
    source: str
    tested: bool


@dataclass
class Beginning:
    """What is known of a partial solution. wrong: its arithmetic does not hold."""

    right: int = 0
    tried: int = 0
    wrong: bool = False
    ended: bool = False

    def add(self, right: bool) -> None:
        self.tried += 1
        self.right += right

    @property
    def share(self) -> float:
        return 0.0 if self.wrong or not self.tried else self.right / self.tried

    def is_known(self, rollouts: int) -> bool:
        """Whether more continuations would say nothing new, or as many as are wanted have been tried."""
        return self.wrong or self.ended or self.tried >= rollouts


@dataclass
class Beginnings:
    """All beginnings of the solutions to one question, by their steps."""

    found: dict[Steps, Beginning] = field(default_factory=dict)

    def add(self, text: str, right: bool, given: Steps = (), ended: bool = False) -> None:
        """A solution, or the text that followed a given beginning. This says nothing of the beginnings before that one:
        it was asked for because the one given was reached, so they would be told of what went on longest most often.
        `ended`: the model ended the text itself, box or not."""
        steps = (*given, *steps_of(text))
        wrong = False
        for n in range(1, len(steps) + 1):
            if n > len(given):
                wrong = wrong or check_arithmetic(steps[n - 1]).wrong is not None
            elif steps[:n] in self.found:
                wrong = self.found[steps[:n]].wrong
            beginning = self.found.setdefault(steps[:n], Beginning(wrong=wrong))
            beginning.ended = beginning.ended or BOX in steps[n - 1] or (ended and n == len(steps))
            if n >= len(given):
                beginning.add(right)
            if BOX in steps[n - 1]:
                return

    def wanting(self, rollouts: int) -> Iterator[tuple[Steps, int]]:
        """Beginnings of which too little is known, and how many continuations they want."""
        for steps, beginning in list(self.found.items()):
            if not beginning.is_known(rollouts):
                yield steps, rollouts - beginning.tried


def rows_of(question_id: str, question: str, found: Beginnings, tested: bool, rollouts: int = 1) -> Iterator[Step]:
    """A row for every beginning of which enough is known: not for those first met in the continuation of another."""
    known = ((steps, beginning) for steps, beginning in found.found.items() if beginning.is_known(rollouts))
    for steps, beginning in known:
        source = "arithmetic" if beginning.wrong else "rollouts"
        id = content_id("step", question_id, *steps)
        yield Step(id, question_id, question, list(steps), beginning.share, source, tested)


def reference_rows(question_id: str, question: str, solution: str, tested: bool) -> Iterator[Step]:
    """A row for every beginning of a worked solution, each of them good."""
    steps = steps_of(solution)
    for n in range(1, len(steps) + 1):
        id = content_id("step", question_id, *steps[:n])
        yield Step(id, question_id, question, list(steps[:n]), 1.0, "reference", tested)


def planted(rows: Iterable[Step], share: float) -> Iterator[Step]:
    """Good steps with an error put into them, for a share of those that have a number to get wrong."""
    for row in rows:
        if row.share == 0 or seed_from("planted", row.id) >= share * 2**31:
            continue
        if (wrong := plant_error(row.steps[-1], Random(seed_from("error", row.id)))) is not None:
            steps = [*row.steps[:-1], wrong]
            id = content_id("planted", row.question_id, *steps)
            yield Step(id, row.question_id, row.question, steps, 0.0, "planted", row.tested)


def plant_error(step: str, rng: Random) -> str | None:
    """The step with another result at one of its equations, as a model gets it wrong: off by a little, a digit changed
    or two exchanged. None where the arithmetic checker could not tell the two apart."""
    if check_arithmetic(step).checked == 0 or check_arithmetic(step).wrong is not None:
        return None
    places = list(RESULT.finditer(step))
    rng.shuffle(places)
    for place in places:
        for number in _mistaken(place[2], rng):
            wrong = f"{step[: place.start(2)]}{number}{step[place.end(2) :]}"
            if check_arithmetic(wrong).wrong is not None:
                return wrong
    return None


def _mistaken(number: str, rng: Random) -> Sequence[str]:
    at = rng.randrange(len(number))
    digit = str((int(number[at]) + rng.randint(1, 9)) % 10)
    changed = number[:at] + digit + number[at + 1 :]
    off = str(max(0, int(number) + rng.choice((-10, -2, -1, 1, 2, 10))))
    options = [off, changed, number[:-2] + number[:-3:-1] if len(number) > 1 else off]
    rng.shuffle(options)
    return [option for option in options if option != number and str(int(option)) == option]

"""What a problem family is: a pure function of a few numbers, with the words to ask it and to work it out.

A family reads as data around one small function:

    @family(
        "grade_school",
        topics="share equal divide",
        numbers={"each": range(2, 13), "friends": range(2, 10)},
        wordings=("{name} shares {total:sticker} equally among {friends:friend}. How many does each friend get?",),
        steps=("Each friend gets {total} / {friends} = {answer:sticker}.",),
        closing="Each friend gets {answer:sticker}.",
        program="print({total} // {friends})",
        check=lambda v: sum(v.answer for _ in range(v.friends)) == v.total,
    )
    def share_equally(each: int, friends: int) -> Values:
        return {"total": each * friends, "answer": each}

The function may return None: these numbers make no good problem, draw others. `check` sees every number and must
reach its verdict another way than the function did.

**Held out by construction.** The numbers that a question and its answer name, in no order and without signs, hash to
the instance's signature, and the signature alone says whether it belongs to training, to dev or to the benchmark. So an
instance, its mirror image (3 + 5 and 5 + 3), the same under other names, and a sibling family's question about
the same numbers (8 - 5) all lie in one part, whoever draws them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import prod
from random import Random
from string import Formatter
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, Literal

from src.core.records import content_id
from src.generation.procedural.language import Box, Number, dressed, latex
from src.generation.procedural.people import Cast, meet

MAX_DRAWS = 10_000

Values = dict[str, Any]
Ranges = Mapping[str, Sequence[int]]
Split = Literal["seen", "unseen", "reading"]
Slice = Literal["train", "dev", "held_out"]
Kind = Literal["cot", "tool"]


class BrokenFamilyError(RuntimeError):
    """A family contradicts itself: a bug in its file, never the user's doing."""


class NoInstanceError(BrokenFamilyError):
    """A family's ranges hold no instance of a part."""


@dataclass(frozen=True, slots=True)
class SolvedProblem:
    """A problem with its worked solution. `answer` is the content of the solution's box; `signature` names the
    numbers alone (see the module), so two wordings of one instance share it."""

    id: str
    family: str
    stage: str
    kind: Kind
    question: str
    solution: str
    answer: str
    signature: str


@dataclass(frozen=True, eq=False)
class Instance:
    """One draw of a family's numbers, solved and checked but not yet told."""

    family: Family
    signature: str
    values: Values


@dataclass(frozen=True, eq=False)
class Family:
    """`facts`: the values that make the signature, those that a wording names and the answer by default."""

    name: str
    stages: tuple[str, ...]
    topics: frozenset[str]
    split: Split
    numbers: Ranges
    wordings: tuple[str, ...]
    steps: tuple[str, ...]
    closing: str
    program: str
    check: Callable[[Any], bool]
    solve: Callable[..., Values | None]
    facts: frozenset[str]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def draw(self, rng: Random, part: Slice, ranges: Ranges | None = None) -> Instance:
        """Draw numbers from `ranges`, by default the family's own, until they belong to `part` and make a good problem.
        Raises NoInstanceError where none do."""
        ranges = self.numbers if ranges is None else ranges
        for _ in range(MAX_DRAWS):
            values = self._solved({name: rng.choice(choices) for name, choices in ranges.items()})
            if values is not None and slice_of(signature := self.signature(values)) == part:
                return self._checked(signature, values)
        raise NoInstanceError(f"{self.name}: no instance for {part} in {MAX_DRAWS} draws")

    def instances(self, rng: Random, part: Slice, ranges: Ranges | None = None) -> Iterator[Instance]:
        """Each instance of `part` once, in an order that `rng` shuffles. It ends when the ranges hold no other, or
        after MAX_DRAWS combinations in a row that brought none. Raises NoInstanceError where there is none at all."""
        told: set[str] = set()
        fruitless = 0
        for numbers in _shuffled(self.numbers if ranges is None else ranges, rng):
            if fruitless == MAX_DRAWS:
                break
            fruitless += 1
            values = self._solved(numbers)
            if values is None or (signature := self.signature(values)) in told or slice_of(signature) != part:
                continue
            told.add(signature)
            fruitless = 0
            yield self._checked(signature, values)
        if not told:
            raise NoInstanceError(f"{self.name}: no instance for {part}")

    def signatures(self, ranges: Ranges) -> Iterator[str]:
        """Those of all combinations that make a good problem, in order; some come again."""
        for numbers in product(*ranges.values()):
            if (values := self._solved(dict(zip(ranges, numbers)))) is not None:
                yield self.signature(values)

    def _solved(self, numbers: dict[str, int]) -> Values | None:
        found = self.solve(**numbers)
        return None if found is None else {**numbers, **found}

    def signature(self, values: Values) -> str:
        """A digest of the numbers in the instance's facts, as they would be read off the page, in no order."""
        facts = " ".join(str(values[name]) for name in self.facts if name in values)
        return content_id("numbers", *sorted(re.findall(r"\d+", facts)))

    def _checked(self, signature: str, values: Values) -> Instance:
        answer = values["answer"]
        if isinstance(answer, Fraction) and answer.denominator == 1:
            values["answer"] = int(answer)
        if not self.check(SimpleNamespace(**values)):
            raise BrokenFamilyError(f"{self.name}: the check contradicts the answer: {values}")
        return Instance(self, signature, values)

    def tell(
        self, instance: Instance, rng: Random, *, stage: str, kind: Kind, cast: Cast, wrong: bool = False
    ) -> SolvedProblem:
        """Put an instance into words. `wrong` spoils the answer, in the steps as in the box."""
        story = {**meet(rng, cast), **{name: rng.choice(choices) for name, choices in self.words.items()}}
        wording = rng.choice(self.wordings)
        true_answer = instance.values["answer"]
        answer = spoiled(true_answer, rng) if wrong else true_answer
        facts = {name: dressed(value) for name, value in {**story, **instance.values, "answer": answer}.items()}
        question = wording.format_map(facts)
        return SolvedProblem(
            id=content_id("procedural", kind, question),
            family=self.name,
            stage=stage,
            kind=kind,
            question=question,
            solution=self.work_out(story, instance.values, kind, answer),
            answer=latex(answer),
            signature=instance.signature,
        )

    def work_out(self, story: Mapping[str, str], values: Values, kind: Kind, answer: Number) -> str:
        """The solution in words or by a program, with `answer` in its steps and its box; a program prints the true
        one."""
        facts = {name: dressed(value) for name, value in {**story, **values, "answer": answer}.items()}
        closing = self.closing.format_map({**facts, "answer": Box(answer)})
        if kind == "tool":
            work = self._run(self.program.format_map({**facts, "answer": None}), str(values["answer"]))
        else:
            work = "\n".join(step.format_map(facts) for step in self.steps)
        return f"{work}\n{closing}"

    def _run(self, program: str, expected: str) -> str:
        """The program and what it truly printed, as two fenced blocks; its output is one more check of the answer."""
        lines: list[str] = []
        code = compile(program, f"<{self.name}>", "exec")
        exec(code, {"print": lambda *args: lines.append(" ".join(map(str, args)))})
        if lines != [expected]:
            raise BrokenFamilyError(f"{self.name}: the program printed {lines}, not {expected}:\n{program}")
        return f"```python\n{program}\n```\n```output\n{expected}\n```"


def family(
    *stages: str,
    topics: str,
    numbers: Ranges,
    wordings: tuple[str, ...],
    steps: tuple[str, ...],
    closing: str,
    program: str,
    check: Callable[[Any], bool],
    words: Mapping[str, tuple[str, ...]] | None = None,
    split: Split = "seen",
    facts: str = "",
) -> Callable[[Callable[..., Values | None]], Family]:
    """Make a family of the function below, named after it (see the module's docstring for an example)."""

    def wrap(solve: Callable[..., Values | None]) -> Family:
        return Family(
            name=solve.__name__,
            stages=stages,
            topics=frozenset(topics.split()),
            split=split,
            numbers=numbers,
            wordings=wordings,
            steps=steps,
            closing=closing,
            program=dedent(program).strip(),
            check=check,
            solve=solve,
            facts=frozenset(facts.split()) or _named_in(wordings) | {"answer"},
            words=words or {},
        )

    return wrap


def _shuffled(ranges: Ranges, rng: Random) -> Iterator[dict[str, int]]:
    """Every combination once, in a shuffled order of which only what has been asked for is worked out."""
    total = prod(map(len, ranges.values()))
    moved: dict[int, int] = {}  # a Fisher-Yates shuffle: the places whose combination is no longer their own
    for place in range(total):
        other = rng.randrange(place, total)
        rest = moved.get(other, other)
        moved[other] = moved.pop(place, place)
        numbers = {}
        for name, choices in ranges.items():
            rest, index = divmod(rest, len(choices))
            numbers[name] = choices[index]
        yield numbers


def _named_in(wordings: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for wording in wordings for _, name, _, _ in Formatter().parse(wording) if name)


def slice_of(signature: str) -> Slice:
    """Which part an instance of this signature belongs to: an eighth each for the benchmark and for dev."""
    match int(signature, 16) % 8:
        case 0:
            return "held_out"
        case 1:
            return "dev"
        case _:
            return "train"


def spoiled(answer: Number, rng: Random) -> Number:
    """A wrong answer near the true one, for tests of verification; the sign stays."""
    if isinstance(answer, Fraction):
        return Fraction(answer.numerator + (1 if answer > 0 else -1) * rng.choice((1, 2, 3)), answer.denominator)
    slip = rng.choice((1, 2, 3, 10))
    if isinstance(answer, Decimal):
        return answer + slip
    return answer + slip if answer >= 0 else answer - slip

"""Is this answer the gold answer, and why does the grader think so?"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures.process import BrokenProcessPool
from fractions import Fraction
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from src.core.processes import cores, helpers
from src.evaluation.grading.arithmetic import TooLongError, UndefinedError, evaluate, sample, variables
from src.evaluation.grading.comparison import letters, same
from src.evaluation.grading.reading import read
from src.evaluation.grading.spelling import plain
from src.evaluation.grading.values import Expression, Quantity, Value, WordAnswer
from src.puzzles.chains import REASONS as CHAIN_REASONS
from src.puzzles.chains import solves_chain
from src.puzzles.expressions import solves
from src.text.answers import MAX_ANSWER_CHARS, AnswerType

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

GRADER = 5  # raise it when the same two texts may get another verdict than before

CORRECT = ("string", "number", "symbol", "proof")
WRONG = ("different", "unparsable", "no answer", "limit", *CHAIN_REASONS)
UNJUDGED = ("limit",)  # the answer is too large to work out: wrong as far as the score goes, and counted apart

MANY, CHUNK = 5_000, 250  # distinct pairs that are worth the start of processes; sent at once


class Verdict(NamedTuple):
    """`reason` is one of CORRECT (what made them equal) or of WRONG."""

    correct: bool
    reason: str


class Pair(NamedTuple):
    """One answer to grade. `answer` None: the model gave none."""

    gold: str
    answer: str | None
    answer_type: AnswerType = "math"


DIFFERENT = Verdict(False, "different")


def grader_version() -> str:
    """What a verdict depends on besides the two texts."""
    return f"{GRADER}, mpmath {version('mpmath')}"


def grade(gold: str, answer: str | None, answer_type: AnswerType = "math") -> Verdict:
    """The verdict on one answer. Never raises, and ends in bounded time whatever the answer is. Proofs are not for it:
    a checker judges them (`src.checking.grading`)."""
    if answer is None or not answer.strip():
        return Verdict(False, "no answer")
    assert answer_type != "proof", "only a checker tells what is proved"
    if len(answer) > MAX_ANSWER_CHARS:
        return Verdict(False, "unparsable")
    if answer_type == "puzzle":
        return Verdict(*solves(gold, answer))
    if answer_type == "chain":
        return Verdict(*solves_chain(gold, answer))
    if gold.strip() == answer.strip():
        return Verdict(True, "string")
    return _compare(gold, answer, answer_type)


@lru_cache(50_000)
def _compare(gold: str, answer: str, answer_type: AnswerType) -> Verdict:
    wanted, given = plain(gold), plain(answer)
    if wanted == given and given:
        return Verdict(True, "string")
    if answer_type in ("choice", "text"):
        alike = letters(wanted.strip("() ")) == letters(given.strip("() "))
        return Verdict(True, "string") if alike and given else DIFFERENT
    gold_value, answer_value = read(gold), read(answer)
    words = isinstance(gold_value, WordAnswer) or isinstance(answer_value, WordAnswer)
    if words and letters(wanted) == letters(given):  # TRUE, which may be a product, and true
        return Verdict(True, "string")
    if same(gold_value, answer_value):
        return Verdict(True, _kind(gold_value))
    if isinstance(answer_value, WordAnswer) and not isinstance(gold_value, WordAnswer):
        return Verdict(False, "unparsable")
    return Verdict(False, "limit") if _has_no_value(answer_value) else DIFFERENT


def _kind(value: Value) -> str:
    if isinstance(value, WordAnswer):
        return "string"
    return "number" if isinstance(value, Expression | Quantity) and as_fraction(value) is not None else "symbol"


def _has_no_value(value: Value) -> bool:
    if not isinstance(value, Expression):
        return False
    for point in range(3):
        try:
            evaluate(value.tree, lambda name: sample(name, point))  # noqa: B023 - called at once
            return False
        except TooLongError:
            return True
        except UndefinedError:
            pass
    return True


def as_number(text: str) -> Fraction | None:
    """The rational number that an answer states, whatever its unit; None for anything else."""
    return as_fraction(read(text))


def as_fraction(value: Value) -> Fraction | None:
    if isinstance(value, Quantity):
        amount = as_fraction(value.amount)
        return amount / 100 if amount is not None and value.unit.is_percent else amount
    if not isinstance(value, Expression) or variables(value.tree):
        return None
    try:
        number = evaluate(value.tree, lambda name: sample(name, 0))
    except UndefinedError:
        return None
    return number if isinstance(number, Fraction) else None


def vote_key(answer: str) -> str:
    """What answers share that are plainly the same: 0.5 and 1/2 vote together. Never raises, whatever the answer is:
    a number of more digits than Python writes out in decimal, as 2023!, is told in hexadecimal."""
    if len(answer) > MAX_ANSWER_CHARS:
        return letters(answer)
    value = read(answer)
    number = as_fraction(value) if isinstance(value, Expression) else None
    return letters(plain(answer)) if number is None else f"={number.numerator:x}/{number.denominator:x}"


class Grader:
    """Grades many answers: each distinct pair once and, where there are thousands, on `workers` processes.

    Use it in a `with` block, which ends the processes. May be used from any thread.
    """

    def __init__(self, workers: int | None = None):
        self.workers = workers or cores()
        self._pool: ProcessPoolExecutor | None = None

    def grade(self, gold: str, answer: str | None, answer_type: AnswerType = "math") -> Verdict:
        """The verdict on one answer."""
        return grade(gold, answer, answer_type)

    def grade_all(self, pairs: Iterable[Pair]) -> list[Verdict]:
        """The verdicts in order."""
        given = list(pairs)
        distinct = list(dict.fromkeys(given))
        found = dict(zip(distinct, self._grade_each(distinct)))
        return [found[pair] for pair in given]

    def _grade_each(self, pairs: list[Pair]) -> Iterable[Verdict]:
        if self.workers == 1 or len(pairs) < MANY:
            return [grade(*pair) for pair in pairs]
        if self._pool is None:
            self._pool = helpers(self.workers)
        try:
            return list(self._pool.map(_grade_pair, pairs, chunksize=CHUNK))
        except BrokenProcessPool:  # somebody killed a process: what it had is graded here
            self.close()
            return [grade(*pair) for pair in pairs]

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _grade_pair(pair: Pair) -> Verdict:
    return grade(*pair)

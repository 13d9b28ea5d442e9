"""Is this answer the gold answer, and why does the grader think so?

    with Grader() as grader:
        grader.grade(gold="\\frac{1}{2}", answer="0.5")      # Verdict(True, "number")

The cheap comparisons come first (same string, same number, same list of numbers), so that the helper processes of
`src.evaluation.symbols` see only what really needs algebra.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from src.evaluation.canonical import as_number, canonical, items, squeezed
from src.evaluation.puzzle import solves
from src.evaluation.symbols import Symbols
from src.evaluation.verdicts import Verdicts
from src.text.answers import MAX_ANSWER_CHARS, AnswerType

RELATIVE_TOLERANCE = Fraction(1, 10_000)  # as the published harnesses have it, and only where a decimal is involved

CORRECT = ("string", "number", "symbol")
WRONG = ("different", "unparsable", "no answer", "timeout", "memory", "crash")
UNJUDGED = ("timeout", "memory", "crash")  # the grader gave up: wrong as far as the score goes, and counted apart
SETTLED = ("equal", "different", "unparsable")


class Verdict(NamedTuple):
    """`reason` is one of CORRECT (what made them equal) or of WRONG."""

    correct: bool
    reason: str


class Pair(NamedTuple):
    """One thing to judge. `answer` None: the model gave none."""

    gold: str
    answer: str | None
    answer_type: AnswerType = "math"


DIFFERENT = Verdict(False, "different")
UNPARSABLE = Verdict(False, "unparsable")


def quick_verdict(gold: str, answer: str | None, answer_type: AnswerType = "math") -> Verdict | None:
    """The verdict where it takes no algebra; None where it does."""
    if answer is None or not answer.strip():
        return Verdict(False, "no answer")
    if len(answer) > MAX_ANSWER_CHARS:
        return UNPARSABLE
    if answer_type == "puzzle":
        return Verdict(*solves(gold, answer))
    wanted, given = canonical(gold), canonical(answer)
    if squeezed(wanted) == squeezed(given) and (given or squeezed(gold) == squeezed(answer)):
        return Verdict(True, "string")
    if answer_type in ("choice", "text"):
        return DIFFERENT
    return _by_value(wanted, given, answer_type)


def _by_value(wanted: str, given: str, answer_type: AnswerType) -> Verdict | None:
    numbers = as_number(wanted), as_number(given)
    if numbers[0] is not None and numbers[1] is not None:
        return _compare_numbers(numbers[0], numbers[1], wanted, given)
    if _is_words(wanted) or not given:
        return DIFFERENT
    if answer_type == "number" and numbers[0] is not None and not re.search(r"[0-9\\]", given):
        return UNPARSABLE
    return _by_items(wanted, given)


def _compare_numbers(wanted: Fraction, given: Fraction, wanted_text: str, given_text: str) -> Verdict:
    scales = (1, 100) if wanted_text.endswith("%") != given_text.endswith("%") else (1,)  # 15 % is 0.15, and "15"
    exact = not any("." in text for text in (wanted_text, given_text))
    for scale in scales:
        pair = (wanted * scale, given) if wanted_text.endswith("%") else (wanted, given * scale)
        if numbers_equal(*pair, exact):
            return Verdict(True, "number")
    return DIFFERENT


def numbers_equal(wanted: Fraction, given: Fraction, exact: bool) -> bool:
    """Whole numbers and fractions must agree exactly; decimals to a ten-thousandth of the wanted value."""
    whole = wanted.denominator == given.denominator == 1
    return wanted == given if exact or whole else abs(wanted - given) <= RELATIVE_TOLERANCE * abs(wanted)


def _is_words(text: str) -> bool:
    """A name, a direction, a day: compared as a string and nothing else. (One letter may be a variable.)"""
    return re.fullmatch(r"[A-Za-z][a-z]+(?:[ -][A-Za-z]+)*", text) is not None


def _by_items(wanted: str, given: str) -> Verdict | None:
    """Tuples in order, sets and bare lists in any order, where all parts are plain numbers."""
    left, right = items(wanted), items(given)
    if left is None or right is None:
        return None
    pairs = [[(n, part) for part in side[1] if (n := as_number(part)) is not None] for side in (left, right)]
    if [len(side) for side in pairs] != [len(left[1]), len(right[1])]:
        return None
    brackets = (left[0], right[0])
    unordered = all(b in ("", "{}") for b in brackets)
    if not unordered and brackets[0] != brackets[1] and "" not in brackets:
        return DIFFERENT if set("".join(brackets)) <= set("()[]") else None
    if len(pairs[0]) != len(pairs[1]):
        return DIFFERENT
    if unordered:
        pairs = [sorted(side, key=lambda item: item[0]) for side in pairs]
    same = all(_compare_numbers(a, b, s, t).correct for (a, s), (b, t) in zip(*pairs))
    return Verdict(True, "number") if same else DIFFERENT


class Grader:
    """Judges answers; cannot hang, cannot be crashed by an answer, may be used from any thread.

    `seconds` is processor time for one symbolic comparison; `workers` helper processes start when first needed.
    `kept`: the file of the verdicts that all runs share (`src.evaluation.verdicts`); None keeps none. What another
    machine or another time limit might decide, a "timeout", "memory" or "crash", is never kept.
    """

    def __init__(self, workers: int | None = None, seconds: float = 3.0, kept: Path | None = None):
        count = workers or min(8, os.cpu_count() or 1)
        self._symbols = [Symbols(seconds) for _ in range(count)]
        self._free: SimpleQueue[Symbols] = SimpleQueue()
        for helper in self._symbols:
            self._free.put(helper)
        self._kept = Verdicts(kept) if kept else None

    def grade(self, gold: str, answer: str | None, answer_type: AnswerType = "math") -> Verdict:
        """The verdict on one answer."""
        return self.grade_all([Pair(gold, answer, answer_type)])[0]

    def grade_all(self, pairs: Iterable[Pair]) -> list[Verdict]:
        """The verdicts in order. A pair that needs algebra is compared once, however often it comes."""
        given = list(pairs)
        quick = [quick_verdict(*pair) for pair in given]
        spelled = [
            (canonical(p.gold), canonical(p.answer or "")) for p, verdict in zip(given, quick) if verdict is None
        ]
        hard = list(dict.fromkeys(spelled))
        with ThreadPoolExecutor(len(self._symbols)) as pool:
            found = dict(zip(hard, pool.map(lambda texts: self._by_symbols(*texts), hard)))
        by_algebra = map(found.__getitem__, spelled)
        return [next(by_algebra) if verdict is None else verdict for verdict in quick]

    def _by_symbols(self, wanted: str, given: str) -> Verdict:
        word = self._kept.get(wanted, given) if self._kept else None
        if word is None:
            helper = self._free.get()
            try:
                word = helper.compare(wanted, given)
            finally:
                self._free.put(helper)
            if self._kept and word in SETTLED:
                self._kept.put(wanted, given, word)
        return Verdict(True, "symbol") if word == "equal" else Verdict(False, word)

    def close(self) -> None:
        for helper in self._symbols:
            helper.close()
        if self._kept:
            self._kept.close()

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

"""Grading answers, beside calling math-verify one pair after the other with its own time limits.

One pair in two thousand would keep SymPy busy for ever.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator

from src.core.errors import require
from src.evaluation.grading import Pair, grade
from src.evaluation.grading.grader import _compare
from src.evaluation.grading.reading import read
from tests.perf.measure import Aim, Comparison, Options, cycled, in_turns, seconds
from tests.perf.rows import DATA

LIMIT = 3  # seconds a comparison of math-verify; ours bounds its steps
HARD_ONE_IN = 2_000
HARD = (
    r"\sum_{k=1}^{10^{12}} \sin(k)^k",
    "(a+b+c+d+e+f+g)^{60} - (a+b+c+d+e+f+h)^{60}",
    "9^{9^{9^{9^{9^9}}}}",
    r"\prod_{k=1}^{5000} (x+k)^{k}",
)


def run(options: Options) -> list[Comparison]:
    require("math_verify", "the grading bench")
    made, source = pairs(options.size(20_000, 2_000))
    sides = {
        "ours": lambda: len(made) / ours(made),
        "math-verify": lambda: len(made) / one_by_one(made),
    }
    speed = in_turns(options.rounds, sides, warm_up=False)
    note = f"{len(made):,} pairs of {source}, one in {HARD_ONE_IN} hard, {LIMIT} s a comparison"
    return [Comparison("pairs", "/s", speed["ours"], speed["math-verify"], "serial math-verify", Aim(1.7), note)]


def pairs(count: int) -> tuple[list[Pair], str]:
    """So many pairs, and where their golds are from: half right as spelled, half another problem's answer."""
    path = DATA / "benchmarks" / "math500.jsonl"
    if path.exists():
        golds, source = [json.loads(line)["answer"] for line in path.read_text().splitlines()], "MATH-500's answers"
    else:
        golds, source = list(_invented(500)), "invented answers"
    draw = random.Random(0)
    made = []
    for number, gold in enumerate(cycled(golds, count)):
        if number % HARD_ONE_IN == HARD_ONE_IN // 2:
            golden = rf"x^2+\sqrt{{{number}}}"  # another each time: what is compared once is not compared again
            made.append(Pair(golden, HARD[number // HARD_ONE_IN % len(HARD)]))
        else:
            made.append(Pair(gold, gold if draw.random() < 0.5 else draw.choice(golds)))
    return made, source


def _invented(count: int) -> Iterator[str]:
    """Answers in the shapes that MATH's have: most of them whole numbers."""
    draw = random.Random(1)
    for number in range(count):
        a, b, c = (draw.randint(2, 99) for _ in range(3))
        shapes = (str(a * b), str(c), rf"\frac{{{a}}}{{{b}}}", rf"{a}\sqrt{{{b}}}", f"({a},{b})", f"{a}x^2-{b}x+{c}")
        yield shapes[number % len(shapes)]


def ours(made: list[Pair]) -> float:
    """Seconds of grading, with nothing remembered from before."""
    _compare.cache_clear()
    read.cache_clear()
    return seconds(lambda: [grade(*pair) for pair in made])


def one_by_one(made: list[Pair]) -> float:
    """Seconds of math-verify in this process, on fresh caches."""
    from math_verify import parse, verify
    from sympy.core.cache import clear_cache

    def compare(pair: Pair) -> bool:
        gold, answer = (parse(f"${text}$", parsing_timeout=LIMIT) for text in (pair.gold, pair.answer))
        return verify(gold, answer, timeout_seconds=LIMIT)

    logging.disable(logging.CRITICAL)  # it logs each time limit it meets
    compare(Pair("x+1", "1+x"))
    clear_cache()
    return seconds(lambda: [compare(pair) for pair in made])

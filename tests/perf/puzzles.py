"""Arithmetical puzzles of the paper's space: drawn, told apart and written as text; and solutions checked.

The alternatives: one puzzle after the other in plain Python, and each equation read by Python's own parser.
"""

from __future__ import annotations

import ast
import operator
import random
from collections import Counter

from src.puzzles.chains import check_chain
from src.puzzles.drawing import SolvedPuzzles, training_puzzles
from src.puzzles.space import PuzzleSpace
from src.puzzles.writing import ids, questions, solutions
from tests.perf.measure import Aim, Comparison, Options, in_turns, seconds

SPACE = PuzzleSpace()
OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}
PATIENCE = 100  # steps that are not allowed, after which a puzzle is drawn anew: some have no way on
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def run(options: Options) -> list[Comparison]:
    many, few = options.size(300_000, 30_000), options.size(20_000, 2_000)
    drawing = {"ours": lambda: many / seconds(lambda: ours(many)), "loop": lambda: few / seconds(lambda: loop(few))}
    speed = in_turns(options.rounds, drawing)
    note = f"{many:,} puzzles of 5, 6 and 7 numbers in 1-60, all different, with ids, questions and solutions"
    found = [Comparison("puzzles written", "/s", speed["ours"], speed["loop"], "a loop", Aim(200_000, of="ours"), note)]
    rows = solved(few)
    checking = {
        "ours": lambda: len(rows) / seconds(lambda: [check_chain(*row) for row in rows]),
        "ast": lambda: len(rows) / seconds(lambda: [by_ast(*row) for row in rows]),
    }
    speed = in_turns(options.rounds, checking)
    aim, note = Aim(100_000, of="ours"), f"{len(rows):,} right chains of 4 to 6 equations"
    return [*found, Comparison("solutions checked", "/s", speed["ours"], speed["ast"], "Python's parser", aim, note)]


def blocks(rows: int) -> list[SolvedPuzzles]:
    each = rows // len(SPACE.sizes)
    streams = (training_puzzles(SPACE, size, each, 0, (), Counter()) for size in SPACE.sizes)
    return [block for stream in streams for block in stream]


def ours(rows: int) -> None:
    for block in blocks(rows):
        ids(block), questions(block), solutions(block)


def solved(rows: int) -> list[tuple[list[int], int, str]]:
    return [
        row
        for block in blocks(rows)
        for row in zip(block.numbers.T.tolist(), block.targets.tolist(), solutions(block).to_pylist(), strict=True)
    ]


def loop(rows: int) -> None:
    """One puzzle at a time; steps that are not allowed are drawn again, as ours are, and puzzles that end nowhere."""
    rng, seen = random.Random(0), set()
    while len(seen) < rows:
        numbers = [rng.randint(SPACE.low, SPACE.high) for _ in range(rng.choice(SPACE.sizes))]
        live, steps, refused = list(numbers), [], 0
        while len(live) > 1 and refused < PATIENCE:
            a, b = (live.pop(rng.randrange(len(live))) for _ in range(2))
            sign = rng.choice("+-*/")
            least = 1 if sign in "+-" else 2
            allowed = abs(b) >= least and abs(a) >= (abs(b) if sign == "/" else least)
            result = OPERATIONS[sign](a, b) if allowed else 0
            if not allowed or abs(result) > (SPACE.step_limit if len(live) else SPACE.target_limit):
                live += [a, b]
                refused += 1
                continue
            steps.append(f"{a}{sign}{b}={result}")
            live.append(result)
        if len(live) > 1:
            continue
        seen.add((tuple(sorted(numbers)), live[0], f"{', '.join(map(str, numbers))}: {live[0]}", ", ".join(steps)))


def by_ast(numbers: list[int], target: int, chain: str) -> bool:
    there, result = list(numbers), None
    for equation in chain.split(", "):
        left, right = equation.split("=")
        step = ast.parse(left, mode="eval").body
        assert isinstance(step, ast.BinOp)
        a, b, result = ast.literal_eval(step.left), ast.literal_eval(step.right), int(right)
        there.remove(a)
        there.remove(b)
        if OPERATIONS[SIGNS[type(step.op)]](a, b) != result:
            return False
        there.append(result)
    return there == [target]

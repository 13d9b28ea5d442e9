"""The same sums without a story, with decimals and larger numbers."""

from __future__ import annotations

from functools import partial

from src.generation.procedural.composed.story import STAGE
from src.generation.procedural.family import Values, family
from src.generation.procedural.language import decimal

plain = partial(family, STAGE, topics="add subtract multiply divide decimal number compute", closing="It is {answer}.")
LARGE = range(20, 10_000)
PARTS = range(5, 9_999)


@plain(
    numbers={"a": LARGE, "b": LARGE},
    wordings=("What is {a} + {b}?", "Add {a} and {b}.", "{a} + {b} = ?", "Find the sum of {a} and {b}."),
    steps=("{a} + {b} = {answer}.",),
    program="print({a} + {b})",
    check=lambda v: v.answer - v.a == v.b,
)
def large_sum(a: int, b: int) -> Values:
    return {"answer": a + b}


@plain(
    numbers={"a": LARGE, "b": LARGE},
    wordings=("What is {a} - {b}?", "Take {b} from {a}.", "{a} - {b} = ?", "How much larger is {a} than {b}?"),
    steps=("{a} - {b} = {answer}.",),
    program="print({a} - {b})",
    check=lambda v: v.answer + v.b == v.a,
)
def large_difference(a: int, b: int) -> Values | None:
    return {"answer": a - b} if a - b > 1 else None


@plain(
    numbers={"a": range(2, 13), "b": range(2, 200)},
    wordings=("What is {a} * {b}?", "Multiply {a} by {b}.", "{a} times {b} = ?", "Find the product of {a} and {b}."),
    steps=("{a} * {b} = {answer}.",),
    program="print({a} * {b})",
    check=lambda v: v.answer == sum([v.a] * v.b),
)
def plain_product(a: int, b: int) -> Values:
    return {"answer": a * b}


@plain(
    numbers={"b": range(2, 13), "c": range(2, 150)},
    wordings=("What is {a} / {b}?", "Divide {a} by {b}.", "How many times does {b} go into {a}?"),
    steps=("{a} / {b} = {answer}.",),
    program="print({a} // {b})",
    check=lambda v: v.answer * v.b == v.a,
)
def plain_quotient(b: int, c: int) -> Values:
    return {"a": b * c, "answer": c}


@plain(
    numbers={"a": PARTS, "b": PARTS, "places": (1, 2)},
    wordings=("What is {x} + {y}?", "Add {x} and {y}.", "{x} + {y} = ?"),
    steps=("{x} + {y} = {answer}.",),
    program='print(f"{{{x} + {y}:.8g}}")',
    check=lambda v: v.answer - v.x == v.y,
)
def decimal_sum(a: int, b: int, places: int) -> Values:
    return {"x": decimal(a, places), "y": decimal(b, places), "answer": decimal(a + b, places)}


@plain(
    numbers={"a": PARTS, "b": PARTS, "places": (1, 2)},
    wordings=("What is {x} - {y}?", "Take {y} from {x}.", "{x} - {y} = ?"),
    steps=("{x} - {y} = {answer}.",),
    program='print(f"{{{x} - {y}:.8g}}")',
    check=lambda v: v.answer + v.y == v.x,
)
def decimal_difference(a: int, b: int, places: int) -> Values | None:
    if a - b < 2:
        return None
    return {"x": decimal(a, places), "y": decimal(b, places), "answer": decimal(a - b, places)}


@plain(
    numbers={"n": range(2, 13), "b": range(5, 2_000), "places": (1, 2)},
    wordings=("What is {n} * {x}?", "Multiply {x} by {n}.", "{n} times {x} = ?"),
    steps=("{n} * {x} = {answer}.",),
    program='print(f"{{{n} * {x}:.8g}}")',
    check=lambda v: v.answer == sum([v.x] * v.n),
)
def decimal_product(n: int, b: int, places: int) -> Values:
    return {"x": decimal(b, places), "answer": decimal(n * b, places)}


@plain(
    numbers={"n": range(2, 13), "b": range(5, 2_000), "places": (1, 2)},
    wordings=("What is {x} / {n}?", "Divide {x} by {n}.", "{x} divided by {n} = ?"),
    steps=("{x} / {n} = {answer}.",),
    program='print(f"{{{x} / {n}:.8g}}")',
    check=lambda v: sum([v.answer] * v.n) == v.x,
)
def decimal_quotient(n: int, b: int, places: int) -> Values:
    return {"x": decimal(n * b, places), "answer": decimal(b, places)}

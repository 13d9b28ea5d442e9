"""Parts of a whole: fractions, percentages, ratios, averages."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from math import gcd

from src.generation.procedural.family import Values, family

skill = partial(family, "reading", split="reading")

PROPER = range(1, 13)
BELOW = range(2, 16)


@skill(
    topics="fraction simplify lowest terms reduce",
    numbers={"p": range(1, 25), "q": range(2, 31), "g": range(2, 13)},
    wordings=(
        "Write {top}/{bottom} in lowest terms.",
        "Simplify the fraction {top}/{bottom}.",
        "Reduce {top}/{bottom}.",
    ),
    steps=("Both are divisible by {g}: {top} / {g} = {p} and {bottom} / {g} = {q}.", "So {top}/{bottom} = {answer}."),
    closing="The fraction is {answer}.",
    program="""
        from fractions import Fraction
        print(Fraction({top}, {bottom}))
    """,
    check=lambda v: v.answer * v.bottom == v.top,
)
def lowest_terms(p: int, q: int, g: int) -> Values | None:
    return {"top": p * g, "bottom": q * g, "answer": Fraction(p, q)} if p < q and gcd(p, q) == 1 else None


@skill(
    topics="fraction add same denominator",
    numbers={"a": PROPER, "b": PROPER, "m": range(5, 41)},
    wordings=("What is {a}/{m} + {b}/{m}?", "Add {a}/{m} and {b}/{m}."),
    steps=("{a} + {b} = {top}, so the sum is {raw}{answer}.",),
    closing="The sum is {answer}.",
    program="""
        from fractions import Fraction
        print(Fraction({a} + {b}, {m}))
    """,
    check=lambda v: v.answer - Fraction(v.a, v.m) == Fraction(v.b, v.m),
)
def like_fractions(a: int, b: int, m: int) -> Values | None:
    if a + b >= m:
        return None
    raw = f"{a + b}/{m} = " if gcd(a + b, m) > 1 else ""
    return {"top": a + b, "raw": raw, "answer": Fraction(a + b, m)}


@skill(
    topics="fraction multiply product",
    numbers={"a": PROPER, "b": BELOW, "c": PROPER, "d": BELOW},
    wordings=("What is {a}/{b} * {c}/{d}?", "Multiply {a}/{b} by {c}/{d}."),
    steps=("{a} * {c} = {top} and {b} * {d} = {bottom}.", "So the product is {raw}{answer}."),
    closing="The product is {answer}.",
    program="""
        from fractions import Fraction
        print(Fraction({a}, {b}) * Fraction({c}, {d}))
    """,
    check=lambda v: v.answer / Fraction(v.c, v.d) == Fraction(v.a, v.b),
)
def product_of_fractions(a: int, b: int, c: int, d: int) -> Values | None:
    if a >= b or c >= d:
        return None
    raw = f"{a * c}/{b * d} = " if gcd(a * c, b * d) > 1 else ""
    return {"top": a * c, "bottom": b * d, "raw": raw, "answer": Fraction(a * c, b * d)}


@skill(
    topics="fraction one minus rest complement",
    numbers={"p": range(1, 30), "q": range(2, 40)},
    wordings=("What is 1 - {p}/{q}?", "How much is missing from {p}/{q} to 1?"),
    steps=("{q} - {p} = {top}, so the rest is {raw}{answer}.",),
    closing="The rest is {answer}.",
    program="""
        from fractions import Fraction
        print(1 - Fraction({p}, {q}))
    """,
    check=lambda v: v.answer + Fraction(v.p, v.q) == 1,
)
def rest_of_one(p: int, q: int) -> Values | None:
    if p >= q:
        return None
    raw = f"{q - p}/{q} = " if gcd(q - p, q) > 1 else ""
    return {"top": q - p, "raw": raw, "answer": Fraction(q - p, q)}


@skill(
    topics="fraction of a number part",
    numbers={"p": range(1, 9), "q": range(2, 12), "k": range(2, 21)},
    wordings=(
        "What is {p}/{q} of {n}?",
        "Find {p}/{q} of {n}.",
        "A bar is {n} cm long. How many cm are {p}/{q} of it?",
    ),
    steps=("One part is {n} / {q} = {k}.", "{p} * {k} = {answer}."),
    closing="That is {answer}.",
    program="print({n} // {q} * {p})",
    check=lambda v: Fraction(v.answer, v.n) == Fraction(v.p, v.q),
)
def part_of_a_number(p: int, q: int, k: int) -> Values | None:
    return {"n": q * k, "answer": p * k} if p < q and gcd(p, q) == 1 else None


@skill(
    topics="percent percentage of number",
    numbers={"percent": [*range(5, 100, 5), 1, 2, 4, 8, 12], "n": range(20, 601, 20)},
    wordings=("What is {percent} percent of {n}?", "Find {percent}% of {n}."),
    steps=("{percent} * {n} = {p}.", "{p} / 100 = {answer}."),
    closing="That is {answer}.",
    program="print({percent} * {n} // 100)",
    check=lambda v: v.answer * 100 == v.percent * v.n,
)
def percent_of(percent: int, n: int) -> Values | None:
    return {"p": percent * n, "answer": percent * n // 100} if percent * n % 100 == 0 else None


@skill(
    topics="average mean middle two numbers",
    numbers={"a": range(2, 120), "b": range(2, 120)},
    wordings=("What is the average of {a} and {b}?", "Which number lies halfway between {a} and {b}?"),
    steps=("{a} + {b} = {s}.", "{s} / 2 = {answer}."),
    closing="The number is {answer}.",
    program="print(({a} + {b}) // 2)",
    check=lambda v: v.answer - v.a == v.b - v.answer,
)
def halfway(a: int, b: int) -> Values | None:
    return {"s": a + b, "answer": (a + b) // 2} if (a + b) % 2 == 0 and a != b else None


@skill(
    topics="ratio scale recipe proportion",
    numbers={"a": range(2, 10), "b": range(2, 13), "k": range(2, 13)},
    words={"first": ("cups of rice", "spoons of syrup"), "second": ("cups of water", "glasses of milk")},
    wordings=(
        "For {a} {first} one takes {b} {second}. How many {second} for {ka} {first}?",
        "A cook mixes {a} {first} with {b} {second}. With {ka} {first}, how many {second} are needed?",
    ),
    steps=("{ka} / {a} = {k}, so everything is taken {k} times.", "{k} * {b} = {answer}."),
    closing="It takes {answer}.",
    program="print({ka} // {a} * {b})",
    check=lambda v: v.answer * v.a == v.b * v.ka,
)
def scaled_recipe(a: int, b: int, k: int) -> Values | None:
    return {"ka": k * a, "answer": k * b} if a != b else None


@skill(
    topics="chance probability outcomes equally likely",
    numbers={"good": range(1, 25), "n": range(3, 41)},
    wordings=(
        "{good} of {n} tickets win. What is the chance that one ticket wins?",
        "A wheel has {n} equal fields, and {good} of them are gold. What is the chance of gold?",
    ),
    steps=("{good} of {n} outcomes are good: {raw}{answer}.",),
    closing="The chance is {answer}.",
    program="""
        from fractions import Fraction
        print(Fraction({good}, {n}))
    """,
    check=lambda v: v.answer * v.n == v.good,
)
def simple_chance(good: int, n: int) -> Values | None:
    if good >= n:
        return None
    raw = f"{good}/{n} = " if gcd(good, n) > 1 else ""
    return {"raw": raw, "answer": Fraction(good, n)}

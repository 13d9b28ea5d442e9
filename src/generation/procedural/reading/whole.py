"""Whole numbers: multiples, factors, primes, powers in a product, small counts."""

from __future__ import annotations

from functools import partial
from math import factorial, gcd, prod

from src.generation.procedural.family import Values, family
from src.generation.procedural.reading.written import factors_of

skill = partial(family, "reading", split="reading")


@skill(
    topics="multiple count divisible up to",
    numbers={"a": range(2, 25), "n": range(30, 500)},
    wordings=("How many multiples of {a} are there from 1 to {n}?", "How often can {a} be taken from {n}?"),
    steps=("{n} = {answer} * {a} + {rest}.",),
    closing="That is {answer}.",
    program="print({n} // {a})",
    check=lambda v: len(range(v.a, v.n + 1, v.a)) == v.answer,
)
def multiples_below(a: int, n: int) -> Values:
    return {"rest": n % a, "answer": n // a}


@skill(
    topics="prime factor smallest divisor",
    numbers={"n": range(12, 400)},
    wordings=("What is the largest prime factor of {n}?", "Split {n} into primes. Which is the largest?"),
    steps=("{n} = {factors}.",),
    closing="The largest is {answer}.",
    program="""
        n, factor = {n}, 2
        while factor < n:
            if n % factor:
                factor += 1
            else:
                n //= factor
        print(factor)
    """,
    check=lambda v: v.n % v.answer == 0 and all(v.answer % d for d in range(2, v.answer)),
)
def largest_prime_factor(n: int) -> Values | None:
    factors = factors_of(n)
    if len(factors) < 2 or factors[-1] > 31:
        return None
    return {"factors": " * ".join(map(str, factors)), "answer": factors[-1]}


@skill(
    topics="common multiple smallest shared",
    numbers={"a": range(2, 16), "b": range(3, 21)},
    wordings=(
        "What is the least common multiple of {a} and {b}?",
        "Which is the first number that both {a} and {b} divide?",
    ),
    steps=("Multiples of {b}: {listed}.", "{answer} = {k} * {a} is the first that {a} divides."),
    closing="The number is {answer}.",
    program="""
        n = {b}
        while n % {a}:
            n += {b}
        print(n)
    """,
    check=lambda v: v.answer * gcd(v.a, v.b) == v.a * v.b,
)
def common_multiple(a: int, b: int) -> Values | None:
    if a >= b:
        return None
    listed = [b]
    while listed[-1] % a:
        listed.append(listed[-1] + b)
    return {"listed": ", ".join(map(str, listed)), "k": listed[-1] // a, "answer": listed[-1]}


@skill(
    topics="remainder rest sum modulo add",
    numbers={"a": range(3, 90), "b": range(3, 90), "m": range(3, 13)},
    wordings=("What rest does {a} + {b} leave when divided by {m}?", "Divide {a} + {b} by {m}. What is left?"),
    steps=("{a} + {b} = {s}.", "{s} = {q} * {m} + {answer}."),
    closing="The rest is {answer}.",
    program="print(({a} + {b}) % {m})",
    check=lambda v: (v.a % v.m + v.b % v.m - v.answer) % v.m == 0,
)
def rest_of_a_sum(a: int, b: int, m: int) -> Values:
    return {"s": a + b, "q": (a + b) // m, "answer": (a + b) % m}


@skill(
    topics="remainder rest product modulo multiply",
    numbers={"a": range(3, 30), "b": range(2, 20), "m": range(3, 31)},
    wordings=("What rest does {a} * {b} leave when divided by {m}?", "Divide {a} * {b} by {m}. What is left?"),
    steps=("{a} * {b} = {p}.", "{p} = {q} * {m} + {answer}."),
    closing="The rest is {answer}.",
    program="print({a} * {b} % {m})",
    check=lambda v: (v.a % v.m * (v.b % v.m) - v.answer) % v.m == 0,
)
def rest_of_a_product(a: int, b: int, m: int) -> Values | None:
    return {"p": a * b, "q": a * b // m, "answer": a * b % m} if a * b > m else None


@skill(
    topics="factorial product arrangements order",
    numbers={"n": range(3, 7)},
    wordings=("In how many orders can {n} books stand in a row?", "How many ways are there to line up {n} children?"),
    steps=("{factors} = {answer}.",),
    closing="There are {answer} ways.",
    program="""
        from math import factorial
        print(factorial({n}))
    """,
    check=lambda v: prod(range(1, v.n + 1)) == v.answer,
)
def orders(n: int) -> Values:
    return {"factors": " * ".join(map(str, range(n, 0, -1))), "answer": factorial(n)}


@skill(
    topics="choices product combinations each",
    numbers={"a": range(2, 13), "b": range(2, 13), "c": range(2, 10)},
    wordings=(
        "A menu has {a} soups, {b} dishes and {c} desserts. How many different meals of three are there?",
        "A code is made of one of {a} letters, one of {b} digits and one of {c} signs. How many codes are there?",
    ),
    steps=("{a} * {b} = {ab}.", "{ab} * {c} = {answer}."),
    closing="There are {answer}.",
    program="print({a} * {b} * {c})",
    check=lambda v: v.answer // v.c == v.a * v.b and v.answer % v.c == 0,
)
def free_choices(a: int, b: int, c: int) -> Values:
    return {"ab": a * b, "answer": a * b * c}


@skill(
    topics="odd even count numbers between",
    numbers={"a": range(1, 60), "n": range(5, 90)},
    wordings=(
        "How many whole numbers are there from {a} to {b}, both counted?",
        "Count the numbers {a}, {next}, ..., {b}.",
    ),
    steps=("{b} - {a} = {gap}.", "Both ends count: {gap} + 1 = {answer}."),
    closing="There are {answer}.",
    program="print(len(range({a}, {b} + 1)))",
    check=lambda v: len(range(v.a, v.b + 1)) == v.answer,
)
def numbers_between(a: int, n: int) -> Values:
    return {"b": a + n, "next": a + 1, "gap": n, "answer": n + 1}

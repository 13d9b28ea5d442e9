"""AMC 10: divisors, remainders, grid paths, roots and dice."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb, gcd
from typing import Any

from src.generation.procedural.family import Values, family
from src.generation.procedural.language import unreduced


def _even_divisors_agree(v: Any) -> bool:
    """Each divisor is written down: SymPy would find them too, but this family is drawn in every run's first second."""
    exponents = product(range(v.a + 1), range(v.b + 1), range(v.c + 1))
    return sum(2**i * v.p**j * v.q**k % 2 == 0 for i, j, k in exponents) == v.answer


@family(
    "amc10",
    topics="divisor divide factor prime factorization even number theory exponent count multiplicity integer",
    numbers={"a": range(2, 7), "b": range(2, 7), "c": range(2, 6), "p": (3, 5, 7, 11), "q": (5, 7, 11, 13, 17, 19, 23)},
    wordings=(
        "How many even positive divisors does 2^{a} * {p}^{b} * {q}^{c} have?",
        "Count the positive divisors of 2^{a} * {p}^{b} * {q}^{c} that are even.",
    ),
    steps=(
        "For an even divisor the exponent of 2 is 1 to {a}: {a} choices.",
        "The exponent of {p} is 0 to {b}: {b1} choices. The exponent of {q} is 0 to {c}: {c1} choices.",
        "{a} * {b1} = {ab} and {ab} * {c1} = {answer}.",
    ),
    closing="There are {answer:divisor}.",
    program="""
        count = 0
        for i in range(1, {a} + 1):
            for j in range({b} + 1):
                for k in range({c} + 1):
                    count += 1
        print(count)
    """,
    check=_even_divisors_agree,
)
def even_divisors(a: int, b: int, c: int, p: int, q: int) -> Values | None:
    if p >= q:
        return None
    return {"b1": b + 1, "c1": c + 1, "ab": a * (b + 1), "answer": a * (b + 1) * (c + 1)}


def _squares_agree(v: Any) -> bool:
    from cmath import sqrt

    root = sqrt(v.p * v.p - 4 * v.q)
    r, s = (v.p + root) / 2, (v.p - root) / 2
    return abs(r * r + s * s - v.answer) < 1e-6


@family(
    "amc10",
    topics="root polynomial vieta sum square quadratic symmetric coefficient equation roots complex",
    numbers={"p": range(3, 31), "q": range(-30, 61)},
    wordings=(
        "Let r and s be the roots of x^2 - {p}x {q:+} = 0. What is r^2 + s^2?",
        "The roots of x^2 - {p}x {q:+} = 0 are r and s. Find r^2 + s^2.",
    ),
    steps=(
        "r + s = {p} and rs = {q}.",
        "r^2 + s^2 = (r + s)^2 - 2rs = {p}^2 - 2 * {q:()}.",
        "That is {pp} {minus:+} = {answer}.",
    ),
    closing="The value is {answer}.",
    program="""
        total, product = {p}, {q}
        print(total**2 - 2 * product)
    """,
    check=_squares_agree,
)
def squares_of_the_roots(p: int, q: int) -> Values | None:
    return {"pp": p * p, "minus": -2 * q, "answer": p * p - 2 * q} if q else None


@family(
    "amc10",
    topics="remainder congruence modular chinese mod system residue divide smallest integer number theory",
    numbers={"m": range(4, 13), "k": range(3, 12), "a": range(1, 12), "b": range(1, 11)},
    wordings=(
        "What is the smallest positive integer that leaves remainder {a} when divided by {m} and remainder {b} when "
        "divided by {k}?",
        "Find the least positive n that is congruent to {a} modulo {m} and to {b} modulo {k}.",
    ),
    steps=(
        "Try {a} and add {m} each time: {tried}.",
        "The first with remainder {b} modulo {k}: {answer} = {turns} * {k} + {b}.",
    ),
    closing="The number is {answer}.",
    program="""
        n = 1
        while n % {m} != {a} or n % {k} != {b}:
            n += 1
        print(n)
    """,
    check=lambda v: [n for n in range(1, v.m * v.k + 1) if n % v.m == v.a and n % v.k == v.b] == [v.answer],
)
def two_remainders(m: int, k: int, a: int, b: int) -> Values | None:
    if k >= m or gcd(m, k) > 1 or a >= m or b >= k or a == b:
        return None
    tried = [a]
    while tried[-1] % k != b:
        tried.append(tried[-1] + m)
    return {"tried": ", ".join(map(str, tried)), "turns": tried[-1] // k, "answer": tried[-1]}


def _paths(a: int, b: int, c: int, d: int) -> int:
    """Paths right and up that go through (a, b) and end at (a + c, b + d), counted cell by cell."""

    def table(wide: int, high: int) -> int:
        row = [1] * (wide + 1)
        for _ in range(high):
            for i in range(1, wide + 1):
                row[i] += row[i - 1]
        return row[wide]

    return table(a, b) * table(c, d)


@family(
    "amc10",
    topics="path grid lattice walk shortest route combinatorics combination step choose binomial graph node",
    numbers={k: range(1, 8) for k in "abcd"},
    facts="a b c d x y answer",
    wordings=(
        "How many paths with steps right and up lead from (0, 0) to ({x}, {y}) through ({a}, {b})?",
        "{name} walks from (0, 0) to ({x}, {y}), one unit right or up at a time, and must pass ({a}, {b}). "
        "How many ways are there?",
    ),
    steps=(
        "To ({a}, {b}): choose {a} of {ab} steps, {first} ways.",
        "From there {c} right and {d} up: choose {c} of {cd} steps, {second} ways.",
        "{first} * {second} = {answer}.",
    ),
    closing="There are {answer:path}.",
    program="""
        from math import comb
        print(comb({a} + {b}, {a}) * comb({c} + {d}, {c}))
    """,
    check=lambda v: _paths(v.a, v.b, v.c, v.d) == v.answer,
)
def paths_through_a_point(a: int, b: int, c: int, d: int) -> Values | None:
    first, second = comb(a + b, a), comb(c + d, c)
    if first * second > 1_000_000:
        return None
    return {
        "x": a + c,
        "y": b + d,
        "ab": a + b,
        "cd": c + d,
        "first": first,
        "second": second,
        "answer": first * second,
    }


@family(
    "amc10",
    topics="dice probability sum random outcome roll face chance event uniform distribution sample",
    numbers={"m": range(4, 13), "n": range(4, 13), "s": range(4, 22)},
    wordings=(
        "A die with faces 1 to {m} and a die with faces 1 to {n} are rolled. "
        "What is the probability that the sum is {s}?",
        "{name} rolls two fair dice, one numbered 1 to {m}, one numbered 1 to {n}. "
        "With what probability do they sum to {s}?",
    ),
    steps=(
        "The first die can show {low} to {high}: {good:way}.",
        "There are {m} * {n} = {all} outcomes.",
        "The probability is {raw}{answer}.",
    ),
    closing="The probability is {answer}.",
    program="""
        from fractions import Fraction
        rolls = [(i, j) for i in range(1, {m} + 1) for j in range(1, {n} + 1)]
        print(Fraction(sum(i + j == {s} for i, j in rolls), len(rolls)))
    """,
    check=lambda v: Fraction(sum(v.s - i in range(1, v.n + 1) for i in range(1, v.m + 1)), v.m * v.n) == v.answer,
)
def sum_of_two_dice(m: int, n: int, s: int) -> Values | None:
    low, high = max(1, s - n), min(m, s - 1)
    if high - low < 1 or s > m + n:
        return None
    good = high - low + 1
    return {
        "low": low,
        "high": high,
        "good": good,
        "all": m * n,
        "raw": unreduced(good, m * n),
        "answer": Fraction(good, m * n),
    }


def _heron_agrees(v: Any) -> bool:
    """Heron's formula, in floating point."""
    corners = [complex(v.a, v.b), complex(v.c, v.d), 0]
    p, q, r = (abs(corners[i] - corners[i - 1]) for i in range(3))
    half = (p + q + r) / 2
    square = half * (half - p) * (half - q) * (half - r)
    return abs(square - float(v.answer) ** 2) < 1e-6


@family(
    "amc10",
    topics="triangle area coordinate point plane geometry polygon shoelace determinant vertex vertices cross",
    numbers={"a": range(1, 13), "b": range(-6, 8), "c": range(1, 13), "d": range(-6, 13)},
    wordings=(
        "What is the area of the triangle with vertices (0, 0), ({a}, {b}) and ({c}, {d})?",
        "A triangle has the corners (0, 0), ({a}, {b}) and ({c}, {d}). Find its area.",
    ),
    steps=(
        "The cross product is {a} * {d:()} - {c} * {b:()} = {ad} {minus_bc:+} = {cross}.",
        "The area is half of {size}, that is {answer}.",
    ),
    closing="The area is {answer}.",
    program="""
        from fractions import Fraction
        cross = {a} * {d:()} - {c} * {b:()}
        print(Fraction(abs(cross), 2))
    """,
    check=_heron_agrees,
)
def triangle_from_coordinates(a: int, b: int, c: int, d: int) -> Values | None:
    cross = a * d - c * b
    if cross == 0 or b == 0 or d == 0:
        return None
    area = Fraction(abs(cross), 2)
    return {
        "ad": a * d,
        "minus_bc": -b * c,
        "cross": cross,
        "size": abs(cross),
        "answer": area,
    }


@family(
    "amc10",
    topics="telescoping sum series fraction partial consecutive product finite harmonic rational summation",
    numbers={"a": range(1, 30), "b": range(5, 80)},
    wordings=(
        "Find the sum 1/({a} * {a1}) + 1/({a1} * {a2}) + ... + 1/({b} * {b1}).",
        "Add the fractions 1/(n(n + 1)) for n = {a}, {a1}, ..., {b}. What is the sum?",
    ),
    steps=(
        "1/(n(n + 1)) = 1/n - 1/(n + 1), so all but the first and last cancel.",
        "The sum is 1/{a} - 1/{b1}.",
        "{b1} - {a} = {gap} and {a} * {b1} = {product}, so it is {raw}{answer}.",
    ),
    closing="The sum is {answer}.",
    program="""
        from fractions import Fraction
        print(sum(Fraction(1, n * (n + 1)) for n in range({a}, {b} + 1)))
    """,
    check=lambda v: sum(Fraction(1, n * (n + 1)) for n in range(v.a, v.b + 1)) == v.answer,
)
def telescoping_sum(a: int, b: int) -> Values | None:
    if b < a + 3:
        return None
    gap, product = b + 1 - a, a * (b + 1)
    return {
        **{"a1": a + 1, "a2": a + 2, "b1": b + 1, "gap": gap, "product": product},
        "raw": unreduced(gap, product),
        "answer": Fraction(gap, product),
    }


def _trailing_zeros(n: int) -> int:
    fives = twos = 0
    for i in range(1, n + 1):
        while i % 5 == 0:
            i, fives = i // 5, fives + 1
        while i % 2 == 0:
            i, twos = i // 2, twos + 1
    return min(fives, twos)


@family(
    "amc10",
    topics="factorial zero trailing digit product five prime power decimal divide end",
    split="unseen",
    numbers={"n": range(20, 620)},
    wordings=(
        "How many zeros are at the end of {n}! (the product 1 * 2 * ... * {n})?",
        "{n}! ends in how many zeros?",
    ),
    steps=("Count the factors 5, rounding down: {terms}.", "{sum} = {answer}."),
    closing="The answer is {answer}.",
    program="""
        count = 0
        for i in range(1, {n} + 1):
            while i % 5 == 0:
                i //= 5
                count += 1
        print(count)
    """,
    check=lambda v: _trailing_zeros(v.n) == v.answer,
)
def zeros_of_a_factorial(n: int) -> Values | None:
    counts, power = [], 5
    while power <= n:
        counts.append((power, n // power))
        power *= 5
    if len(counts) < 2:
        return None
    return {
        "terms": ", ".join(f"{n} / {p} gives {q}" for p, q in counts),
        "sum": " + ".join(str(q) for _, q in counts),
        "answer": sum(q for _, q in counts),
    }

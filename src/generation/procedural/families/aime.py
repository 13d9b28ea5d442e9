"""AIME: number theory and counting with whole-number answers."""

from __future__ import annotations

from fractions import Fraction
from math import comb, gcd, isqrt
from typing import Any

from src.generation.procedural.family import Values, family
from src.generation.procedural.language import unreduced
from src.generation.procedural.reading.written import product_by_parts


@family(
    "aime",
    topics="power modular digit remainder last hundred exponent residue congruence order mod ring cyclic",
    numbers={"a": [n for n in range(2, 112) if n % 10], "n": (3, 4, 5, 6, 7, 8, 9, 10, 12, 16)},
    wordings=(
        "Find the remainder when {a}^{n} is divided by 100.",
        "What number do the last two digits of {a}^{n} form?",
    ),
    steps=("Work modulo 100.", "{chain}"),
    closing="The answer is {answer}.",
    program="print(pow({a}, {n}, 100))",
    check=lambda v: v.a**v.n % 100 == v.answer,
)
def last_two_digits(a: int, n: int) -> Values | None:
    chain, value, power = [], a, 1
    for bit in f"{n:b}"[1:]:
        power, square = 2 * power, value * value
        chain.append(f"{a}^{power}: {product_by_parts(value, value)}, so {square % 100}.")
        value = square % 100
        if bit == "1":
            power, product = power + 1, value * a
            chain.append(f"{a}^{power}: {product_by_parts(value, a)}, so {product % 100}.")
            value = product % 100
    if value < 10:
        return None  # the last two digits would start with a zero
    return {"chain": "\n".join(chain), "answer": value}


@family(
    "aime",
    topics="diophantine integer solution pair positive equation linear lattice point ordered count partition",
    numbers={"a": range(2, 10), "b": range(3, 12), "n": range(40, 200)},
    wordings=(
        "How many ordered pairs (x, y) of positive integers satisfy {a}x + {b}y = {n}?",
        "Find the number of pairs of positive integers x, y with {a}x + {b}y = {n}.",
    ),
    steps=(
        "The smallest x that works is {x0}: {n} - {a} * {x0} = {left} and {left} / {b} = {y0}.",
        "Each next pair adds {b} to x and takes {a} from y, so y is {ys}.",
        "({y0} - {last}) / {a} + 1 = {answer}.",
    ),
    closing="There are {answer:pair}.",
    program="print(sum(1 for x in range(1, {n}) if {a} * x < {n} and ({n} - {a} * x) % {b} == 0))",
    check=lambda v: sum((v.n - v.b * y) % v.a == 0 for y in range(1, (v.n - 1) // v.b + 1)) == v.answer,
)
def pairs_on_a_line(a: int, b: int, n: int) -> Values | None:
    if a >= b or gcd(a, b) > 1:
        return None
    x0 = next(x for x in range(1, b + 1) if (n - a * x) % b == 0)
    left = n - a * x0
    y0 = left // b
    if y0 <= 2 * a:
        return None
    ys = range(y0, 0, -a)
    last = ys[-1]
    if len(ys) > 12:
        return None
    return {
        "x0": x0,
        "left": left,
        "y0": y0,
        "ys": ", ".join(map(str, ys)),
        "last": last,
        "answer": (y0 - last) // a + 1,
    }


def _in_base(n: int, base: int) -> list[int]:
    digits = []
    while n:
        n, digit = divmod(n, base)
        digits.append(digit)
    return digits[::-1]


@family(
    "aime",
    topics="base digit representation binary sum convert expansion number integer radix bit positional",
    numbers={"n": range(100, 1000), "base": range(3, 10)},
    wordings=(
        "Write {n} in base {base}. What is the sum of its digits?",
        "What is the sum of the digits of {n} (base 10) when it is written in base {base}?",
    ),
    steps=("Divide by {base} again and again.", "{chain}", "The remainders sum to {sum} = {answer}."),
    closing="The sum is {answer}.",
    program="""
        n, total = {n}, 0
        while n:
            total += n % {base}
            n //= {base}
        print(total)
    """,
    check=lambda v: _digits_by_powers(v.n, v.base) == v.answer,
)
def digits_in_another_base(n: int, base: int) -> Values:
    digits = _in_base(n, base)
    chain, rest = [], n
    while rest:
        chain.append(f"{rest} = {rest // base} * {base} + {rest % base}.")
        rest //= base
    return {"chain": "\n".join(chain), "sum": " + ".join(map(str, reversed(digits))), "answer": sum(digits)}


def _digits_by_powers(n: int, base: int) -> int:
    """From the highest power down: how often does each fit?"""
    total, power = 0, base**10
    while power:
        total, n, power = total + n // power, n % power, power // base
    return total


def _divisor_sum_agrees(v: Any) -> bool:
    from sympy import divisor_sigma

    return int(divisor_sigma(v.n)) == v.answer


@family(
    "aime",
    topics="divisor sum prime factor factorization multiplicative sigma number theory divide perfect",
    numbers={
        "a": range(1, 8),
        "b": range(1, 4),
        "p": (2, 3, 5, 7, 11),
        "q": (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73),
    },
    wordings=(
        "What is the sum of all positive divisors of {n}?",
        "Add up every positive integer that divides {n}. What is the total?",
    ),
    steps=(
        "{n} = {p}^{a} * {q}^{b}.",
        "{p_terms} = {p_sum}.",
        "{q_terms} = {q_sum}.",
        "{p_sum} * {q_sum} = {answer}.",
    ),
    closing="The sum is {answer}.",
    program="print(sum(d for d in range(1, {n} + 1) if {n} % d == 0))",
    check=_divisor_sum_agrees,
)
def sum_of_divisors(a: int, b: int, p: int, q: int) -> Values | None:
    n = p**a * q**b
    if p >= q or n > 20_000:
        return None
    p_powers, q_powers = [p**i for i in range(a + 1)], [q**i for i in range(b + 1)]
    return {
        "n": n,
        "p_terms": " + ".join(map(str, p_powers)),
        "q_terms": " + ".join(map(str, q_powers)),
        "p_sum": sum(p_powers),
        "q_sum": sum(q_powers),
        "answer": sum(p_powers) * sum(q_powers),
    }


@family(
    "aime",
    topics="probability color draw random pair same sample fraction event combination hypergeometric without",
    numbers={"red": range(3, 16), "blue": range(3, 16), "green": range(2, 14)},
    words={"item": ("ball", "marble", "sock", "card")},
    wordings=(
        "A bag holds {red} red, {blue} blue and {green} green {item:s}. Two are drawn at random. The probability that "
        "they have the same color is m/n in lowest terms. Find m + n.",
        "{name} draws two of {red} red, {blue} blue and {green} green {item:s} at random. They have the same color "
        "with probability m/n in lowest terms. What is m + n?",
    ),
    steps=(
        "Pairs of one color: {r2} + {b2} + {g2} = {good}.",
        "All pairs: {n} * {n1} / 2 = {all}.",
        "The probability is {raw}{top}/{bottom}.",
        "{top} + {bottom} = {answer}.",
    ),
    closing="The answer is {answer}.",
    program="""
        from fractions import Fraction
        from itertools import combinations
        bag = "r" * {red} + "b" * {blue} + "g" * {green}
        pairs = list(combinations(bag, 2))
        chance = Fraction(sum(x == y for x, y in pairs), len(pairs))
        print(chance.numerator + chance.denominator)
    """,
    check=lambda v: Fraction(v.top, v.answer - v.top) == _same_color(v.red, v.blue, v.green),
)
def two_of_one_color(red: int, blue: int, green: int) -> Values:
    n = red + blue + green
    pairs = [comb(k, 2) for k in (red, blue, green)]
    chance = Fraction(sum(pairs), comb(n, 2))
    return {
        **dict(zip(("r2", "b2", "g2"), pairs)),
        "n": n,
        "n1": n - 1,
        "good": sum(pairs),
        "all": comb(n, 2),
        "raw": unreduced(sum(pairs), comb(n, 2)),
        "top": chance.numerator,
        "bottom": chance.denominator,
        "answer": chance.numerator + chance.denominator,
    }


def _same_color(*colors: int) -> Fraction:
    """One draw after the other."""
    n = sum(colors)
    return sum((Fraction(k, n) * Fraction(k - 1, n - 1) for k in colors), Fraction(0))


@family(
    "aime",
    topics="coprime inclusion exclusion prime divisible totient euler count none sieve integer relatively",
    numbers={"p": (2, 3, 5, 7), "q": (3, 5, 7, 11), "r": (5, 7, 11, 13), "top": range(150, 1000, 5)},
    wordings=(
        "How many integers from 1 to {top} are divisible by none of {p}, {q} and {r}?",
        "Find the number of positive integers up to {top} that none of the primes {p}, {q} and {r} divides.",
    ),
    steps=(
        "One prime: {n_p} + {n_q} + {n_r} = {one} multiples.",
        "Two primes: {n_pq} + {n_pr} + {n_qr} = {two}. All three: {three}.",
        "Divisible: {one} - {two} + {three} = {hit}.",
        "{top} - {hit} = {answer}.",
    ),
    closing="There are {answer} such integers.",
    program="print(sum(1 for n in range(1, {top} + 1) if n % {p} and n % {q} and n % {r}))",
    check=lambda v: sum(all(n % d for d in (v.p, v.q, v.r)) for n in range(1, v.top + 1)) == v.answer,
)
def divisible_by_none(p: int, q: int, r: int, top: int) -> Values | None:
    if not p < q < r:
        return None
    n_p, n_q, n_r = top // p, top // q, top // r
    n_pq, n_pr, n_qr, three = top // (p * q), top // (p * r), top // (q * r), top // (p * q * r)
    one, two = n_p + n_q + n_r, n_pq + n_pr + n_qr
    return {
        **{"n_p": n_p, "n_q": n_q, "n_r": n_r, "n_pq": n_pq, "n_pr": n_pr, "n_qr": n_qr},
        "one": one,
        "two": two,
        "three": three,
        "hit": one - two + three,
        "answer": top - one + two - three,
    }


@family(
    "aime",
    topics="square difference factor pair integer solution diophantine even odd squares parity",
    split="unseen",
    numbers={"n": range(60, 1700)},
    wordings=(
        "How many ordered pairs (x, y) of positive integers satisfy x^2 - y^2 = {n}?",
        "In how many ways is {n} a difference x^2 - y^2 of squares of positive integers?",
    ),
    steps=(
        "{n} = (x - y)(x + y), and both factors are even or both are odd.",
        "With the smaller factor first: {pairs}.",
        "Each gives one solution, so there are {answer}.",
    ),
    closing="The answer is {answer}.",
    program="""
        from math import isqrt
        count = 0
        for y in range(1, {n}):
            square = {n} + y * y
            count += isqrt(square) ** 2 == square
        print(count)
    """,
    check=lambda v: sum(isqrt(v.n + y * y) ** 2 == v.n + y * y for y in range(1, v.n // 2 + 1)) == v.answer,
)
def difference_of_squares(n: int) -> Values | None:
    pairs = [(d, n // d) for d in range(1, isqrt(n) + 1) if n % d == 0 and d * d < n and (d + n // d) % 2 == 0]
    if not 2 <= len(pairs) <= 6:
        return None
    return {"pairs": ", ".join(f"{d} * {e}" for d, e in pairs), "answer": len(pairs)}


@family(
    "aime",
    topics="quadratic integer root coefficient factor sum vieta polynomial roots discriminant square",
    split="unseen",
    numbers={"n": [n for n in range(12, 1500) if isqrt(n) ** 2 != n]},
    wordings=(
        "Find the sum of all positive integers k for which x^2 - kx + {n} = 0 has two integer roots.",
        "For some positive integers k both roots of x^2 - kx + {n} = 0 are integers. What is the sum of these k?",
    ),
    steps=(
        "The roots are positive with product {n}, and k is their sum.",
        "The products: {products}.",
        "The values of k: {sums} = {answer}.",
    ),
    closing="The sum is {answer}.",
    program="""
        from math import isqrt
        total = 0
        for k in range(1, {n} + 2):
            d = k * k - 4 * {n}
            if d >= 0 and isqrt(d) ** 2 == d and (k + isqrt(d)) % 2 == 0:
                total += k
        print(total)
    """,
    check=lambda v: sum(d for d in range(1, v.n + 1) if v.n % d == 0) == v.answer,
)
def integer_roots(n: int) -> Values | None:
    pairs = [(d, n // d) for d in range(1, isqrt(n) + 1) if n % d == 0]
    if not 2 <= len(pairs) <= 5:
        return None
    return {
        "products": ", ".join(f"{d} * {e}" for d, e in pairs),
        "sums": " + ".join(str(d + e) for d, e in pairs),
        "answer": sum(d + e for d, e in pairs),
    }

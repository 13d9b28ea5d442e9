"""AMC 12: logarithms, complex numbers, recurrences, trigonometry and committees."""

from __future__ import annotations

from fractions import Fraction
from math import acos, asin, comb, cos, gcd, sin
from typing import Any

from src.generation.procedural.family import Values, family
from src.generation.procedural.language import polynomial, unreduced

NONZERO = [n for n in range(-9, 10) if n]
BASES = (2, 3, 5, 6, 7, 10)  # no power of one is a power of another
SIDES = (
    *((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (12, 35, 37), (9, 40, 41)),
    *((28, 45, 53), (11, 60, 61), (16, 63, 65), (33, 56, 65), (48, 55, 73), (36, 77, 85), (39, 80, 89)),
    *((13, 84, 85), (65, 72, 97)),
)
TRIPLES = (*SIDES, *((q, p, h) for p, q, h in SIDES))


@family(
    "amc12",
    topics="logarithm log base exponent power rational change exponential ln equation fraction",
    numbers={"a": BASES, "m": range(2, 6), "n": range(3, 9), "b": BASES, "p": range(2, 6), "q": range(3, 9)},
    wordings=(
        "What is log_({a}^{m}) of {a}^{n} plus log_({b}^{p}) of {b}^{q}?",
        "Add the logarithm of {a}^{n} to base {a}^{m} and the logarithm of {b}^{q} to base {b}^{p}. What is the sum?",
    ),
    steps=(
        "The first is {n}/{m}, because ({a}^{m})^({n}/{m}) = {a}^{n}. The second is {q}/{p}.",
        "{n} * {p} + {q} * {m} = {np} + {qm} = {top} and {m} * {p} = {bottom}.",
        "The sum is {raw}{answer}.",
    ),
    closing="The sum is {answer}.",
    program="""
        from fractions import Fraction
        print(Fraction({n}, {m}) + Fraction({q}, {p}))
    """,
    check=lambda v: v.answer * v.m * v.p == v.n * v.p + v.q * v.m and _log_agrees(v),
)
def logarithms_to_power_bases(a: int, m: int, n: int, b: int, p: int, q: int) -> Values | None:
    if a == b or gcd(m, n) > 1 or gcd(p, q) > 1:
        return None
    top, bottom = n * p + q * m, m * p
    return {
        "np": n * p,
        "qm": q * m,
        "top": top,
        "bottom": bottom,
        "raw": unreduced(top, bottom),
        "answer": Fraction(top, bottom),
    }


def _log_agrees(v: Any) -> bool:
    from math import log

    return abs(log(v.a**v.n, v.a**v.m) + log(v.b**v.q, v.b**v.p) - v.answer) < 1e-9


def _recurrence_by_matrix(v: Any) -> bool:
    from sympy import Matrix

    step = Matrix([[v.p, v.q], [1, 0]])
    return (step**4 * Matrix([v.second, v.first]))[0] == v.answer


@family(
    "amc12",
    topics="recurrence sequence fibonacci term recursive iteration next generate linear recursion difference",
    numbers={"first": range(1, 8), "second": range(1, 8), "p": range(1, 4), "q": (-3, -2, -1, 1, 2, 3)},
    wordings=(
        "A sequence has a_1 = {first}, a_2 = {second} and a_n = {rule} for n > 2. Find a_6.",
        "Let a_1 = {first}, a_2 = {second} and a_n = {rule} from then on. What is a_6?",
    ),
    steps=(
        "a_3 = {p} * {second} {q:+} * {first} = {t3}.",
        "a_4 = {p} * {t3:()} {q:+} * {second} = {t4}.",
        "a_5 = {p} * {t4:()} {q:+} * {t3:()} = {t5}.",
        "a_6 = {p} * {t5:()} {q:+} * {t4:()} = {answer}.",
    ),
    closing="So a_6 = {answer}.",
    program="""
        a, b = {first}, {second}
        for _ in range(4):
            a, b = b, {p} * b {q:+} * a
        print(b)
    """,
    check=_recurrence_by_matrix,
)
def sixth_term(first: int, second: int, p: int, q: int) -> Values:
    terms = [first, second]
    for _ in range(4):
        terms.append(p * terms[-1] + q * terms[-2])
    rule = polynomial(p, 0, variable="a_(n-1)") + (" - " if q < 0 else " + ")
    return {
        "rule": rule + polynomial(abs(q), 0, variable="a_(n-2)"),
        "t3": terms[2],
        "t4": terms[3],
        "t5": terms[4],
        "answer": terms[5],
    }


@family(
    "amc12",
    topics="floor ceiling integer sum part round quotient summation series truncate",
    numbers={"m": range(3, 13), "turns": range(5, 17), "rest": range(1, 12)},
    wordings=(
        "Let [t] be the largest integer not above t. Find the sum of [k/{m}] for k = 1, 2, ..., {n}.",
        "For k = 1 to {n}, divide k by {m} and round down. What is the sum of the results?",
    ),
    steps=(
        "Each of 1, 2, ..., {last} comes {m} times, and {turns} comes {tail} times.",
        "1 + 2 + ... + {last} = {last} * {turns} / 2 = {triangle}.",
        "{m} * {triangle} + {tail} * {turns} = {body} + {end} = {answer}.",
    ),
    closing="The sum is {answer}.",
    program="print(sum(k // {m} for k in range(1, {n} + 1)))",
    check=lambda v: sum(k // v.m for k in range(1, v.n + 1)) == v.answer,
)
def sum_of_floors(m: int, turns: int, rest: int) -> Values | None:
    if rest >= m:
        return None
    triangle = turns * (turns - 1) // 2
    return {
        "n": m * turns + rest,
        "last": turns - 1,
        "tail": rest + 1,
        "triangle": triangle,
        "body": m * triangle,
        "end": (rest + 1) * turns,
        "answer": m * triangle + (rest + 1) * turns,
    }


@family(
    "amc12",
    topics="complex number modulus imaginary absolute conjugate plane argument product real part",
    numbers={"a": NONZERO, "b": NONZERO, "c": NONZERO, "d": NONZERO},
    wordings=(
        "Let z = ({a} {b:+}i)({c} {d:+}i). What is |z|^2?",
        "Find the square of the absolute value of ({a} {b:+}i)({c} {d:+}i).",
    ),
    steps=(
        "|z|^2 is the product of the two squares.",
        "{a:()}^2 + {b:()}^2 = {a2} + {b2} = {first}.",
        "{c:()}^2 + {d:()}^2 = {c2} + {d2} = {second}.",
        "{first} * {second} = {answer}.",
    ),
    closing="The value is {answer}.",
    program="""
        z = complex({a}, {b}) * complex({c}, {d})
        print(round(z.real**2 + z.imag**2))
    """,
    check=lambda v: (v.a * v.c - v.b * v.d) ** 2 + (v.a * v.d + v.b * v.c) ** 2 == v.answer,
)
def modulus_of_a_product(a: int, b: int, c: int, d: int) -> Values | None:
    if abs(b) == 1 or abs(d) == 1:
        return None
    first, second = a * a + b * b, c * c + d * d
    return {
        "a2": a * a,
        "b2": b * b,
        "c2": c * c,
        "d2": d * d,
        "first": first,
        "second": second,
        "answer": first * second,
    }


def _division_agrees(v: Any) -> bool:
    """Synthetic division, written out on the coefficients."""
    carry = 0
    for coefficient in (1, v.a, v.b, v.c):
        carry = carry * v.r + coefficient
    return carry == v.answer


@family(
    "amc12",
    topics="polynomial remainder divide division theorem cubic root factor coefficient quotient evaluate",
    numbers={"a": NONZERO, "b": NONZERO, "c": NONZERO, "r": (-5, -4, -3, -2, 2, 3, 4, 5)},
    wordings=(
        "Find the remainder when {poly} is divided by x {minus_r:+}.",
        "What remainder does {poly} leave on division by x {minus_r:+}?",
    ),
    steps=(
        "The remainder is the value at x = {r}.",
        "{r:()}^3 = {cube}, {a:()} * {square} = {mid}, {b:()} * {r:()} = {low}.",
        "{cube} {mid:+} {low:+} {c:+} = {answer}.",
    ),
    closing="The remainder is {answer}.",
    program="""
        x = {r}
        print(x**3 + {a:()} * x**2 + {b:()} * x + {c:()})
    """,
    check=_division_agrees,
)
def remainder_theorem(a: int, b: int, c: int, r: int) -> Values:
    return {
        "poly": polynomial(1, a, b, c),
        "minus_r": -r,
        "cube": r**3,
        "square": r * r,
        "mid": a * r * r,
        "low": b * r,
        "answer": r**3 + a * r * r + b * r + c,
    }


def _angles_agree(v: Any) -> bool:
    alpha, beta = asin(v.s / v.h), acos(v.u / v.g)
    value = (sin, cos)[v.what](alpha + (beta if v.sign > 0 else -beta))
    return abs(value - float(v.answer)) < 1e-9


@family(
    "amc12",
    topics="trigonometry sine cosine angle sin cos identity addition triangle rotation tangent acute",
    numbers={"first": range(len(TRIPLES)), "second": range(len(TRIPLES)), "what": (0, 1), "sign": (1, -1)},
    facts="xy zt h g answer",
    wordings=(
        "A and B are acute angles with sin A = {s}/{h} and cos B = {u}/{g}. What is {name_f}(A {op} B)?",
        "If A and B are acute, sin A = {s}/{h} and cos B = {u}/{g}, find {name_f}(A {op} B).",
    ),
    steps=(
        "cos A = {c}/{h} and sin B = {w}/{g}.",
        "{rule}.",
        "{x} * {y} {inner} {z} * {t} = {xy} {inner} {zt} = {top} and {h} * {g} = {bottom}.",
        "The value is {raw}{answer}.",
    ),
    closing="The value is {answer}.",
    program="""
        from fractions import Fraction
        sin_a, cos_a = Fraction({s}, {h}), Fraction({c}, {h})
        sin_b, cos_b = Fraction({w}, {g}), Fraction({u}, {g})
        print({formula})
    """,
    check=_angles_agree,
)
def angle_addition(first: int, second: int, what: int, sign: int) -> Values | None:
    (s, c, h), (w, u, g) = TRIPLES[first], TRIPLES[second]
    op = "+" if sign > 0 else "-"
    inner = op if what == 0 else ("-" if sign > 0 else "+")
    x, y, z, t = (s, u, c, w) if what == 0 else (c, u, s, w)
    top = x * y + z * t if inner == "+" else x * y - z * t
    if top <= 0:
        return None
    f = ("sin", "cos")[what]
    product = "sin A cos B {} cos A sin B" if what == 0 else "cos A cos B {} sin A sin B"
    formula = "sin_a * cos_b {} cos_a * sin_b" if what == 0 else "cos_a * cos_b {} sin_a * sin_b"
    return {
        **{"s": s, "c": c, "h": h, "w": w, "u": u, "g": g, "x": x, "y": y, "z": z, "t": t},
        "name_f": f,
        "op": op,
        "inner": inner,
        "rule": f"{f}(A {op} B) = {product.format(inner)}",
        "formula": formula.format(inner),
        "xy": x * y,
        "zt": z * t,
        "top": top,
        "bottom": h * g,
        "raw": unreduced(top, h * g),
        "answer": Fraction(top, h * g),
    }


@family(
    "amc12",
    topics="combination choose committee binomial select subset group combinatorics count least ways",
    numbers={"boys": range(3, 13), "girls": range(3, 13), "k": range(3, 6), "captain": (0, 1)},
    words={"group": ("committee", "team", "jury")},
    wordings=(
        "A {group} of {k} is chosen from {boys} boys and {girls} girls, with at least one girl{extra}. "
        "In how many ways can this be done?",
        "From {girls} girls and {boys} boys a {group} of {k} with at least one girl{extra} is formed. "
        "How many ways are there?",
    ),
    steps=(
        "All choices: {k} of {n} gives {all}.",
        "Without a girl: {k} of {boys} gives {bad}.",
        "With a girl: {all} - {bad} = {good}.",
        "{lead}{answer}.",
    ),
    closing="There are {answer:way}.",
    program="""
        from math import comb
        groups = comb({n}, {k}) - comb({boys}, {k})
        print(groups * {factor})
    """,
    check=lambda v: v.factor * sum(comb(v.girls, g) * comb(v.boys, v.k - g) for g in range(1, v.k + 1)) == v.answer,
)
def committee_with_a_girl(boys: int, girls: int, k: int, captain: int) -> Values:
    n = boys + girls
    good, factor = comb(n, k) - comb(boys, k), k if captain else 1
    return {
        "n": n,
        "all": comb(n, k),
        "bad": comb(boys, k),
        "good": good,
        "factor": factor,
        "extra": " and one member as its head" if captain else "",
        "lead": f"Any of the {k} can be the head: {good} * {k} = " if captain else "So the answer is ",
        "answer": good * factor,
    }


@family(
    "amc12",
    topics="geometric series infinite sum ratio convergence limit term converge radius",
    split="unseen",
    numbers={"a": range(2, 40), "p": range(1, 8), "q": range(2, 10)},
    wordings=(
        "What is the sum of the infinite geometric series with first term {a} and ratio {p}/{q}?",
        "A geometric series starts with {a} and each term is {p}/{q} of the one before. "
        "What is the sum of all its terms?",
    ),
    steps=(
        "The sum is {a} / (1 - {p}/{q}).",
        "1 - {p}/{q} = {gap}/{q}.",
        "{a} * {q} = {top}, so the sum is {raw}{answer}.",
    ),
    closing="The sum is {answer}.",
    program="""
        from fractions import Fraction
        print({a} / (1 - Fraction({p}, {q})))
    """,
    check=lambda v: v.a + Fraction(v.p, v.q) * v.answer == v.answer,
)
def infinite_series(a: int, p: int, q: int) -> Values | None:
    if p >= q or gcd(p, q) > 1:
        return None
    return {"gap": q - p, "top": a * q, "raw": unreduced(a * q, q - p), "answer": Fraction(a * q, q - p)}


def _reciprocals_agree(v: Any) -> bool:
    """Substituting x = 1/y turns the cubic round; the sum of its roots is minus its second coefficient."""
    from sympy import Poly, Symbol

    y = Symbol("y")
    turned = Poly(1 - v.a * y + v.b * y**2 - v.c * y**3, y).monic().all_coeffs()
    return -turned[1] == v.answer


@family(
    "amc12",
    topics="vieta cubic root reciprocal polynomial sum symmetric coefficient zero roots inverse",
    split="unseen",
    numbers={"a": range(1, 15), "b": range(2, 30), "c": range(2, 20)},
    wordings=(
        "The roots of x^3 - {ax}x^2 + {b}x - {c} = 0 are r, s and t. What is 1/r + 1/s + 1/t?",
        "Find the sum of the reciprocals of the three roots of x^3 - {ax}x^2 + {b}x - {c} = 0.",
    ),
    steps=(
        "rs + st + rt = {b} and rst = {c}.",
        "1/r + 1/s + 1/t = (rs + st + rt)/(rst) = {raw}{answer}.",
    ),
    closing="The sum is {answer}.",
    program="""
        from fractions import Fraction
        pairs, product = {b}, {c}
        print(Fraction(pairs, product))
    """,
    check=_reciprocals_agree,
)
def reciprocals_of_roots(a: int, b: int, c: int) -> Values:
    return {"ax": "" if a == 1 else str(a), "raw": unreduced(b, c), "answer": Fraction(b, c)}

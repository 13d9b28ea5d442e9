"""College: calculus, linear algebra, modular arithmetic, probability and graphs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from src.generation.procedural.family import Values, family
from src.generation.procedural.language import polynomial

NONZERO = [n for n in range(-6, 7) if n]


@family(
    "college",
    topics="modular power residue congruence remainder exponent mod group order ring finite field cyclic",
    numbers={"a": range(2, 20), "n": (3, 4, 5, 8, 9, 16, 17), "m": [m for m in range(5, 31) if m != 10]},
    wordings=(  # not 10: that asks for the last digit, and AMC 8 does
        "What is the remainder when {a}^{n} is divided by {m}?",
        "Find {a}^{n} modulo {m}.",
    ),
    steps=("Square again and again, modulo {m}.", "{chain}"),
    closing="The remainder is {answer}.",
    program="print(pow({a}, {n}, {m}))",
    check=lambda v: v.a**v.n % v.m == v.answer,
)
def power_modulo(a: int, n: int, m: int) -> Values | None:
    if a >= m:
        return None
    chain, value, power = [], a, 1
    while 2 * power <= n:
        power *= 2
        chain.append(f"{a}^{power}: {_product_with_rest(value, value, m)}")
        value = value * value % m
        if value == 0:
            return None
    if power < n:
        chain.append(f"{a}^{n}: {_product_with_rest(value, a, m)}")
        value = value * a % m
    return {"chain": "\n".join(chain), "answer": value}


def _product_with_rest(a: int, b: int, m: int) -> str:
    product = a * b
    return f"{a} * {b} = {product}." + (f" {product} = {product // m} * {m} + {product % m}." if product >= m else "")


@family(
    "college",
    topics="vector dot product orthogonal perpendicular inner space basis linear projection component",
    numbers={"a": NONZERO, "b": NONZERO, "c": NONZERO, "d": NONZERO, "e": (1, 2, 3, -1, -2, -3)},
    wordings=(
        "For which k are the vectors ({a}, {b}, k) and ({c}, {d}, {e}) orthogonal?",
        "The vectors ({a}, {b}, k) and ({c}, {d}, {e}) are perpendicular. Find k.",
    ),
    steps=(
        "The dot product is {a:()} * {c:()} + {b:()} * {d:()} {e:+} * k = 0.",
        "{a:()} * {c:()} = {ac} and {b:()} * {d:()} = {bd}, so {ac} {bd:+} = {known}.",
        "k = {minus} / {e:()} = {answer}.",
    ),
    closing="So k = {answer}.",
    program="""
        known = {a:()} * {c:()} + {b:()} * {d:()}
        print(-known // {e:()})
    """,
    check=lambda v: sum(p * q for p, q in zip((v.a, v.b, v.answer), (v.c, v.d, v.e))) == 0,
)
def orthogonal_vectors(a: int, b: int, c: int, d: int, e: int) -> Values | None:
    known = a * c + b * d
    if known % e:
        return None
    return {"ac": a * c, "bd": b * d, "known": known, "minus": -known, "answer": -known // e}


def _edges_drawn(degrees: list[int]) -> int:
    """Havel and Hakimi: draw a graph of these degrees, and count its edges; -1 where there is none."""
    left, edges = sorted(degrees, reverse=True), 0
    while left and left[0]:
        most, left = left[0], left[1:]
        if len(left) < most or left[most - 1] == 0:
            return -1
        left = sorted([d - 1 for d in left[:most]] + left[most:], reverse=True)
        edges += most
    return edges


@family(
    "college",
    topics="graph vertex edge degree node network handshake neighbor adjacency undirected vertices edges simple",
    numbers={"a": range(2, 12), "b": range(2, 12), "c": range(2, 12), "p": (1, 2), "q": (3, 4), "r": (5, 6)},
    wordings=(
        "In a simple graph, {a} vertices have degree {p}, {b} have degree {q} and {c} have degree {r}. "
        "How many edges does it have?",
        "A simple graph has {a:node} of degree {p}, {b} of degree {q} and {c} of degree {r}. How many edges are there?",
    ),
    steps=(
        "The degrees sum to {a} * {p} + {b} * {q} + {c} * {r} = {ap} + {bq} + {cr} = {total}.",
        "Each edge is counted twice: {total} / 2 = {answer}.",
    ),
    closing="There are {answer:edge}.",
    program="""
        degrees = [{p}] * {a} + [{q}] * {b} + [{r}] * {c}
        print(sum(degrees) // 2)
    """,
    check=lambda v: _edges_drawn([v.p] * v.a + [v.q] * v.b + [v.r] * v.c) == v.answer,
)
def edges_from_degrees(a: int, b: int, c: int, p: int, q: int, r: int) -> Values | None:
    total = a * p + b * q + c * r
    if _edges_drawn([p] * a + [q] * b + [r] * c) < 0:
        return None
    return {"ap": a * p, "bq": b * q, "cr": c * r, "total": total, "answer": total // 2}


def _derivative_agrees(v: Any) -> bool:
    from sympy import Poly, Symbol

    x = Symbol("x")
    return int(Poly([v.a, v.b, v.c, v.d], x).diff(x).eval(v.k)) == v.answer


@family(
    "college",
    topics="derivative differentiate slope tangent calculus polynomial diff gradient rate point function",
    numbers={"a": range(1, 6), "b": NONZERO, "c": NONZERO, "d": range(-9, 10), "k": range(-4, 6)},
    wordings=(
        "Let f(x) = {f}. Find f'({k}).",
        "What is the slope of the tangent to y = {f} at x = {k}?",
        "Evaluate the derivative of {f} at x = {k}.",
    ),
    steps=(
        "f'(x) = {df}.",
        "At x = {k}: {a3} * {k2} = {first} and {b2} * {k:()} = {second}.",
        "{first} {second:+} {c:+} = {answer}.",
    ),
    closing="The slope is {answer}.",
    program="""
        f = [{a}, {b}, {c}, {d}]
        df = [f[0] * 3, f[1] * 2, f[2]]
        print(df[0] * {k:()} ** 2 + df[1] * {k:()} + df[2])
    """,
    check=_derivative_agrees,
)
def derivative_at_a_point(a: int, b: int, c: int, d: int, k: int) -> Values | None:
    if k in (0, 1):
        return None
    return {
        "f": polynomial(a, b, c, d),
        "df": polynomial(3 * a, 2 * b, c),
        "a3": 3 * a,
        "b2": 2 * b,
        "k2": k * k,
        "first": 3 * a * k * k,
        "second": 2 * b * k,
        "answer": 3 * a * k * k + 2 * b * k + c,
    }


def _integral_agrees(v: Any) -> bool:
    """Simpson's rule is exact for quadratics."""
    mid = Fraction(v.t, 2)
    values = [3 * v.a * x * x + 2 * v.b * x + v.c for x in (0, mid, v.t)]
    return Fraction(v.t, 6) * (values[0] + 4 * values[1] + values[2]) == v.answer


@family(
    "college",
    topics="integral integrate area under curve antiderivative quadrature calculus definite interval measure",
    numbers={"a": range(1, 5), "b": NONZERO, "c": range(-9, 10), "t": range(2, 7)},
    wordings=(
        "Compute the integral of {f} from x = 0 to x = {t}.",
        "What is the definite integral of {f} over the interval [0, {t}]?",
    ),
    steps=(
        "An antiderivative is F(x) = {big_f}, and F(0) = 0.",
        "{a} * {t3} = {at}, {b:()} * {t2} = {bt}, {c:()} * {t} = {ct}.",
        "F({t}) = {at} {bt:+} {ct:+} = {answer}.",
    ),
    closing="The integral is {answer}.",
    program="""
        def antiderivative(x):
            return {a} * x**3 + {b:()} * x**2 + {c:()} * x
        print(antiderivative({t}) - antiderivative(0))
    """,
    check=_integral_agrees,
)
def definite_integral(a: int, b: int, c: int, t: int) -> Values | None:
    if c == 0:
        return None
    return {
        "f": polynomial(3 * a, 2 * b, c),
        "big_f": polynomial(a, b, c, 0),
        "t3": t**3,
        "t2": t**2,
        "at": a * t**3,
        "bt": b * t**2,
        "ct": c * t,
        "answer": a * t**3 + b * t**2 + c * t,
    }


def _determinant_agrees(v: Any) -> bool:
    """Leibniz's sum over the permutations."""
    rows = ((v.a, v.b, v.c), (0, v.d, v.e), (v.f, 0, v.g))
    orders = {(0, 1, 2): 1, (1, 2, 0): 1, (2, 0, 1): 1, (0, 2, 1): -1, (1, 0, 2): -1, (2, 1, 0): -1}
    return sum(s * rows[0][i] * rows[1][j] * rows[2][k] for (i, j, k), s in orders.items()) == v.answer


@family(
    "college",
    topics="determinant matrix linear algebra row column square singular inverse minor cofactor",
    numbers={k: range(1, 7) for k in "abcdefg"},
    wordings=(
        "Find the determinant of the matrix [[{a}, {b}, {c}], [0, {d}, {e}], [{f}, 0, {g}]].",
        "A matrix has the rows ({a}, {b}, {c}), (0, {d}, {e}) and ({f}, 0, {g}). What is its determinant?",
    ),
    steps=(
        "Expand along the first column.",
        "First: {a} * {d} * {g} = {left}.",
        "Last: {b} * {e} - {c} * {d} = {be} - {cd} = {minor}, and {f} * {minor:()} = {right}.",
        "The determinant is {left} {right:+} = {answer}.",
    ),
    closing="The determinant is {answer}.",
    program="""
        left = {a} * ({d} * {g} - {e} * 0)
        right = {f} * ({b} * {e} - {c} * {d})
        print(left + right)
    """,
    check=_determinant_agrees,
)
def determinant_with_zeros(a: int, b: int, c: int, d: int, e: int, f: int, g: int) -> Values:
    minor = b * e - c * d
    return {
        "left": a * d * g,
        "be": b * e,
        "cd": c * d,
        "minor": minor,
        "right": f * minor,
        "answer": a * d * g + f * minor,
    }


@family(
    "college",
    topics="probability expected value expectation random variable distribution mean discrete weight game",
    numbers={"p": range(1, 7), "q": range(1, 7), "a": range(2, 16), "b": range(2, 16), "c": range(-9, 10)},
    wordings=(
        "A random variable is {a} with probability {p}/10, {b} with probability {q}/10 and {c} otherwise. "
        "What is its expected value?",
        "X takes the value {a} with probability {p}/10, {b} with probability {q}/10 and {c} with probability {r}/10. "
        "Find the mean of X.",
    ),
    steps=(
        "The value {c} has probability {r}/10.",
        "{p} * {a} = {pa}, {q} * {b} = {qb}, {r} * {c:()} = {rc}.",
        "{pa} + {qb} {rc:+} = {ten:tenth}, that is {answer}.",
    ),
    closing="The expected value is {answer}.",
    program="""
        from fractions import Fraction
        ten = {p} * {a} + {q} * {b} + {r} * {c:()}
        print(Fraction(ten, 10))
    """,
    check=lambda v: Fraction(sum([v.a] * v.p + [v.b] * v.q + [v.c] * (10 - v.p - v.q)), 10) == v.answer,
)
def expected_value(p: int, q: int, a: int, b: int, c: int) -> Values | None:
    r = 10 - p - q
    if r < 1 or len({a, b, c}) < 3 or c == 0:
        return None
    ten = p * a + q * b + r * c
    return {"r": r, "pa": p * a, "qb": q * b, "rc": r * c, "ten": ten, "answer": Fraction(ten, 10)}


def _limit_agrees(v: Any) -> bool:
    """L'Hopital's rule: the derivative of the numerator over 1."""
    return 2 * v.a * v.r + v.b == v.answer and v.a * v.r * v.r + v.b * v.r + v.c == 0


@family(
    "college",
    topics="limit approach continuous function ratio infinity series convergence asymptotic quotient",
    numbers={"a": range(2, 8), "r": range(-8, 10), "s": range(-9, 10)},
    wordings=(
        "Find the limit of ({poly}) / (x {minus_r:+}) as x approaches {r}.",
        "What does ({poly}) / (x {minus_r:+}) tend to as x tends to {r}?",
    ),
    steps=(
        "{poly} = {a}(x {minus_r:+})(x {minus_s:+}).",
        "Cancel: the quotient is {a}(x {minus_s:+}).",
        "At x = {r}: {a} * ({r} {minus_s:+}) = {a} * {gap:()} = {answer}.",
    ),
    closing="The limit is {answer}.",
    program="""
        from fractions import Fraction
        x = {r} + Fraction(1, 10**9)
        value = ({a} * x**2 + {b:()} * x + {c:()}) / (x - {r:()})
        print(round(value))
    """,
    check=_limit_agrees,
)
def limit_of_a_quotient(a: int, r: int, s: int) -> Values | None:
    if r == s or r == 0 or s == 0:
        return None
    b, c = -a * (r + s), a * r * s
    return {
        "poly": polynomial(a, b, c),
        "b": b,
        "c": c,
        "minus_r": -r,
        "minus_s": -s,
        "gap": r - s,
        "answer": a * (r - s),
    }


@family(
    "college",
    topics="eigenvalue matrix spectrum characteristic polynomial linear algebra eigenvector trace symmetric",
    split="unseen",
    numbers={"p": range(1, 10), "q": range(-6, 9), "a": range(-5, 10), "b": range(1, 7)},
    wordings=(
        "Find the larger eigenvalue of the matrix [[{a}, {b}], [{c}, {d}]].",
        "A matrix has the rows ({a}, {b}) and ({c}, {d}). What is its larger eigenvalue?",
    ),
    steps=(
        "The trace is {a} {d:+} = {trace}.",
        "The determinant is {a:()} * {d:()} - {b} * {c:()} = {ad} {minus_bc:+} = {det}.",
        "{p} {q:+} = {trace} and {p} * {q:()} = {det}, so the larger is {answer}.",
    ),
    closing="The larger eigenvalue is {answer}.",
    program="""
        from math import isqrt
        trace = {a} + {d:()}
        det = {a:()} * {d:()} - {b} * {c:()}
        print((trace + isqrt(trace**2 - 4 * det)) // 2)
    """,
    check=lambda v: [x for x in range(-40, 41) if (v.a - x) * (v.d - x) == v.b * v.c][-1] == v.answer,
)
def larger_eigenvalue(p: int, q: int, a: int, b: int) -> Values | None:
    d = p + q - a
    bc = a * d - p * q
    if p <= q or bc % b or bc == 0:
        return None
    c = bc // b
    return {"c": c, "d": d, "trace": p + q, "det": p * q, "ad": a * d, "minus_bc": -bc, "answer": p}


@family(
    "college",
    topics="tree leaf leaves graph degree vertex edge acyclic forest connected node",
    split="unseen",
    numbers={"a": range(2, 16), "b": range(2, 12), "c": range(2, 12)},
    wordings=(
        "A tree has {a} vertices of degree 2, {b} of degree 3 and {c} of degree 4. All others are leaves. "
        "How many leaves does it have?",
        "In a tree, {a} vertices have degree 2, {b} have degree 3, {c} have degree 4, and the rest have degree 1. "
        "How many have degree 1?",
    ),
    steps=(
        "With L leaves there are {inner} + L vertices, so {edges} + L edges.",
        "The degrees sum to {a} * 2 + {b} * 3 + {c} * 4 + L = {total} + L.",
        "{total} + L = 2 * {edges} + 2L, so L = {total} - {twice} = {answer}.",
    ),
    closing="There are {answer:leaf}.",
    program="""
        for leaves in range(1, 1000):
            vertices = {a} + {b} + {c} + leaves
            degrees = 2 * {a} + 3 * {b} + 4 * {c} + leaves
            if degrees == 2 * (vertices - 1):
                print(leaves)
    """,
    check=lambda v: v.answer == 2 + v.b + 2 * v.c,
)
def leaves_of_a_tree(a: int, b: int, c: int) -> Values:
    inner = a + b + c
    total, edges = 2 * a + 3 * b + 4 * c, inner - 1
    return {"inner": inner, "edges": edges, "total": total, "twice": 2 * edges, "answer": total - 2 * edges}

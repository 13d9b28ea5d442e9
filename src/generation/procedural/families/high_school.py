"""High school: quadratics, systems, lines, series, exponents, distances and growth."""

from __future__ import annotations

from math import isqrt

from src.generation.procedural.family import Values, family
from src.generation.procedural.language import polynomial

TRIPLES = ((3, 4, 5), (6, 8, 10), (5, 12, 13), (9, 12, 15), (8, 15, 17), (12, 16, 20), (7, 24, 25), (20, 21, 29))


@family(
    "high_school",
    topics="power exponent simplify rule expression monomial base degree algebra exponential",
    numbers={"a": range(2, 10), "b": range(2, 8), "c": range(2, 20), "d": range(2, 25)},
    words={"base": ("x", "y", "t", "2", "3", "7")},
    wordings=(
        "Write ({base}^{a})^{b} * {base}^{c} / {base}^{d} as {base}^n. What is n?",
        "Find n such that ({base}^{a})^{b} * {base}^{c} / {base}^{d} = {base}^n.",
    ),
    steps=(
        "The power of a power: {a} * {b} = {ab}.",
        "Multiplying adds: {ab} + {c} = {up}.",
        "Dividing subtracts: {up} - {d} = {answer}.",
    ),
    closing="So n = {answer}.",
    program="print({a} * {b} + {c} - {d})",
    check=lambda v: (2**v.a) ** v.b * 2**v.c == 2 ** (v.d + v.answer),
)
def power_rules(a: int, b: int, c: int, d: int) -> Values | None:
    return {"ab": a * b, "up": a * b + c, "answer": a * b + c - d} if a * b + c - d > 1 else None


@family(
    "high_school",
    topics="function composition evaluate map argument value call compose apply inner outer",
    numbers={"a": range(2, 8), "b": [n for n in range(-9, 10) if n], "c": range(-9, 10), "n": range(-5, 7)},
    wordings=(
        "Let f(x) = {f} and g(x) = {g}. What is f(g({n}))?",
        "If f(x) = {f} and g(x) = {g}, find f(g({n})).",
    ),
    steps=(
        "g({n}) = {n:()}^2 {c:+} = {n2} {c:+} = {inner}.",
        "f({inner}) = {a} * {inner:()} {b:+} = {outer} {b:+} = {answer}.",
    ),
    closing="The value is {answer}.",
    program="""
        def g(x):
            return x * x + {c:()}
        def f(x):
            return {a} * x + {b:()}
        print(f(g({n})))
    """,
    check=lambda v: v.a * v.n**2 + v.a * v.c + v.b == v.answer,
)
def composed_functions(a: int, b: int, c: int, n: int) -> Values | None:
    if c == 0:
        return None
    inner = n * n + c
    return {
        "f": polynomial(a, b),
        "g": polynomial(1, 0, c),
        "n2": n * n,
        "inner": inner,
        "outer": a * inner,
        "answer": a * inner + b,
    }


@family(
    "high_school",
    topics="arithmetic series sequence sum progression term index summation accumulate difference",
    numbers={"first": range(2, 22), "d": range(2, 10), "n": range(6, 25, 2)},
    wordings=(
        "An arithmetic sequence starts with {first} and has common difference {d}. "
        "Find the sum of its first {n} terms.",
        "Find the sum of the first {n} terms of {first}, {second}, {third}, ...",
        "A hall has {first} seats in the first row and {d} more in each next row. "
        "How many seats do {n} rows have in all?",
    ),
    steps=(
        "The last term is {first} + {gaps} * {d} = {last}.",
        "First and last sum to {first} + {last} = {pair}.",
        "There are {n} / 2 = {half} such pairs: {half} * {pair} = {answer}.",
    ),
    closing="The sum is {answer}.",
    program="print(sum({first} + {d} * i for i in range({n})))",
    check=lambda v: sum(range(v.first, v.first + v.d * v.n, v.d)) == v.answer,
)
def arithmetic_series(first: int, d: int, n: int) -> Values:
    last = first + (n - 1) * d
    return {
        "second": first + d,
        "third": first + 2 * d,
        "gaps": n - 1,
        "last": last,
        "pair": first + last,
        "half": n // 2,
        "answer": n // 2 * (first + last),
    }


@family(
    "high_school",
    topics="quadratic equation root polynomial factor zero solve discriminant parabola square roots",
    numbers={"a": range(1, 6), "r": range(-10, 11), "s": range(-9, 12)},
    wordings=(
        "Find the larger root of {poly} = 0.",
        "The equation {poly} = 0 has two solutions. What is the larger one?",
        "What is the largest x for which {poly} equals 0?",
    ),
    steps=(
        "{start}",
        "Split it: {r} {s:+} = {total} and {r:()} * {s:()} = {product}.",
        "So x = {r} or x = {s}. The larger is {answer}.",
    ),
    closing="The larger root is {answer}.",
    program="""
        from math import isqrt
        a, b, c = {a}, {b}, {c}
        root = isqrt(b * b - 4 * a * c)
        print((-b + root) // (2 * a))
    """,
    check=lambda v: max(x for x in range(-20, 21) if v.a * x * x + v.b * x + v.c == 0) == v.answer,
)
def larger_root(a: int, r: int, s: int) -> Values | None:
    if r >= s or r == 0 or s == 0 or r == -s:
        return None
    b, c = -a * (r + s), a * r * s
    monic = polynomial(1, -(r + s), r * s)
    return {
        "poly": polynomial(a, b, c),
        "start": f"Divide by {a}: {monic} = 0." if a > 1 else f"Factor {monic}.",
        "b": b,
        "c": c,
        "total": r + s,
        "product": r * s,
        "answer": s,
    }


@family(
    "high_school",
    topics="system linear equations simultaneous solve elimination unknown matrix variable substitution",
    numbers={"a": range(1, 6), "b": range(1, 8), "c": range(1, 6), "x": range(-8, 9), "y": range(-8, 9)},
    wordings=(
        "If {first} = {e} and {second} = {f}, what is x?",
        "Solve the system {first} = {e}, {second} = {f} for x.",
    ),
    steps=(
        "Add the two equations: {sum}x = {e} {f:+} = {total}.",
        "Divide: x = {total} / {sum} = {answer}.",
    ),
    closing="So x = {answer}.",
    program="""
        for x in range(-50, 51):
            y, rest = divmod({e} - {a} * x, {b})
            if rest == 0 and {c} * x - {b} * y == {f}:
                print(x)
    """,
    check=lambda v: v.answer * (v.a * -v.b - v.b * v.c) == v.e * -v.b - v.b * v.f,  # Cramer's rule
)
def add_two_equations(a: int, b: int, c: int, x: int, y: int) -> Values:
    e, f = a * x + b * y, c * x - b * y
    return {
        "first": polynomial(a, 0) + f" + {polynomial(b, 0, variable='y')}",
        "second": polynomial(c, 0) + f" - {polynomial(b, 0, variable='y')}",
        "e": e,
        "f": f,
        "sum": a + c,
        "total": e + f,
        "answer": x,
    }


@family(
    "high_school",
    topics="line slope point coordinate linear function intercept graph interpolation plane collinear",
    numbers={"x": range(0, 9), "y": range(-9, 10), "run": range(1, 7), "m": range(-5, 7), "far": range(2, 9)},
    wordings=(
        "A line passes through ({x}, {y}) and ({x2}, {y2}). What is its y value at x = {x3}?",
        "The points ({x}, {y}), ({x2}, {y2}) and ({x3}, k) lie on one line. Find k.",
    ),
    steps=(
        "The slope is ({y2} - {y:()}) / ({x2} - {x}) = {rise} / {run} = {m}.",
        "From x = {x2} to x = {x3} is {far}, and {far} * {m:()} = {gain}.",
        "The value is {y2} {gain:+} = {answer}.",
    ),
    closing="The value is {answer}.",
    program="""
        slope = ({y2} - {y:()}) // ({x2} - {x})
        print({y2} + slope * ({x3} - {x2}))
    """,
    check=lambda v: (v.answer - v.y) * (v.x2 - v.x) == (v.y2 - v.y) * (v.x3 - v.x),
)
def third_point_of_a_line(x: int, y: int, run: int, m: int, far: int) -> Values | None:
    if m == 0:
        return None
    x2, y2 = x + run, y + m * run
    return {"x2": x2, "y2": y2, "x3": x2 + far, "rise": m * run, "gain": m * far, "answer": y2 + m * far}


@family(
    "high_school",
    topics="distance point coordinate pythagorean triangle norm length euclidean metric hypotenuse plane",
    numbers={"x": range(-9, 10), "y": range(-9, 10), "triple": range(len(TRIPLES)), "turn": range(4)},
    wordings=(
        "What is the distance between the points ({x}, {y}) and ({x2}, {y2})?",
        "Find the length of the segment from ({x}, {y}) to ({x2}, {y2}).",
    ),
    steps=(
        "The differences are {x2} - {x:()} = {dx} and {y2} - {y:()} = {dy}.",
        "{dx:()}^2 + {dy:()}^2 = {dx2} + {dy2} = {square}.",
        "The square root of {square} is {answer}.",
    ),
    closing="The distance is {answer}.",
    program="""
        from math import isqrt
        dx, dy = {x2} - {x:()}, {y2} - {y:()}
        print(isqrt(dx * dx + dy * dy))
    """,
    check=lambda v: abs(complex(v.x2 - v.x, v.y2 - v.y)) == v.answer,
)
def distance_of_points(x: int, y: int, triple: int, turn: int) -> Values:
    p, q, _ = TRIPLES[triple]
    dx, dy = ((p, q), (q, p), (p, -q), (-q, p))[turn]
    square = dx * dx + dy * dy
    return {
        "x2": x + dx,
        "y2": y + dy,
        "dx": dx,
        "dy": dy,
        "dx2": dx * dx,
        "dy2": dy * dy,
        "square": square,
        "answer": isqrt(square),
    }


@family(
    "high_school",
    topics="growth exponential percent interest compound population rate year decay geometric increase",
    numbers={"base": range(400, 6001, 100), "p": (10, 20, 30, 50), "q": (10, 20, 25, 50)},
    words={"one": ("tree", "rabbit", "fish", "bird")},
    wordings=(
        "There are {base:{one}} on an island. Their number grows by {p}% in one year and by {q}% in the next. "
        "How many are there then?",
        "The number of {one:s} in a park is {base}. It rises by {p}% and then by {q}%. What is it after that?",
    ),
    steps=(
        "{base} * {p} / 100 = {up}, so {base} + {up} = {mid}.",
        "{mid} * {q} / 100 = {up2}, so {mid} + {up2} = {answer}.",
    ),
    closing="In the end there are {answer:{one}}.",
    program="""
        count = {base} * (100 + {p}) // 100
        print(count * (100 + {q}) // 100)
    """,
    check=lambda v: v.base * (100 + v.p) * (100 + v.q) == 10_000 * v.answer,
)
def two_years_of_growth(base: int, p: int, q: int) -> Values | None:
    mid = base + base * p // 100
    if mid * q % 100:
        return None
    return {"up": base * p // 100, "mid": mid, "up2": mid * q // 100, "answer": mid + mid * q // 100}


@family(
    "high_school",
    topics="logarithm log exponent base power inverse exponential entropy order",
    split="unseen",
    numbers={"p": (2, 3, 5, 10), "m": range(2, 7), "q": (2, 3, 4, 10), "n": range(1, 6), "k": range(2, 8)},
    wordings=(
        "Compute {k} * log_{p}({pm}) + log_{q}({qn}), where log_b is the logarithm to base b.",
        "What is {k} times log_{p}({pm}) plus log_{q}({qn})? Here log_b means the logarithm to base b.",
    ),
    steps=(
        "{p}^{m} = {pm}, so log_{p}({pm}) = {m}.",
        "{q}^{n} = {qn}, so log_{q}({qn}) = {n}.",
        "{k} * {m} + {n} = {km} + {n} = {answer}.",
    ),
    closing="The value is {answer}.",
    program="""
        def log(base, x):
            return 0 if x == 1 else 1 + log(base, x // base)
        print({k} * log({p}, {pm}) + log({q}, {qn}))
    """,
    check=lambda v: v.p ** (v.answer - v.n) == v.pm**v.k and v.q**v.n == v.qn,
)
def sum_of_logarithms(p: int, m: int, q: int, n: int, k: int) -> Values | None:
    if p == q or p**m > 10_000:
        return None
    return {"pm": p**m, "qn": q**n, "km": k * m, "answer": k * m + n}


@family(
    "high_school",
    topics="minimum maximum vertex parabola optimize quadratic complete square optimization convex extremum",
    split="unseen",
    numbers={"h": [n for n in range(-12, 13) if n], "c": [n for n in range(-30, 61) if n]},
    wordings=(
        "What is the smallest value of {poly} over all real x?",
        "Find the minimum of {poly}, where x is a real number.",
    ),
    steps=(
        "Complete the square: (x {minus_h:+})^2 {c:+} - {h2}.",
        "The square is at least 0, so the minimum is {c} - {h2} = {answer}.",
    ),
    closing="The minimum is {answer}.",
    program="print(min(x * x + {b:()} * x + {c:()} for x in range(-50, 51)))",
    check=lambda v: 4 * v.answer == 4 * v.c - v.b**2,
)
def smallest_value(h: int, c: int) -> Values:
    return {"poly": polynomial(1, -2 * h, c), "b": -2 * h, "minus_h": -h, "h2": h * h, "answer": c - h * h}

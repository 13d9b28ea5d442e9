"""Letters for numbers: putting in, collecting, opening brackets, undoing one operation, sequences."""

from __future__ import annotations

from functools import partial

from src.generation.procedural.family import Values, family
from src.generation.procedural.language import polynomial

skill = partial(family, "reading", split="reading")

SIGNED = [n for n in range(-12, 13) if n]


@skill(
    topics="evaluate expression substitute linear value",
    numbers={"a": [n for n in range(-9, 10) if abs(n) > 1], "b": [n for n in range(-30, 31) if n], "k": SIGNED},
    words={"x": ("x", "t", "n")},
    wordings=("Put {x} = {k} into {a}{x} {b:+}.", "What is {a}{x} {b:+} when {x} is {k}?"),
    steps=("{a} * {k:()} = {p}.", "{p} {b:+} = {answer}."),
    closing="The value is {answer}.",
    program="""
        x = {k}
        print({a} * x {b:+})
    """,
    check=lambda v: v.answer - v.b == v.a * v.k,
)
def value_of_a_line(a: int, b: int, k: int) -> Values:
    return {"p": a * k, "answer": a * k + b}


@skill(
    topics="evaluate polynomial substitute square cube value",
    numbers={"a": range(1, 7), "b": SIGNED, "c": SIGNED, "k": [n for n in range(-5, 8) if n not in (0, 1)]},
    wordings=("Put x = {k} into {poly}.", "What is {poly} when x is {k}?"),
    steps=(
        "x^2 = {k2}.",
        "{a} * {k2} = {first} and {b:()} * {k:()} = {second}.",
        "{first} {second:+} {c:+} = {answer}.",
    ),
    closing="The value is {answer}.",
    program="""
        x = {k}
        print({a} * x ** 2 {b:+} * x {c:+})
    """,
    check=lambda v: (v.a * v.k + v.b) * v.k + v.c == v.answer,
)
def value_of_a_square(a: int, b: int, c: int, k: int) -> Values:
    return {
        "poly": polynomial(a, b, c),
        "k2": k * k,
        "first": a * k * k,
        "second": b * k,
        "answer": a * k * k + b * k + c,
    }


@skill(
    topics="evaluate two letters substitute",
    numbers={"a": range(2, 10), "b": range(2, 10), "x": range(2, 25), "y": range(2, 25)},
    wordings=("With x = {x} and y = {y}, what is {a}x + {b}y?", "Put x = {x} and y = {y} into {a}x + {b}y."),
    steps=("{a} * {x} = {first} and {b} * {y} = {second}.", "{first} + {second} = {answer}."),
    closing="The value is {answer}.",
    program="""
        x, y = {x}, {y}
        print({a} * x + {b} * y)
    """,
    check=lambda v: sum([v.x] * v.a) + sum([v.y] * v.b) == v.answer,
)
def value_of_two_letters(a: int, b: int, x: int, y: int) -> Values:
    return {"first": a * x, "second": b * y, "answer": a * x + b * y}


@skill(
    topics="equation solve undo add subtract unknown",
    numbers={"x": range(-30, 80), "b": [n for n in range(-40, 61) if n]},
    wordings=("Which x gives x {b:+} = {c}?", "Solve x {b:+} = {c}."),
    steps=("x = {c} {minus:+} = {answer}.",),
    closing="So x = {answer}.",
    program="print({c} - {b:()})",
    check=lambda v: v.answer + v.b == v.c,
)
def undo_a_sum(x: int, b: int) -> Values:
    return {"c": x + b, "minus": -b, "answer": x}


@skill(
    topics="equation solve undo multiply divide unknown",
    numbers={"x": [n for n in range(-30, 61) if n], "a": [n for n in range(-9, 13) if abs(n) > 1]},
    wordings=("Which x gives {a}x = {c}?", "Solve {a}x = {c}."),
    steps=("x = {c} / {a:()} = {answer}.",),
    closing="So x = {answer}.",
    program="print({c} // {a:()})",
    check=lambda v: v.answer * v.a == v.c,
)
def undo_a_product(x: int, a: int) -> Values:
    return {"c": a * x, "answer": x}


@skill(
    topics="collect terms coefficient simplify letters",
    numbers={"a": SIGNED, "b": SIGNED, "c": SIGNED},
    wordings=(
        "Collect {first}{second}{third}. What stands before x?",
        "{first}{second}{third} = kx. Find k.",
    ),
    steps=("{a} {b:+} = {ab} and {ab} {c:+} = {answer}.",),
    closing="The coefficient is {answer}.",
    program="print({a} {b:+} {c:+})",
    check=lambda v: v.answer - v.c == v.a + v.b,
)
def collect_terms(a: int, b: int, c: int) -> Values | None:
    if a + b + c == 0:
        return None
    return {
        "first": polynomial(a, 0),
        "second": f" {'-' if b < 0 else '+'} {polynomial(abs(b), 0)}",
        "third": f" {'-' if c < 0 else '+'} {polynomial(abs(c), 0)}",
        "ab": a + b,
        "answer": a + b + c,
    }


@skill(
    topics="bracket expand multiply product polynomial",
    numbers={"a": SIGNED, "b": SIGNED},
    wordings=("Expand (x {a:+})(x {b:+}).  What stands before x?", "(x {a:+})(x {b:+}) = x^2 + kx + m. What is k?"),
    steps=(
        "{a} {b:+} = {s} and {a:()} * {b:()} = {p}.",
        "So (x {a:+})(x {b:+}) = {poly}.",
    ),
    closing="That is {answer}.",
    program="print({a} {b:+})",
    check=lambda v: (7 + v.a) * (7 + v.b) == 49 + 7 * v.answer + v.p,
)
def open_two_brackets(a: int, b: int) -> Values | None:
    if a + b == 0:
        return None
    return {"s": a + b, "p": a * b, "poly": polynomial(1, a + b, a * b), "answer": a + b}


@skill(
    topics="sum product two numbers guess",
    numbers={"a": [n for n in range(-12, 13) if n], "b": [n for n in range(-12, 13) if n]},
    wordings=(
        "Two numbers have the sum {s} and the product {p}. What is the smaller of them?",
        "Which two numbers add up to {s} and multiply to {p}? Give the smaller one.",
    ),
    steps=("{a} {b:+} = {s} and {a:()} * {b:()} = {p}, so they are {a} and {b}.",),
    closing="The smaller is {answer}.",
    program="""
        for a in range(-50, 51):
            if a <= {s} - a and a * ({s} - a) == {p}:
                print(a)
    """,
    check=lambda v: v.answer * (v.s - v.answer) == v.p,
)
def from_sum_and_product(a: int, b: int) -> Values | None:
    return {"s": a + b, "p": a * b, "answer": a} if a < b else None


@skill(
    topics="power exponent multiply same base add",
    numbers={"a": range(2, 30), "b": range(2, 30)},
    words={"x": ("x", "y", "5", "10")},
    wordings=(
        "Write {x}^{a} * {x}^{b} as one power of {x}. What is the exponent?",
        "{x}^{a} * {x}^{b} = {x}^n. Find n.",
    ),
    steps=("Exponents of one base add: {a} + {b} = {answer}.",),
    closing="The exponent is {answer}.",
    program="print({a} + {b})",
    check=lambda v: 2**v.a * 2**v.b == 2**v.answer,
)
def one_power_of_two(a: int, b: int) -> Values:
    return {"answer": a + b}


@skill(
    topics="sequence next term step add list",
    numbers={"first": range(1, 40), "d": range(2, 16), "n": range(3, 9)},
    wordings=(
        "Start at {first} and add {d} again and again. What is number {n} of the list?",
        "Write {n} numbers that begin with {first} and grow by {d}. What is the last?",
    ),
    steps=("{listed}.",),
    closing="The number is {answer}.",
    program="print({first} + {d} * ({n} - 1))",
    check=lambda v: (v.answer - v.first) == v.d * (v.n - 1),
)
def count_on(first: int, d: int, n: int) -> Values:
    listed = [first + d * i for i in range(n)]
    return {"listed": ", ".join(map(str, listed)), "answer": listed[-1]}


@skill(
    topics="sequence double multiply next term",
    numbers={"first": range(1, 12), "k": (2, 2, 3), "n": range(3, 7)},
    wordings=(
        "Start at {first} and multiply by {k} each time. What is number {n} of the list?",
        "A list begins with {first}, and each number is {k} times the one before. What is number {n}?",
    ),
    steps=("{listed}.",),
    closing="The number is {answer}.",
    program="print({first} * {k} ** ({n} - 1))",
    check=lambda v: v.answer % v.first == 0 and v.answer // v.first == v.k ** (v.n - 1),
)
def multiply_on(first: int, k: int, n: int) -> Values:
    listed = [first * k**i for i in range(n)]
    return {"listed": ", ".join(map(str, listed)), "answer": listed[-1]}

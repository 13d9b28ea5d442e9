"""Numbers below zero."""

from __future__ import annotations

from functools import partial

from src.generation.procedural.family import Values, family
from src.generation.procedural.reading.written import running_sum

skill = partial(family, "reading", split="reading")

SIGNED = [n for n in range(-40, 41) if n]
FEW = [n for n in range(-13, 14) if n]


@skill(
    topics="negative add subtract sign",
    numbers={"a": SIGNED, "b": SIGNED},
    wordings=("What is {a} {b:+}?", "Compute {a} {b:+}.", "Find the value of {a} {b:+}."),
    steps=("{a} {b:+} = {answer}.",),
    closing="The value is {answer}.",
    program="print({a} {b:+})",
    check=lambda v: v.answer - v.b == v.a,
)
def signed_sum(a: int, b: int) -> Values:
    return {"answer": a + b}


@skill(
    topics="negative subtract difference sign",
    numbers={"a": SIGNED, "b": SIGNED},
    wordings=("What is {a} - {b:()}?", "Subtract {b} from {a}.", "Compute {a} - {b:()}."),
    steps=("{a} - {b:()} = {a} {minus:+} = {answer}.",),
    closing="The difference is {answer}.",
    program="print({a} - {b:()})",
    check=lambda v: v.answer + v.b == v.a,
)
def signed_difference(a: int, b: int) -> Values:
    return {"minus": -b, "answer": a - b}


@skill(
    topics="negative multiply product sign",
    numbers={"a": [n for n in range(-30, 31) if n], "b": FEW},
    wordings=("What is {a} * {b:()}?", "Multiply {a} by {b}.", "Compute {a:()} * {b:()}."),
    steps=("{a:()} * {b:()} = {answer}.",),
    closing="The product is {answer}.",
    program="print({a:()} * {b:()})",
    check=lambda v: abs(v.answer) == abs(v.a) * abs(v.b) and (v.answer > 0) == ((v.a > 0) == (v.b > 0)),
)
def signed_product(a: int, b: int) -> Values:
    return {"answer": a * b}


@skill(
    topics="negative divide quotient sign",
    numbers={"q": SIGNED, "b": FEW},
    wordings=("What is {a} / {b:()}?", "Divide {a} by {b}.", "Compute {a:()} / {b:()}."),
    steps=("{a:()} / {b:()} = {q}, for {q} * {b:()} = {a}.",),
    closing="The quotient is {answer}.",
    program="print({a:()} // {b:()})",
    check=lambda v: v.answer * v.b == v.a,
)
def signed_quotient(q: int, b: int) -> Values | None:
    return {"a": q * b, "answer": q} if abs(b) > 1 else None


@skill(
    topics="negative drill row sign operations",
    numbers={"a": FEW, "b": FEW, "c": SIGNED, "d": SIGNED},
    wordings=(
        "Compute each: {a:()} * {b:()}; {c} {d:+}. What is the product plus the sum?",
        "Multiply {a} by {b}, then work out {c} {d:+}, then add both results.",
    ),
    steps=("{a:()} * {b:()} = {p}.", "{c} {d:+} = {s}.", "{p} {s:+} = {answer}."),
    closing="The result is {answer}.",
    program="""
        product = {a:()} * {b:()}
        total = {c} {d:+}
        print(product + total)
    """,
    check=lambda v: v.answer - v.p == v.c + v.d,
)
def signed_row(a: int, b: int, c: int, d: int) -> Values:
    return {"p": a * b, "s": c + d, "answer": a * b + c + d}


@skill(
    topics="negative running total list sign",
    numbers={"a": SIGNED, "b": SIGNED, "c": SIGNED},
    wordings=("Add up {a}, {b} and {c}.", "What is the total of {a}, {b} and {c}?", "Compute {a} {b:+} {c:+}."),
    steps=("{work}.",),
    closing="The total is {answer}.",
    program="print({a} {b:+} {c:+})",
    check=lambda v: v.answer - v.a - v.b == v.c,
)
def signed_list(a: int, b: int, c: int) -> Values:
    return {"work": running_sum([a, b, c]), "answer": a + b + c}


@skill(
    topics="negative opposite sign change",
    numbers={"a": SIGNED, "b": SIGNED},
    wordings=(
        "Change the sign of {a} and add {b}.",
        "What is the opposite of {a}, plus {b:()}?",
    ),
    steps=("The opposite of {a} is {minus}.", "{minus} {b:+} = {answer}."),
    closing="The result is {answer}.",
    program="print(-{a:()} + {b:()})",
    check=lambda v: v.answer + v.a == v.b,
)
def opposite_plus(a: int, b: int) -> Values:
    return {"minus": -a, "answer": b - a}


@skill(
    topics="negative square power sign",
    numbers={"a": FEW, "k": [n for n in range(-6, 7) if n], "c": SIGNED},
    wordings=("What is {k} * {a:()}^2 {c:+}?", "Square {a}, multiply by {k} and add {c:()}."),
    steps=("{a:()}^2 = {square}.", "{k} * {square} = {p}.", "{p} {c:+} = {answer}."),
    closing="The value is {answer}.",
    program="print({k} * {a:()} ** 2 {c:+})",
    check=lambda v: (v.answer - v.c) == v.k * v.a * v.a,
)
def signed_square(a: int, k: int, c: int) -> Values:
    return {"square": a * a, "p": k * a * a, "answer": k * a * a + c}

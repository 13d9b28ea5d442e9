"""The four operations: at once where a table gives the result, else with carries, borrows and parts written out."""

from __future__ import annotations

from functools import partial
from math import isqrt

from src.generation.procedural.family import Values, family
from src.generation.procedural.reading.written import column_difference, column_sum, product_by_parts, running_sum

skill = partial(family, "reading", split="reading")

SMALL = [*range(2, 100)]
MIXED = SMALL * 4 + [*range(100, 1000)]  # three numbers in ten have three digits
LONG = [*range(100, 5000)]


@skill(
    topics="add plus sum",
    numbers={"a": MIXED, "b": MIXED},
    wordings=("What is {a} + {b}?", "Compute {a} + {b}.", "Add {a} and {b}.", "Find the sum of {a} and {b}."),
    steps=("{a} + {b} = {answer}.",),
    closing="The sum is {answer}.",
    program="print({a} + {b})",
    check=lambda v: v.answer - v.b == v.a,
)
def sum_at_once(a: int, b: int) -> Values:
    return {"answer": a + b}


@skill(
    topics="add plus sum carry column",
    numbers={"a": LONG, "b": [*SMALL * 20, *LONG]},
    wordings=("Add {a} and {b} digit by digit.", "Work out {a} + {b} in columns.", "{a} + {b} = ? Write the carries."),
    steps=("{work}", "{a} + {b} = {answer}."),
    closing="The sum is {answer}.",
    program="print({a} + {b})",
    check=lambda v: v.answer - v.b == v.a,
)
def sum_in_columns(a: int, b: int) -> Values:
    return {"work": column_sum(a, b), "answer": a + b}


@skill(
    topics="subtract minus difference",
    numbers={"a": MIXED, "b": MIXED},
    wordings=("What is {a} - {b}?", "Compute {a} - {b}.", "Subtract {b} from {a}.", "Take {b} away from {a}."),
    steps=("{a} - {b} = {answer}.",),
    closing="The difference is {answer}.",
    program="print({a} - {b})",
    check=lambda v: v.answer + v.b == v.a,
)
def difference_at_once(a: int, b: int) -> Values | None:
    return {"answer": a - b} if a >= b else None


@skill(
    topics="subtract minus difference borrow column",
    numbers={"a": LONG, "b": [*SMALL * 20, *LONG]},
    wordings=(
        "Subtract {b} from {a} digit by digit.",
        "Work out {a} - {b} in columns.",
        "{a} - {b} = ? Show where you borrow.",
    ),
    steps=("{work}", "{a} - {b} = {answer}."),
    closing="The difference is {answer}.",
    program="print({a} - {b})",
    check=lambda v: v.answer + v.b == v.a,
)
def difference_in_columns(a: int, b: int) -> Values | None:
    return {"work": column_difference(a, b), "answer": a - b} if a > b else None


@skill(
    topics="multiply times product",
    numbers={"a": SMALL, "b": range(2, 13)},
    wordings=("What is {a} * {b}?", "Compute {b} * {a}.", "Multiply {a} by {b}.", "Find {a} times {b}."),
    steps=("{a} * {b} = {answer}.",),
    closing="The product is {answer}.",
    program="print({a} * {b})",
    check=lambda v: sum([v.a] * v.b) == v.answer,
)
def product_at_once(a: int, b: int) -> Values:
    return {"answer": a * b}


@skill(
    topics="multiply product table",
    numbers={"a": range(2, 31), "b": range(2, 21)},
    wordings=("{a} * {b} = ?", "Say the product of {a} and {b}.", "What do {a} and {b} multiply to?"),
    steps=("{a} * {b} = {answer} and {b} * {a} = {answer}.",),
    closing="The product is {answer}.",
    program="print({a} * {b})",
    check=lambda v: sum([v.a] * v.b) == v.answer,
)
def product_from_the_table(a: int, b: int) -> Values:
    return {"answer": a * b}


@skill(
    topics="multiply product parts tens ones",
    numbers={"a": range(11, 130), "b": range(11, 100)},
    wordings=("Work out {a} * {b} by parts.", "Multiply {a} by {b}, tens first.", "What is {a} * {b}?"),
    steps=("{work}.",),
    closing="The product is {answer}.",
    program="print({a} * {b})",
    check=lambda v: v.answer // v.b == v.a and v.answer % v.b == 0,
)
def product_of_long_numbers(a: int, b: int) -> Values:
    return {"work": product_by_parts(a, b), "answer": a * b}


@skill(
    topics="divide quotient",
    numbers={"quotient": SMALL, "b": range(2, 25)},
    wordings=("What is {a} / {b}?", "Divide {a} by {b}.", "How often does {b} fit into {a}?", "Compute {a} / {b}."),
    steps=("{a} / {b} = {quotient}, for {quotient} * {b} = {a}.",),
    closing="The quotient is {answer}.",
    program="print({a} // {b})",
    check=lambda v: v.answer * v.b == v.a,
)
def quotient_at_once(quotient: int, b: int) -> Values:
    return {"a": quotient * b, "answer": quotient}


@skill(
    topics="divide remainder rest",
    numbers={"a": [*range(5, 400)], "b": range(2, 41)},
    wordings=(
        "What is left when {a} is divided by {b}?",
        "Divide {a} by {b} and give the rest.",
        "Write {a} as a multiple of {b} plus a rest. What is the rest?",
    ),
    steps=("{a} = {quotient} * {b} + {answer}.",),
    closing="The rest is {answer}.",
    program="print({a} % {b})",
    check=lambda v: (v.a - v.answer) % v.b == 0 and 0 <= v.answer < v.b,
)
def division_with_rest(a: int, b: int) -> Values | None:
    return {"quotient": a // b, "answer": a % b} if a > b else None


@skill(
    topics="drill row operations",
    numbers={"a": MIXED, "b": SMALL, "c": range(2, 31), "d": range(2, 16), "e": MIXED, "f": SMALL},
    wordings=(
        "Compute each: {a} + {b}; {c} * {d}; {big} - {f}. What is the last?",
        "Fill in: {a} + {b} = _, {c} * {d} = _, {big} - {f} = _. Give the last.",
    ),
    steps=("{a} + {b} = {s}.", "{c} * {d} = {p}.", "{big} - {f} = {answer}."),
    closing="The last is {answer}.",
    program="""
        first, second, last = {a} + {b}, {c} * {d}, {big} - {f}
        print(last)
    """,
    check=lambda v: v.s - v.b == v.a and v.p == sum([v.c] * v.d) and v.answer + v.f == v.big,
)
def row_of_three(a: int, b: int, c: int, d: int, e: int, f: int) -> Values:
    return {"s": a + b, "p": c * d, "big": e + f, "answer": e}


@skill(
    topics="drill row operations divide",
    numbers={"a": range(2, 31), "b": range(2, 21), "c": SMALL, "d": range(2, 13), "e": MIXED, "f": SMALL},
    wordings=(
        "Compute each: {ab} / {b}; {c} * {d}; {e} + {f}. What is the last?",
        "Fill in: {ab} / {b} = _, {c} * {d} = _, {e} + {f} = _. Give the last.",
    ),
    steps=("{ab} / {b} = {a}.", "{c} * {d} = {p}.", "{e} + {f} = {answer}."),
    closing="The last is {answer}.",
    program="""
        first, second, last = {ab} // {b}, {c} * {d}, {e} + {f}
        print(last)
    """,
    check=lambda v: v.a * v.b == v.ab and v.p == sum([v.c] * v.d) and v.answer - v.f == v.e,
)
def row_with_a_quotient(a: int, b: int, c: int, d: int, e: int, f: int) -> Values:
    return {"ab": a * b, "p": c * d, "answer": e + f}


@skill(
    topics="sum list running total",
    numbers={"a": SMALL, "b": SMALL, "c": SMALL, "d": range(0, 60)},
    wordings=(
        "Add up the list {listed}.",
        "What is the total of {listed}?",
        "Sum the numbers {listed}, one after the other.",
    ),
    steps=("{work}.",),
    closing="The total is {answer}.",
    program="print(sum([{listed}]))",
    check=lambda v: v.answer - v.a - v.b - v.c == v.d,
)
def sum_of_a_list(a: int, b: int, c: int, d: int) -> Values:
    numbers = [n for n in (a, b, c, d) if n]
    return {"listed": ", ".join(map(str, numbers)), "work": running_sum(numbers), "answer": sum(numbers)}


@skill(
    topics="power square cube exponent",
    numbers={"a": range(2, 21), "n": (2, 2, 3, 3, 4)},
    wordings=("What is {a}^{n}?", "Write {a}^{n} as a number.", "Raise {a} to the power {n}."),
    steps=("{a}^{n} = {factors} = {work}.",),
    closing="The power is {answer}.",
    program="print({a} ** {n})",
    check=lambda v: eval("*".join([str(v.a)] * v.n)) == v.answer,  # digits and stars of our own
)
def small_power(a: int, n: int) -> Values | None:
    if a**n > 3000:
        return None
    partial_products = [a**k for k in range(2, n)]
    work = " = ".join([*(f"{p}{f' * {a}' * (n - k)}" for k, p in enumerate(partial_products, start=2)), str(a**n)])
    return {"factors": " * ".join([str(a)] * n), "work": work, "answer": a**n}


@skill(
    topics="square root",
    numbers={"n": range(2, 41)},
    wordings=("What is the square root of {square}?", "Which positive number has the square {square}?"),
    steps=("{n} * {n} = {square}.",),
    closing="The root is {answer}.",
    program="""
        from math import isqrt
        print(isqrt({square}))
    """,
    check=lambda v: isqrt(v.square) == v.answer,
)
def square_root(n: int) -> Values:
    return {"square": n * n, "answer": n}


@skill(
    topics="compare order largest smallest",
    numbers={"a": MIXED, "b": MIXED, "c": MIXED, "d": MIXED},
    words={"which": ("largest", "smallest")},
    wordings=("Sort {a}, {b}, {c} and {d}. What is the middle distance, between the second and the third?",),
    steps=("In order: {ordered}.", "{third} - {second} = {answer}."),
    closing="The distance is {answer}.",
    program="""
        numbers = sorted([{a}, {b}, {c}, {d}])
        print(numbers[2] - numbers[1])
    """,
    check=lambda v: v.second + v.answer == v.third,
)
def gap_in_the_middle(a: int, b: int, c: int, d: int) -> Values | None:
    if len({a, b, c, d}) < 4:
        return None
    ordered = sorted((a, b, c, d))
    return {
        "ordered": ", ".join(map(str, ordered)),
        "second": ordered[1],
        "third": ordered[2],
        "answer": ordered[2] - ordered[1],
    }


@skill(
    topics="double half operations two steps",
    numbers={"a": SMALL, "b": range(2, 13), "c": SMALL},
    wordings=(
        "Multiply {a} by {b}, then add {c}.",
        "Start with {a}, take it {b} times and add {c}. What comes out?",
        "What is {c} more than {b} times {a}?",
    ),
    steps=("{b} * {a} = {p}.", "{p} + {c} = {answer}."),
    closing="The result is {answer}.",
    program="print({b} * {a} + {c})",
    check=lambda v: (v.answer - v.c) == sum([v.a] * v.b),
)
def times_then_plus(a: int, b: int, c: int) -> Values:
    return {"p": a * b, "answer": a * b + c}


@skill(
    topics="divide half operations two steps",
    numbers={"a": SMALL, "b": range(2, 13), "c": SMALL},
    wordings=(
        "Divide {ab} by {b}, then subtract {c}.",
        "Take the {b:th} part of {ab} and lower it by {c}. What is left?",
        "{ab} is cut into {b} equal parts. What is {c} less than one part?",
    ),
    steps=("{ab} / {b} = {a}.", "{a} - {c} = {answer}."),
    closing="The result is {answer}.",
    program="print({ab} // {b} - {c})",
    check=lambda v: (v.answer + v.c) * v.b == v.ab,
)
def divide_then_minus(a: int, b: int, c: int) -> Values | None:
    return {"ab": a * b, "answer": a - c} if a > c else None


@skill(
    topics="product half divide two",
    numbers={"a": range(3, 41), "b": range(2, 31), "k": (2, 2, 3, 4)},
    wordings=("Compute {a} * {b} / {k}.", "Multiply {a} by {b} and divide by {k}.", "What is {a} * {b} / {k}?"),
    steps=("{a} * {b} = {p}.", "{p} / {k} = {answer}."),
    closing="The value is {answer}.",
    program="print({a} * {b} // {k})",
    check=lambda v: v.answer * v.k == v.a * v.b,
)
def product_over_a_number(a: int, b: int, k: int) -> Values | None:
    return {"p": a * b, "answer": a * b // k} if a * b % k == 0 else None


@skill(
    topics="digits place value ones tens hundreds",
    numbers={"n": range(102, 9999)},
    wordings=("What is the sum of the digits of {n}?", "Add the digits of {n}."),
    steps=("The digits are {digits}.", "{work}."),
    closing="The sum is {answer}.",
    program="print(sum(int(d) for d in str({n})))",
    check=lambda v: v.answer % 9 == v.n % 9 and v.answer <= 36,
)
def sum_of_digits(n: int) -> Values | None:
    digits = [int(d) for d in str(n)]
    if 0 in digits:
        return None
    return {"digits": ", ".join(map(str, digits)), "work": running_sum(digits), "answer": sum(digits)}


@skill(
    topics="digits place value last two",
    numbers={"n": range(102, 9999), "k": (1, 2)},
    wordings=("Which number do the last {k:digit} of {n} form?", "What are the last {k:digit} of {n}?"),
    steps=("{n} = {front} * {unit} + {answer}.",),
    closing="That is {answer}.",
    program="print({n} % {unit})",
    check=lambda v: str(v.n).endswith(str(v.answer)),
)
def last_digits(n: int, k: int) -> Values | None:
    unit = 10**k
    if k == 2 and n % 100 < 10:
        return None
    return {"unit": unit, "front": n // unit, "answer": n % unit}

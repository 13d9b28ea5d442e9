"""When two formulas are one: by their values, exactly or to many digits, at sample points.

An exact value and a decimal are the same from four digits on: a decimal answer may stand for an exact gold, but an
irrational answer for a decimal gold only where the gold has the digits of a float.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from src.evaluation.grading.arithmetic import (
    TooLongError,
    UndefinedError,
    complex_sample,
    equal,
    evaluate,
    holds,
    inexact,
    is_real,
    sample,
    variables,
    whole_sample,
)
from src.evaluation.grading.expressions import Tree
from src.evaluation.grading.values import Equation, Expression

RELATIVE = Fraction(1, 10_000)  # between decimals, as the published harnesses have it
NOISE = Fraction(1, 1_000_000)  # between a whole number and a decimal: 2.9999999 is 3, 99.99 is not 100
DIGITS, FLOAT_DIGITS = 4, 10
POINTS, ENOUGH = 12, 3
COMPLEX_PARTS = ("re", "im", "arg")  # the real part of z is z only where z is real
WHOLE_NAMES = frozenset("ijklmnpqKMN")  # what is rounded down, n/2, is of a whole number if it has such a name


def same_expression(gold: Expression, answer: Expression) -> bool:
    """Numbers by their values; formulas, if their values agree wherever both have one."""
    if gold.tree == answer.tree:
        return True
    if _letter(gold) and _letter(gold) == _letter(answer):
        return True
    try:
        return _same_at_points(gold, answer)
    except TooLongError:
        return False


def _same_at_points(gold: Expression, answer: Expression) -> bool:
    if not variables(gold.tree) and not variables(answer.tree):
        values = _at(gold.tree, answer.tree, 0)
        return values is not None and _same_value(*values, gold, answer)
    complex_too = any(holds(tree, "i", *COMPLEX_PARTS) for tree in (gold.tree, answer.tree))
    found = 0
    for point in range(POINTS):
        values = _at(gold.tree, answer.tree, point)
        if values is None or (not complex_too and not all(is_real(value) for value in values)):
            continue
        if not equal(*values):
            return False
        found += 1
    return found >= ENOUGH


def _letter(expression: Expression) -> str | None:
    """A whole answer of one letter may be a choice: A is a."""
    tree = expression.tree
    return tree[1].lower() if tree[0] in ("var", "const") and len(tree[1]) == 1 else None


def _same_value(one: Any, other: Any, gold: Expression, answer: Expression) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        shapes = [(len(matrix), len(matrix[0])) for matrix in (one, other)]
        cells = ((a, b) for rows in zip(one, other) for a, b in zip(*rows))
        return shapes[0] == shapes[1] and all(_same_value(a, b, gold, answer) for a, b in cells)
    if isinstance(one, tuple) or isinstance(other, tuple):
        return False
    if equal(one, other):
        return True
    return (gold.decimal or answer.decimal) and _close(one, other, gold, answer)


def _close(one: Any, other: Any, gold: Expression, answer: Expression) -> bool:
    """Decimals: to a ten-thousandth, or as the other is rounded or cut. Whole numbers are never close."""
    if one == 0 or other == 0 or (_is_whole(one) and _is_whole(other)):
        return False
    if not answer.decimal and not isinstance(other, Fraction):  # the value of pi is no decimal
        return gold.digits >= FLOAT_DIGITS and bool(abs(inexact(one) - inexact(other)) < 1e-9 * abs(inexact(one)))
    exact = isinstance(one, Fraction) and isinstance(other, Fraction)
    first, second = (one, other) if exact else (inexact(one), inexact(other))
    if any(_is_whole(value) and not side.decimal for value, side in ((one, gold), (other, answer))):
        return bool(abs(first - second) * NOISE.denominator <= NOISE.numerator * abs(first))
    if abs(first - second) * RELATIVE.denominator <= RELATIVE.numerator * abs(first):
        return True
    for decimal, digits, exact in ((second, answer.digits, first), (first, gold.digits, second)):
        other_is_exact = not (gold.decimal and answer.decimal)
        if other_is_exact and digits >= DIGITS and _rounds(exact, decimal, digits):
            return True
    return False


def _is_whole(value: Any) -> bool:
    return isinstance(value, Fraction) and value.denominator == 1


def _rounds(exact: Any, decimal: Any, digits: int) -> bool:
    """Is the decimal, of so many digits that count, the exact value rounded, or cut off?"""
    exact, decimal = inexact(exact), inexact(decimal)
    if not is_real(exact) or not is_real(decimal):
        return False
    place = 0
    size = abs(decimal)
    while size >= 10:
        size, place = size / 10, place + 1
    while 0 < size < 1:
        size, place = size * 10, place - 1
    unit = 10 ** type(decimal)(place - digits + 1)
    gap = abs(exact - decimal)
    return bool(gap <= unit / 2 or (gap < unit and abs(decimal) < abs(exact)))


def rounds_to(exact: Expression, decimal: Expression) -> bool:
    """Is the decimal the exact number, rounded or cut off to the decimal's own digits?"""
    try:
        values = None if variables(exact.tree) or variables(decimal.tree) else _at(exact.tree, decimal.tree, 0)
    except TooLongError:
        return False
    if values is None or any(isinstance(value, tuple) for value in values):
        return False
    return _rounds(*values, decimal.digits)


def same_equation(gold: Equation, answer: Equation) -> bool:
    if proportional(gold.difference, answer.difference):
        return True
    cleared = [_cleared(relation.difference) for relation in (gold, answer)]
    (one, below), (other, beneath) = cleared
    return bool(variables(below) or variables(beneath)) and proportional(one, other)


def _cleared(tree: Tree) -> tuple[Tree, Tree]:
    """The tree as one fraction."""
    match tree:
        case ("neg", inner):
            top, bottom = _cleared(inner)
            return ("neg", top), bottom
        case ("+" | "-" | "*" | "/" as sign, left, right):
            (a, b), (c, d) = _cleared(left), _cleared(right)
            if sign == "*":
                return ("*", a, c), ("*", b, d)
            if sign == "/":
                return ("*", a, d), ("*", b, c)
            return (sign, ("*", a, d), ("*", c, b)), ("*", b, d)
    return tree, ("num", Fraction(1))


def proportional(one: Tree, other: Tree, positive: bool = False) -> bool:
    """Is one difference the other times a constant? Then both vanish together."""
    try:
        return variables(one) == variables(other) and _proportional_at_points(one, other, positive)
    except TooLongError:
        return False


def _proportional_at_points(one: Tree, other: Tree, positive: bool) -> bool:
    factor: Any = None
    found = 0
    for point in range(POINTS):
        values = _at(one, other, point)
        if values is None or not all(is_real(value) for value in values):
            continue
        if values[0] == 0 or values[1] == 0 or any(isinstance(value, tuple) for value in values):
            return False
        quotient = _quotient(*values)
        if factor is not None and not equal(factor, quotient):
            return False
        factor = quotient
        found += 1
    return found >= ENOUGH and (not positive or inexact(factor) > 0)


def _quotient(one: Any, other: Any) -> Any:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one / other
    return inexact(one) / inexact(other)


def _at(one: Tree, other: Tree, point: int) -> tuple[Any, Any] | None:
    whole = any(holds(tree, "series", "gcd", "lcm", "remainder") for tree in (one, other))
    rounded = any(holds(tree, "floor", "ceil") for tree in (one, other))

    parted = any(holds(tree, *COMPLEX_PARTS) for tree in (one, other))

    def draw(name: str) -> Any:
        if parted:
            return complex_sample(name, point)
        return whole_sample(name, point) if whole or (rounded and name in WHOLE_NAMES) else sample(name, point)

    try:
        return evaluate(one, draw), evaluate(other, draw)
    except TooLongError:
        raise
    except UndefinedError:
        return None

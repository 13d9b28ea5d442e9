"""Sets of real numbers as spans: made from brackets and inequalities, joined, cut and subtracted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from src.evaluation.grading.arithmetic import UndefinedError, equal, evaluate, inexact, is_real, variables
from src.evaluation.grading.expressions import Tree
from src.evaluation.grading.tokens import UnreadableError
from src.evaluation.grading.values import Collection, Expression, Reals, Span, Value

INFINITY = Expression(("const", "oo"))
MINUS_INFINITY = Expression(("neg", ("const", "oo")))
_FURTHER = (2, -7, 1009, -1013)  # where a function that is linear at 0 and 1 must be linear, too
EVERYTHING = (Span(MINUS_INFINITY, INFINITY, False, False),)


def constant(expression: Expression | Tree) -> Any:
    """The value of what holds no name. Raises UnreadableError for what has none, or no real one."""
    tree = expression.tree if isinstance(expression, Expression) else expression
    if variables(tree):
        raise UnreadableError("a bound with a name in it")
    try:
        value = evaluate(tree, _no_name)
    except UndefinedError as error:
        raise UnreadableError(str(error)) from error
    if isinstance(value, tuple) or not is_real(value):
        raise UnreadableError("no real number")
    return value


def _no_name(name: str) -> Fraction:
    raise UndefinedError(name)


def is_infinite(tree: Tree) -> bool:
    return tree in (INFINITY.tree, MINUS_INFINITY.tree)


def point(value: Expression) -> Span:
    return Span(value, value, True, True)


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Sorted, and joined where they touch. Spans whose bounds hold names stay as they are."""
    found = list(spans)
    try:
        keyed = sorted(((_number(s.low), not s.low_in, s) for s in found if not _is_empty(s)), key=lambda k: k[:2])
    except UnreadableError:
        return tuple(found)
    merged: list[Span] = []
    for _, _, span in keyed:
        last = merged[-1] if merged else None
        if last is not None and _touch(last, span):
            wider = span if _ends_later(span, last) else last
            merged[-1] = Span(last.low, wider.high, last.low_in, wider.high_in)
        else:
            merged.append(span)
    return tuple(merged)


def intersection(left: Sequence[Span], right: Sequence[Span]) -> tuple[Span, ...]:
    return union(_overlap(one, other) for one in left for other in right)


def complement(spans: Sequence[Span]) -> tuple[Span, ...]:
    rest: tuple[Span, ...] = EVERYTHING
    for span in spans:
        below = Span(MINUS_INFINITY, span.low, False, not span.low_in)
        above = Span(span.high, INFINITY, not span.high_in, False)
        rest = intersection(rest, [below, above])
    return rest


def contains(spans: Sequence[Span], number: Any) -> bool:
    return any(_above(span, number) and _below(span, number) for span in spans)


def _above(span: Span, number: Any) -> bool:
    low = constant(span.low)
    return span.low_in if equal(low, number) else bool(inexact(low) < inexact(number))


def _below(span: Span, number: Any) -> bool:
    high = constant(span.high)
    return span.high_in if equal(high, number) else bool(inexact(number) < inexact(high))


def _number(bound: Expression) -> Any:
    return inexact(constant(bound))


def _is_empty(span: Span) -> bool:
    low, high = constant(span.low), constant(span.high)
    return not (span.low_in and span.high_in) if equal(low, high) else bool(inexact(low) > inexact(high))


def _touch(left: Span, right: Span) -> bool:
    end, start = constant(left.high), constant(right.low)
    return (left.high_in or right.low_in) if equal(end, start) else bool(inexact(start) < inexact(end))


def _ends_later(one: Span, other: Span) -> bool:
    end, last = constant(one.high), constant(other.high)
    return one.high_in and not other.high_in if equal(end, last) else bool(inexact(end) > inexact(last))


def _overlap(one: Span, other: Span) -> Span:
    first, second = (one, other) if _starts_later(one, other) else (other, one)
    end = second if _ends_later(first, second) else first
    return Span(first.low, end.high, first.low_in, end.high_in)


def _starts_later(one: Span, other: Span) -> bool:
    start, first = constant(one.low), constant(other.low)
    return not one.low_in and other.low_in if equal(start, first) else bool(inexact(start) > inexact(first))


def linear(difference: Tree, relation: str) -> tuple[str, tuple[Span, ...]] | None:
    """The name and the spans where the difference of two sides is "<", "<=" or "!=" 0, if it is linear in one name."""
    difference = flat(difference)
    names = variables(difference)
    if len(names) != 1:
        return None
    name = names.pop()
    _, low, high = difference
    if relation != "!=" and (low == MINUS_INFINITY.tree or high == INFINITY.tree):
        return name, EVERYTHING  # x < oo

    def at(number: int) -> Any:
        return evaluate(difference, lambda _: Fraction(number))

    try:
        values = [at(number) for number in (0, 1, *_FURTHER)]
    except UndefinedError:
        return None
    if any(isinstance(value, tuple) or not is_real(value) for value in values):
        return None
    zero, one, *further = values if all(isinstance(value, Fraction) for value in values) else map(inexact, values)
    slope = one - zero
    if slope == 0 or not all(equal(value, zero + number * slope) for number, value in zip(_FURTHER, further)):
        return None
    root = -zero / slope
    bound = Expression(("num", root))
    if relation == "!=":
        return name, complement([point(bound)])
    closed = relation == "<="
    if inexact(slope) > 0:
        return name, (Span(MINUS_INFINITY, bound, False, closed),)
    return name, (Span(bound, INFINITY, closed, False),)


def flat(tree: Tree) -> Tree:
    """The tree with each indexed or applied name, x_1 or f(x), as one name."""
    if tree[0] == "opaque":
        return ("var", spelled(tree))
    return tuple(flat(part) if isinstance(part, tuple) else part for part in tree)


def spelled(tree: Tree) -> str:
    """A name as it is written: x_1 as "x_1"."""
    if tree[0] == "opaque":
        return "_".join((tree[1], *(spelled(part) for part in tree[2:])))
    return str(tree[1])


def spans_of(value: Value) -> tuple[Span, ...]:
    """A value as a set of reals. Raises UnreadableError for what is none."""
    match value:
        case Reals(spans):
            return spans
        case Collection(items, "tuple" | "square" | "printed") if len(items) == 2:
            low, high = items
            if isinstance(low, Expression) and isinstance(high, Expression):
                closed = value.kind != "tuple"
                return union([Span(low, high, closed, closed)])
        case Collection(items, "set" | "list") if all(isinstance(item, Expression) for item in items):
            return union(point(item) for item in items)  # type: ignore[arg-type]
        case Expression():
            constant(value)
            return (point(value),)
    raise UnreadableError("no set of reals")


def combined(sign: str, sets: list[tuple[Span, ...]]) -> tuple[Span, ...]:
    spans = sets[0]
    for other in sets[1:]:
        if sign == "|":
            spans = union([*spans, *other])
        else:
            spans = intersection(spans, other if sign == "&" else complement(other))
    return spans

"""When two inequalities, or an inequality and a set, have the same solutions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from src.evaluation.grading.arithmetic import UndefinedError, equal, evaluate, inexact, is_real, variables
from src.evaluation.grading.expressions import Tree
from src.evaluation.grading.identity import proportional
from src.evaluation.grading.reals import constant, contains, flat, spans_of
from src.evaluation.grading.units import UnreadableError
from src.evaluation.grading.values import Expression, Inequality, Span, Value


def same_inequality(gold: Value, answer: Value) -> bool:
    if isinstance(gold, Inequality) and isinstance(answer, Inequality):
        if len(gold.pairs) != len(answer.pairs):
            return False
        return all(any(_same_pair(one, other) for other in answer.pairs) for one in gold.pairs)
    inequality, other = (gold, answer) if isinstance(gold, Inequality) else (answer, gold)
    assert isinstance(inequality, Inequality)
    try:
        return not isinstance(other, Expression) and _solved_by(inequality, spans_of(other))
    except UnreadableError:
        return False


def _same_pair(one: tuple[Tree, str], other: tuple[Tree, str]) -> bool:
    return one[1] == other[1] and proportional(one[0], other[0], positive=one[1] != "!=")


def _solved_by(inequality: Inequality, spans: tuple[Span, ...]) -> bool:
    """Does the inequality in one unknown hold on these spans and nowhere else? Tried at their ends, close to them, and
    at some hundred other places."""
    trees = [flat(difference) for difference, _ in inequality.pairs]
    names = set().union(*(variables(tree) for tree in trees))
    ends = [constant(end) for span in spans for end in (span.low, span.high)]
    if len(names) != 1:
        return False
    exact = [end for end in ends if isinstance(end, Fraction)]
    tried: list[Any] = [end for end in ends if abs(inexact(end)) != float("inf")]
    tried += [end + step for end in exact for step in (Fraction(-1, 997), Fraction(1, 997))]
    tried += [Fraction(n, 3) + Fraction(1, 101) for n in range(-120, 121)] + [
        Fraction(10**k, 7) * s for k in range(2, 9) for s in (1, -1)
    ]
    return all(_holds_at(trees, inequality, place) == contains(spans, place) for place in tried)


def _holds_at(trees: list[Tree], inequality: Inequality, place: Any) -> bool:
    for tree, (_, sign) in zip(trees, inequality.pairs):
        try:
            value = evaluate(tree, lambda _: place)
        except UndefinedError:
            return False
        if not is_real(value):
            return False
        zero = equal(value, Fraction(0)) or abs(inexact(value)) < 1e-90
        if (zero and sign != "<=") or (not zero and value > 0 and sign != "!="):
            return False
    return True

"""When two values are the same answer: the rules of each type, and the leniencies between types.

One leniency holds in one direction only: a list as Python prints it, [1, 2], may stand for a gold tuple.
"""

from __future__ import annotations

import re
from fractions import Fraction

from src.evaluation.grading.arithmetic import UndefinedError, evaluate, sample, variables
from src.evaluation.grading.identity import rounds_to, same_equation, same_expression
from src.evaluation.grading.inequalities import same_inequality
from src.evaluation.grading.reals import spans_of
from src.evaluation.grading.units import UnreadableError, agree, as_money
from src.evaluation.grading.values import (
    Clock,
    Collection,
    Equation,
    Expression,
    Inequality,
    Named,
    Numeral,
    Quantity,
    Ratio,
    Reals,
    Residue,
    Span,
    System,
    Value,
    WordAnswer,
)

MAX_ITEMS = 200
# What closes and parts sentences; other signs say something: AB ∥ CD is not AB ⊥ CD.
_PUNCTUATION = re.compile(
    r"(?:[\s;!?`$@&|~\u00a1\u00ab\u00bb\u00bf\u2000-\u206f\u3000-\u303f]|(?<![0-9])[.:'\"]|[.:](?![0-9])"
    r"|(?<![A-Za-z])#)+"
)
_SPACES = re.compile(r"(?<=\W) +| +(?=\W)")


def same(gold: Value, answer: Value) -> bool:
    """Is the answer the gold answer?"""
    gold, answer = _unwrapped(gold), _unwrapped(answer)
    match gold, answer:
        case WordAnswer(), WordAnswer():
            return letters(gold.text) == letters(answer.text)
        case (Named(), _) | (_, Named()):
            return _same_named(gold, answer)
        case (WordAnswer(), _) | (_, WordAnswer()):
            return False
        case (System(), _) | (_, System()):
            return _same_system(gold, answer)
        case (Equation(), _) | (_, Equation()):
            return isinstance(gold, Equation) and isinstance(answer, Equation) and same_equation(gold, answer)
        case (Inequality(), _) | (_, Inequality()):
            return same_inequality(gold, answer)
        case (Reals(), _) | (_, Reals()):
            return _same_reals(gold, answer)
        case (Quantity(), _) | (_, Quantity()):
            return _same_quantity(gold, answer)
        case (Clock(), _) | (_, Clock()):
            return _same_clock(gold, answer)
        case (Ratio(), _) | (_, Ratio()):
            gold, answer = (_as_ratio(value) for value in (gold, answer))
            return _same_ratio(gold, answer)
        case (Numeral(), _) | (_, Numeral()):
            return _same_numeral(gold, answer)
        case Residue(), Residue():
            return _same_residue(gold, answer)
        case Expression(), Expression():
            return same_expression(gold, answer) or _same_about(gold, answer)
        case (Collection(), _) | (_, Collection()):
            return _same_collection(gold, answer)
    return False


def letters(text: str) -> str:
    """Words without case, punctuation and needless spaces; the space between two words or digits stays."""
    return _SPACES.sub("", " ".join(_PUNCTUATION.sub(" ", text.casefold()).split()))


def _same_about(gold: Expression, answer: Expression) -> bool:
    r"""Is the gold a decimal that the answer says it is near, as `10\sqrt{3} \approx 17.32`, and is it near to it?"""
    about = answer.about
    return about is not None and gold.decimal and rounds_to(answer, about) and same_expression(gold, about)


def _unwrapped(value: Value) -> Value:
    """A collection of one is that one; so is a list of one value in several spellings: 1/2 or 0.5."""
    while isinstance(value, Collection) and value.kind != "sequence" and _is_one(value) and not _of_sets(value):
        value = value.items[0]
    return value


def _is_one(collection: Collection) -> bool:
    if not collection.items:
        return False
    first, *others = collection.items
    return not others or (collection.kind == "list" and len(others) < 3 and all(same(first, other) for other in others))


def _of_sets(value: Collection) -> bool:
    """A set of a set, as {{}}, is not that set."""
    return value.kind == "set" and all(
        isinstance(item, Reals) or (isinstance(item, Collection) and item.kind == "set") for item in value.items
    )


def _same_named(gold: Value, answer: Value) -> bool:
    if isinstance(gold, Named) and isinstance(answer, Named):
        if gold.name == answer.name and same(gold.value, answer.value):
            return True
        relations = gold.equation, answer.equation
        held = all(isinstance(one.value, Expression) and variables(one.value.tree) for one in (gold, answer))
        return held and None not in relations and same_equation(*relations)  # type: ignore[arg-type]
    named, other = (gold, answer) if isinstance(gold, Named) else (answer, gold)
    assert isinstance(named, Named)
    if isinstance(other, Equation):
        return named.equation is not None and same_equation(named.equation, other)
    if isinstance(other, System):
        return False
    if isinstance(other, Reals) and other.name not in (None, named.name):
        return False
    return same(named.value, answer) if named is gold else same(gold, named.value)


def _same_system(gold: Value, answer: Value) -> bool:
    if isinstance(gold, System) and isinstance(answer, System):
        return dict(gold.values).keys() == dict(answer.values).keys() and all(
            same(value, dict(answer.values)[name]) for name, value in gold.values
        )
    system, other = (gold, answer) if isinstance(gold, System) else (answer, gold)
    assert isinstance(system, System)
    if not isinstance(other, Collection) or other.kind in ("sequence", "range", "to"):
        return False
    if other.kind in ("set", "list") and _are_roots(system):
        values = Collection(tuple(value for _, value in system.values), "list")
        return same(values, answer) if system is gold else same(gold, values)
    if other.kind == "set" or any(isinstance(item, Named) for item in other.items):
        return False
    by_name = sorted(system.values, key=lambda pair: _natural(pair[0]))
    orders = (Collection(tuple(value for _, value in order), "tuple") for order in (system.values, by_name))
    return any(same(values, answer) if system is gold else same(gold, values) for values in orders)


def _are_roots(system: System) -> bool:
    """x_1 and x_2 are the two solutions of an equation: which is the first, nobody says."""
    letters = {re.sub(r"_[0-9]+$", "", name) for name, _ in system.values}
    return len(letters) == 1 and not letters & {name for name, _ in system.values}


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """x_2 before x_10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"([0-9]+)", name)]


def _same_quantity(gold: Value, answer: Value) -> bool:
    if isinstance(gold, Quantity) and isinstance(answer, Quantity):
        units = as_money(gold.unit, answer.unit), as_money(answer.unit, gold.unit)
        if not agree(*units):
            return False
        one, other = gold.amount, answer.amount
        if all(unit.powers for unit in units) and units[0].factor != units[1].factor:
            one, other = (_scaled(q.amount, unit.factor) for q, unit in zip((gold, answer), units))
        return same(one, other)
    quantity, other_value = (gold, answer) if isinstance(gold, Quantity) else (answer, gold)
    assert isinstance(quantity, Quantity)
    if not isinstance(other_value, Expression | Ratio | Clock):
        return False
    amounts = [quantity.amount]
    if quantity.unit.is_percent:
        amounts.append(_scaled(quantity.amount, Fraction(1, 100)))
    if quantity.product is not None and isinstance(other_value, Expression) and variables(other_value.tree):
        amounts.append(quantity.product)
    return any(same(amount, answer) if quantity is gold else same(gold, amount) for amount in amounts)


def _scaled(amount: Expression, factor: Fraction) -> Expression:
    return Expression(("*", amount.tree, ("num", factor)), amount.decimal, amount.digits)


def _same_clock(gold: Value, answer: Value) -> bool:
    if isinstance(gold, Clock) and isinstance(answer, Clock):
        times = [(clock.hour % 12 if clock.half else clock.hour, clock.minute) for clock in (gold, answer)]
        if gold.half and answer.half:
            return gold.half == answer.half and times[0] == times[1]
        return (gold.hour, gold.minute) == (answer.hour, answer.minute) or _day(gold) == _day(answer)
    clock, other = (gold, answer) if isinstance(gold, Clock) else (answer, gold)
    assert isinstance(clock, Clock)
    if clock.half:
        alone = clock.minute == 0 and isinstance(other, Expression)
        return alone and same(Expression(("num", Fraction(clock.hour))), other)
    ratio = Ratio(tuple(Expression(("num", Fraction(part))) for part in (clock.hour, clock.minute)))
    return same(ratio, answer) if clock is gold else same(gold, ratio)


def _day(clock: Clock) -> tuple[int, int]:
    hour = clock.hour % 12 + 12 * (clock.half == "p") if clock.half else clock.hour
    return hour, clock.minute


def _as_ratio(value: Value) -> Value:
    """2 to 3 may be a ratio."""
    return Ratio(value.items) if isinstance(value, Collection) and value.kind == "to" else value  # type: ignore[arg-type]


def _same_ratio(gold: Value, answer: Value) -> bool:
    if isinstance(gold, Ratio) and isinstance(answer, Ratio):
        if len(gold.parts) != len(answer.parts):
            return False
        cross = (
            (("*", a.tree, answer.parts[0].tree), ("*", b.tree, gold.parts[0].tree))
            for a, b in zip(gold.parts[1:], answer.parts[1:])
        )
        return all(same_expression(Expression(left), Expression(right)) for left, right in cross)
    ratio, other = (gold, answer) if isinstance(gold, Ratio) else (answer, gold)
    assert isinstance(ratio, Ratio)
    if len(ratio.parts) != 2 or not isinstance(other, Expression):
        return False
    quotient = Expression(("/", ratio.parts[0].tree, ratio.parts[1].tree))
    return same_expression(quotient, other) if ratio is gold else same_expression(other, quotient)


def _same_numeral(gold: Value, answer: Value) -> bool:
    if isinstance(gold, Numeral) and isinstance(answer, Numeral):
        return gold == answer
    numeral, other = (gold, answer) if isinstance(gold, Numeral) else (answer, gold)
    assert isinstance(numeral, Numeral)
    if not isinstance(other, Expression) or other.decimal or not numeral.digits.isdigit():
        return False
    return other.tree == ("num", Fraction(numeral.digits))


def _same_residue(gold: Residue, answer: Residue) -> bool:
    if not same_expression(gold.modulus, answer.modulus):
        return False
    quotient = ("/", ("-", gold.value.tree, answer.value.tree), gold.modulus.tree)
    try:
        difference = evaluate(quotient, lambda name: sample(name, 0))
    except UndefinedError:
        return False
    return isinstance(difference, Fraction) and difference.denominator == 1


def _same_collection(gold: Value, answer: Value) -> bool:
    if isinstance(gold, Collection) and isinstance(answer, Collection):
        if max(len(gold.items), len(answer.items)) > MAX_ITEMS:
            return False
        if not {"sequence", "range", "to"}.isdisjoint((gold.kind, answer.kind)):
            alike = gold.kind == answer.kind or {gold.kind, answer.kind} == {"range", "to"}
            return alike and _in_order(gold, answer)
        if gold.kind == answer.kind and gold.kind in ("tuple", "square"):
            return _in_order(gold, answer)
        if "square" in (gold.kind, answer.kind):
            return {gold.kind, answer.kind} == {"square", "printed"} and _in_order(gold, answer)
        if "tuple" in (gold.kind, answer.kind):
            return (gold.kind, answer.kind) in _TUPLE_LENIENCIES and _in_order(gold, answer)
        return _any_order(gold, answer)
    return _same_matrix(gold, answer)


_TUPLE_LENIENCIES = {("tuple", "list"), ("list", "tuple"), ("tuple", "printed")}


def _in_order(gold: Collection, answer: Collection) -> bool:
    return len(gold.items) == len(answer.items) and all(map(_same_item, gold.items, answer.items))


def _same_item(gold: Value, answer: Value) -> bool:
    """As `same`, but that among several the set {1} is not its member 1."""
    sets = [isinstance(value, Collection) and value.kind == "set" for value in (gold, answer)]
    if sets[0] != sets[1] and any(isinstance(value, Expression) for value in (gold, answer)):
        return False
    return same(gold, answer)


def _any_order(gold: Collection, answer: Collection) -> bool:
    """As sets where one is a set, and points are listed once or twice; else each member as often as there."""
    points = all(isinstance(item, Collection) and item.kind == "tuple" for item in (*gold.items, *answer.items))
    if points or "set" in (gold.kind, answer.kind):
        golds, answers = gold.items, answer.items
        return all(any(_same_item(g, a) for a in answers) for g in golds) and all(
            any(_same_item(g, a) for g in golds) for a in answers
        )
    if len(gold.items) != len(answer.items):
        return False
    left = list(answer.items)
    for item in gold.items:
        place = next((i for i, other in enumerate(left) if _same_item(item, other)), None)
        if place is None:
            return False
        del left[place]
    return True


def _same_matrix(gold: Value, answer: Value) -> bool:
    """A column or a row and a tuple; a matrix and a list of lists."""
    collection, other = (gold, answer) if isinstance(gold, Collection) else (answer, gold)
    if not isinstance(other, Expression) or other.tree[0] != "matrix" or not isinstance(collection, Collection):
        return False
    rows = other.tree[1]
    if any(isinstance(item, Collection) for item in collection.items):
        if not all(
            isinstance(i, Collection) and all(isinstance(c, Expression) for c in i.items) for i in collection.items
        ):
            return False
        tree = tuple(tuple(cell.tree for cell in row.items) for row in collection.items)  # type: ignore[union-attr]
    elif collection.kind in ("set", "list") or not all(isinstance(item, Expression) for item in collection.items):
        return False
    elif len(rows) == 1:
        tree = (tuple(item.tree for item in collection.items),)  # type: ignore[union-attr]
    else:
        tree = tuple((item.tree,) for item in collection.items)  # type: ignore[union-attr]
    decimal = any(isinstance(item, Expression) and item.decimal for item in collection.items)
    matrix = Expression(("matrix", tree), decimal)
    return same_expression(matrix, other) if collection is gold else same_expression(other, matrix)


def _same_reals(gold: Value, answer: Value) -> bool:
    try:
        sides = [(spans_of(value), value.name if isinstance(value, Reals) else None) for value in (gold, answer)]
    except UnreadableError:
        return False
    (golds, gold_name), (answers, answer_name) = sides
    if gold_name and answer_name and gold_name != answer_name:
        return False
    if (
        "square" in (getattr(gold, "kind", ""), getattr(answer, "kind", ""))
        and isinstance(gold, Collection)
        and isinstance(answer, Collection)
    ):
        return False
    return len(golds) == len(answers) and all(map(_same_span, golds, answers))


def _same_span(gold: Span, answer: Span) -> bool:
    ends = (gold.low_in, gold.high_in) == (answer.low_in, answer.high_in)
    return ends and same_expression(gold.low, answer.low) and same_expression(gold.high, answer.high)

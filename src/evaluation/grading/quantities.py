"""Expressions with what they count or measure: `5 cm`, `-$5`, `90°`, `6 feet 2 inches`, `1 \\pm x`."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from src.evaluation.grading.arithmetic import holds
from src.evaluation.grading.brackets import Tokens, bare, outer_kinds
from src.evaluation.grading.expressions import Tree, parse
from src.evaluation.grading.names import unknowns
from src.evaluation.grading.tokens import Token, UnreadableError
from src.evaluation.grading.units import UNITS, read_unit
from src.evaluation.grading.values import Collection, Expression, Quantity, Value


class Both(Collection):
    """The two values of a plus-minus."""


def measured(tokens: Tokens) -> Value:
    """An expression, with what it counts or measures."""
    money = [token for token in (*tokens[:2], tokens[-1]) if token.kind == "word" and _is_money(token.value)]
    if money and len(tokens) > 1:
        rest = [
            token
            for place, token in enumerate(tokens)
            if not (token in money and (place < 2 or place == len(tokens) - 1))
        ]
        tokens = [*rest, *money[:1]]
    tokens = _powers_without_braces(tokens)
    start = _unit_start(tokens)
    if start is None:
        return _amount(tokens)
    if later := [i for i in range(start, len(tokens)) if tokens[i].kind == "num" and not _is_power(tokens, i)]:
        total = compound([measured(tokens[: later[0]]), measured(tokens[later[0] :])])
        if total is None:
            raise UnreadableError("a number among the words")
        return total
    if (
        tokens[start].kind == "circ"
        and (angle := _product(tokens))
        and any(t.kind == "name" and t.value not in "CF" for t in tokens)
    ):
        return angle
    scale, unit = read_unit(_unit_parts(tokens[start:]))
    amount = expression_of(tokens[:start])
    if scale != 1:
        amount = Expression(("*", amount.tree, ("num", scale)), amount.decimal, amount.digits)
    if unit.is_silent:
        return amount
    letters = all(token.kind != "word" for token in tokens[start:])
    return Quantity(amount, unit, _product(tokens) if letters else None)


def _is_money(word: str) -> bool:
    return word in UNITS and UNITS[word][1] in ("dollar", "euro", "gbp", "yen", "yuan", "rupee")


def _product(tokens: Tokens) -> Expression | None:
    try:
        return expression_of(tokens)
    except UnreadableError:
        return None


def _unit_start(tokens: Tokens) -> int | None:
    """Where the words after an amount begin."""
    kinds = outer_kinds(tokens)
    for place in range(1, len(tokens)):
        token = tokens[place]
        if "func" in kinds[:place]:
            return None
        if kinds[place] in ("word", "circ") or (kinds[place] == "percent" and place == len(tokens) - 1):
            return place
        spaced = token.spaced and not unknowns(tokens[:place]) and tokens[place - 1].kind in ("num", "close")
        if spaced and (token.kind == "frac" or (token.kind == "name" and token.value in UNITS)):
            rest = tokens[place:] if token.kind == "name" else tokens[place + 1 :]
            if all(_is_of_units(rest, at, token.kind) for at in range(len(rest))):
                return place
    return None


def _is_of_units(tokens: Tokens, place: int, first: str) -> bool:
    """May the token stand in a unit that begins with a letter, as in 2 m 50 cm, or with a fraction of units?"""
    token = tokens[place]
    if token.kind == "num":
        return first == "name" or (place > 0 and _is_power(tokens, place))
    return token.kind in ("op", "word") or token.value in UNITS or token.value in ("{", "}", "(", ")")


def _is_power(tokens: Tokens, place: int) -> bool:
    """Is the number at `place` an exponent, with its sign or without?"""
    before = place - 1 if tokens[place - 1].value != "-" else place - 2
    return tokens[before].value == "^"


def _powers_without_braces(tokens: Tokens) -> Tokens:
    """`cm^2` for `cm^{2}`, `s^-1` for `s^{-1}`."""
    kept = list(tokens)
    for place in range(len(tokens) - 3, 0, -1):
        if kept[place].value != "^" or kept[place + 1].value != "{":
            continue
        end = place + 3 if kept[place + 2].kind == "num" else place + 4 if kept[place + 2].value == "-" else 0
        if end and end < len(kept) and kept[end - 1].kind == "num" and kept[end].value == "}":
            del kept[end], kept[place + 1]
    return kept


_TEMPERATURES = {  # what a degree may be of
    **dict.fromkeys(("C", "celsius", "Celsius"), "celsius"),
    **dict.fromkeys(("F", "fahrenheit", "Fahrenheit"), "fahrenheit"),
}


def _unit_parts(tokens: Tokens) -> list[tuple[str, int]]:
    parts: list[tuple[str, int]] = []
    for place, token in enumerate(tokens):
        if token.kind == "num" and place and parts and _is_power(tokens, place):
            sign = -1 if tokens[place - 1].value == "-" else 1
            parts[-1] = (parts[-1][0], sign * int(token.value.value))
        elif token.kind == "circ":
            parts.append(("degree", 1))
        elif token.kind == "percent":
            parts.append(("percent", 1))
        elif parts and parts[-1][0].startswith("degree") and token.value in _TEMPERATURES:
            parts[-1] = (_TEMPERATURES[token.value], 1)
        elif token.kind == "word" or token.value in UNITS:
            parts.append((token.value, 1))
        elif token.kind == "op" and (token.value in "/*^" or _is_hyphen(tokens, place)):
            parts += [("per", 1)] if token.value == "/" else []
        elif token.value == "}" and place + 1 < len(tokens) and tokens[place + 1].value == "{":
            parts.append(("per", 1))  # between the halves of a fraction
        elif token.value not in ("{", "}", "(", ")") and token.kind != "frac":
            raise UnreadableError("no unit")
    return parts


def _is_hyphen(tokens: Tokens, place: int) -> bool:
    """The minus of an exponent, or what joins two words."""
    if tokens[place].value != "-" or not place:
        return False
    return tokens[place - 1].value == "^" or [token.kind for token in tokens[place - 1 : place + 2 : 2]] == [
        "word",
        "word",
    ]


def _amount(tokens: Tokens) -> Value:
    expression = expression_of(tokens)
    if not holds(expression.tree, "±", "∓"):
        return expression
    both = (Expression(_signed(expression.tree, sign), expression.decimal) for sign in "+-")
    return Both(tuple(both), "list")


def _signed(tree: Tree, sign: str) -> Tree:
    """The tree with its plus-minus signs made plus or minus, and its minus-plus signs the opposite."""
    other = "-" if sign == "+" else "+"
    head = {"±": sign, "∓": other}.get(tree[0], tree[0])
    return (head, *(_signed(part, sign) if isinstance(part, tuple) else part for part in tree[1:]))


def compound(values: list[Value]) -> Value | None:
    """3 hours and 20 minutes."""
    if len(values) < 2 or not all(isinstance(value, Quantity) for value in values):
        return None
    quantities: list[Quantity] = values  # type: ignore[assignment]
    units = [quantity.unit for quantity in quantities]
    falling = all(a.factor > b.factor and a.powers == b.powers for a, b in pairwise(units))
    if not falling or not units[0].powers:
        return None
    tree: Tree = ("num", Fraction(0))
    for quantity in quantities:
        share = ("num", quantity.unit.factor / units[0].factor)
        tree = ("+", tree, ("*", quantity.amount.tree, share))
    return Quantity(Expression(tree, any(q.amount.decimal for q in quantities)), units[0])


def expression_of(tokens: Tokens) -> Expression:
    tree = parse(bare(tokens))
    numbers = [token.value for token in _all_tokens(tokens) if token.kind == "num"]
    alone = [token for token in tokens if token.kind not in ("op", "open", "close")]
    digits = numbers[0].digits if len(alone) == 1 and len(numbers) == 1 and tree[0] in ("num", "neg") else 0
    return Expression(tree, any(number.digits for number in numbers), digits)


def _all_tokens(tokens: Tokens) -> list[Token]:
    found: list[Token] = []
    for token in tokens:
        if token.kind == "matrix":
            found += [inner for row in token.value for cell in row for inner in _all_tokens(cell)]
        else:
            found.append(token)
    return found

r"""From the text of an answer to its typed value: `x \in (1, 2]` is a set of reals, `5 cm` a quantity.

What cannot be read as mathematics is `Words`; nothing is dropped from it and nothing guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from src.evaluation.grading.evaluation import holds, variables
from src.evaluation.grading.expressions import Tree, parse
from src.evaluation.grading.reals import EVERYTHING, complement, constant, intersection, linear, point, union
from src.evaluation.grading.spelling import plain
from src.evaluation.grading.tokens import Token, UnreadableError, tokenize
from src.evaluation.grading.units import UNITS, read_unit
from src.evaluation.grading.values import (
    Clock,
    Collection,
    Equation,
    Expression,
    Inequality,
    Kind,
    Named,
    Numeral,
    Quantity,
    Ratio,
    Reals,
    Residue,
    Span,
    System,
    Value,
    Words,
)

Tokens = Sequence[Token]

_NUMBER_WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "twenty": 20,
}  # fmt: skip
_CLOCK = re.compile(r"([0-9]{1,2})(?::([0-5][0-9]))?\s*(?:([ap])\s?\.?\s?m\.?)?", re.I)
_NUMERAL = re.compile(
    r"\(?\s*([0-9][0-9A-Fa-f]*|[A-Fa-f][0-9A-Fa-f]*[0-9][0-9A-Fa-f]*)\s*\)?\s*"
    r"(?:_\s*\{?\s*\(?\s*(?:base\s*)?([0-9]{1,2}|[a-z]+)\s*\)?\s*\}?"
    r"|,?\s*\(?\s*(?:in )?base[ -]\s*([0-9]{1,2}|[a-z]+)\s*\)?)",
)
_RANGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(-| to )([0-9]+(?:\.[0-9]+)?)")
_ATOM = r"(?:[A-Za-z]|[a-z]{2,7})'*(?:_[0-9A-Za-z]+)?|[A-Z](?:[A-Z]'*(?:_?[0-9])?){1,5}"
_ONE_NAME = rf"\|?(?:{_ATOM})\|?(?:\([^()]*\))?"
_NAME = re.compile(
    rf"{_ONE_NAME}(?:[:/]{_ONE_NAME})*|(?:sin|cos|tan)\(?(?:{_ATOM})\)?|\((?:{_ATOM})(?:[,;](?:{_ATOM}))+\)"
)
_ARGUMENTS = re.compile(r"\([A-Za-z](?:,[A-Za-z])*\)")
_NO_SOLUTION = re.compile(
    r"(?:there (?:is|are) )?no (?:real |such |integer )*(?:solutions?|roots?|numbers?)(?: exists?)?|empty set", re.I
)
_ALL_REALS = re.compile(r"(?:the )?(?:set of )?(?:all )?(?:the )?real(?:s| numbers?)|all reals", re.I)
_FLIPPED = {">": "<", ">=": "<="}


@lru_cache(20_000)
def read(text: str) -> Value:
    """The value that the text of an answer states."""
    spelled = plain(text)
    try:
        return _special(spelled) or _value(_with_brackets(tokenize(spelled)), programmed="\\" not in spelled)
    except (UnreadableError, RecursionError):
        return Words(spelled)


def _special(text: str) -> Value | None:
    """What is no formula: times, numerals, ranges, words for sets and small numbers."""
    if (match := _CLOCK.fullmatch(text)) and (match[2] or match[3]):
        return Clock(int(match[1]), int(match[2] or 0), match[3].lower() if match[3] else None)
    if (match := _NUMERAL.fullmatch(text)) and (base := _base(match[2] or match[3])):
        return Numeral(match[1].lstrip("0").upper() or "0", base)
    if (match := _RANGE.fullmatch(text)) and (match[2] == " to " or Fraction(match[1]) < Fraction(match[3])):
        ends = tuple(Expression(("num", Fraction(end)), "." in end) for end in match.group(1, 3))
        return Collection(ends, "range" if match[2] == "-" else "to")
    if text.lower() in _NUMBER_WORDS:
        return Expression(("num", Fraction(_NUMBER_WORDS[text.lower()])))
    if _NO_SOLUTION.fullmatch(text):
        return Reals(())
    return Reals(EVERYTHING) if _ALL_REALS.fullmatch(text) else None


def _base(text: str) -> int | None:
    base = _NUMBER_WORDS.get(text) if text.isalpha() else int(text)
    return base if base is not None and 2 <= base <= 36 else None


def _with_brackets(tokens: list[Token]) -> list[Token]:
    """French intervals, ]2,5[, with the brackets that others write."""
    found: list[Token] = []
    inside, bars = 0, sum(token.kind == "bar" for token in tokens)
    for place, token in enumerate(tokens):
        after = tokens[place + 1].kind if place + 1 < len(tokens) else "end"
        if token.kind == "close" and token.value == "]" and not inside:
            token = Token("open", "(", token.spaced)
        elif token.kind == "open" and token.value == "[" and inside and after in ("end", "set", "comma", "or", "and"):
            token = Token("close", ")", token.spaced)
        if token.kind == "bar" and bars % 2 and place and tokens[place - 1].kind == "close" and after == "open":
            token = Token("or", "", token.spaced)  # "(x < 1) | (x > 2)", as SymPy prints
        inside += (token.kind == "open" and token.value != "{") - (token.kind == "close" and token.value != "}")
        found.append(token)
    return found


def _value(tokens: Tokens, programmed: bool) -> Value:
    return _Reader(programmed).value(tokens)


class _Reader:
    """Reads tokens from the outside inwards: lists, then sets and relations, then brackets, then expressions."""

    def __init__(self, programmed: bool):
        self.programmed = programmed  # in Python's or SymPy's notation, as far as one can see

    def value(self, tokens: Tokens) -> Value:
        tokens = _bare(tokens)
        if not tokens:
            raise UnreadableError("there is nothing")
        if any(token.kind == "quantifier" for token in tokens):
            raise UnreadableError("a quantifier")
        parts = _split(tokens, "comma", "semicolon", "or", "and")
        return self.several(parts) if len(parts) > 1 else self.single(parts[0][1] if parts else tokens)

    def several(self, parts: list[tuple[str, Tokens]]) -> Value:
        """Parts with the connector before each ("" before the first)."""
        connectors = {connector for connector, _ in parts[1:]}
        if {"semicolon", "comma"} <= connectors:
            return _collected([self.several(group) for group in _groups(parts)], {"semicolon"})
        if any(len(part) == 1 and part[0].kind == "dots" for _, part in parts):
            return Collection(tuple(self.item(part) for _, part in parts), "sequence")
        return _collected([self.value(part) for _, part in parts], connectors)

    def item(self, tokens: Tokens) -> Value:
        return Words("...") if tokens[0].kind == "dots" else self.value(tokens)

    def single(self, tokens: Tokens) -> Value:
        if any(kind == "set" for kind in _outer_kinds(tokens)):
            return self.joined_sets(tokens)
        if any(kind == "rel" for kind in _outer_kinds(tokens)):
            return self.relation(tokens)
        if any(kind == "dots" for kind in _outer_kinds(tokens)):
            raise UnreadableError("something is left out")
        if any(kind == "mod" for kind in _outer_kinds(tokens)) or _ends_with_modulus(tokens):
            return self.residue(tokens)
        if any(kind == "colon" for kind in _outer_kinds(tokens)):
            return Ratio(tuple(_expression(part) for _, part in _split(tokens, "colon")))
        if len(tokens) == 1 and tokens[0].kind == "reals":
            return Reals(EVERYTHING if tokens[0].value == "all" else ())
        if tokens[0].kind == "open" and _closing(tokens) == len(tokens) - 1:
            return self.bracketed(tokens[0].value, tokens[1:-1], tokens[-1].value)
        if (
            tokens[0].kind == "call"
            and len(tokens) > 2
            and "atrix" not in tokens[0].value
            and tokens[0].value != "array"
        ):
            return self.constructed(tokens)
        return _measured(tokens)

    def bracketed(self, opening: str, inner: Tokens, closing: str) -> Value:
        if opening == "set":
            return self.braces(inner)
        if (opening, closing) == ("{", "}"):
            return self.value(inner)
        if opening in ("floor", "ceil"):
            return Expression(("call", opening, parse(inner)))
        parts = [part for _, part in _split(inner, "comma", "semicolon")]
        if (opening, closing) == ("(", ")") and len(parts) <= 1:
            return self.value(inner)
        if {opening, closing} == {"(", "]"} or {opening, closing} == {"[", ")"}:
            low, high = (_expression(part) for part in _two(parts))
            return Reals(union([Span(low, high, opening == "[", closing == "]")]))
        items = _flattened(self.value(part) for part in parts)
        return Collection(items, self.kind_of_brackets(opening, inner, len(parts)))

    def kind_of_brackets(self, opening: str, inner: Tokens, count: int) -> Kind:
        if opening == "(":
            return "tuple"
        spaced = all(after.spaced for comma, after in pairwise(inner) if comma.kind == "comma")
        return "printed" if self.programmed and (spaced or count != 2) else "square"

    def braces(self, inner: Tokens) -> Value:
        """A set by its members, or by a condition on them."""
        if not inner:
            return Reals(())
        for kind in ("bar", "colon"):
            kinds = _outer_kinds(inner)
            if kinds.count(kind) == 1 and "rel" in kinds[kinds.index(kind) :]:
                place = kinds.index(kind)
                found = self.value(inner[place + 1 :])
                if not isinstance(found, Reals):
                    raise UnreadableError("a set of something else than intervals")
                return Reals(found.spans)
        return Collection(_flattened(self.value(part) for _, part in _split(inner, "comma", "semicolon")), "set")

    def constructed(self, tokens: Tokens) -> Value:
        """`Interval.open(0, oo)`, `FiniteSet(1, 2)`, `Union(...)`, `Eq(x, 1)`: as SymPy prints."""
        name, inner = tokens[0].value, tokens[2:-1]
        if tokens[1].value != "(" or _closing(tokens[1:]) != len(tokens) - 2:
            raise UnreadableError("no call")
        parts = [part for _, part in _split(inner, "comma")]
        if name.startswith("Interval"):
            low, high = (_expression(part) for part in _two(parts))
            low_in, high_in = name[8:] in ("", ".Ropen"), name[8:] in ("", ".Lopen")
            return Reals(union([Span(low, high, low_in, high_in)]))
        if name in ("Union", "Or", "Intersection", "And", "Complement"):
            spans = [_spans(self.value(part)) for part in parts]
            return Reals(_combined({"U": "|", "O": "|", "I": "&", "A": "&", "C": "-"}[name[0]], spans))
        if name in ("Eq", "Ne", "Lt", "Le", "Gt", "Ge"):
            left, right = _two(parts)
            sign = {"Eq": "=", "Ne": "!=", "Lt": "<", "Le": "<=", "Gt": ">", "Ge": ">="}[name]
            return self.relation([*left, Token("rel", sign), *right])
        kind: Kind = "set" if name in ("FiniteSet", "set") else "tuple" if name.lower() == "tuple" else "printed"
        if len(parts) == 1 and parts[0][0].kind == "open":
            return self.value(parts[0])
        return Collection(_flattened(self.value(part) for part in parts), kind)

    def joined_sets(self, tokens: Tokens) -> Value:
        parts = _split(tokens, "set")
        signs = [t.value for t, kind in zip(tokens, _outer_kinds(tokens)) if kind == "set"]
        sets = [self.value(part) for _, part in parts]
        if len(sets) != len(signs) + 1:
            raise UnreadableError("a set is missing")
        if all(isinstance(one, Collection) and one.kind == "set" for one in sets) and set(signs) <= {"|", "U"}:
            return Collection(tuple(item for one in sets for item in one.items), "set")  # type: ignore[union-attr]
        named = next((one.name for one in sets if isinstance(one, Reals) and one.name), None)
        spans = _spans(sets[0])
        for sign, one in zip(signs, sets[1:]):
            spans = _combined("|" if sign == "U" else sign, [spans, _spans(one)])
        return Reals(spans, named)

    def relation(self, tokens: Tokens) -> Value:
        sides = [part for _, part in _split(tokens, "rel")]
        signs = [t.value for t, kind in zip(tokens, _outer_kinds(tokens)) if kind == "rel"]
        if len(sides) != len(signs) + 1:
            raise UnreadableError("a side is missing")
        if signs[0] == "~" and _name(sides[0]):
            signs[0] = "="
        if "~" in signs:
            cut = signs.index("~")
            sides, signs = sides[: cut + 1], signs[:cut]
        if not signs:
            return self.value(sides[0])
        if set(signs) <= {"=", "mod="}:
            return self.equation(sides)
        if signs == ["in"]:
            return self.member(*sides)
        if "=" in signs or "in" in signs:
            raise UnreadableError("relations of different kinds")
        return _inequality([parse(side) for side in sides], signs)

    def equation(self, sides: list[Tokens]) -> Value:
        first, last = sides[0], sides[-1]
        name = _name(first)
        if len(sides) > 2 or (name is None and not _unknowns(first) and not _unknowns(last)):
            if name is None and (other := _name(last)) and not _unknowns(sides[-2]):
                return Named(other, self.value(sides[-2]))
            value = self.value(last)
            return Named(name, value) if name else value
        relation = _as_equation(first, last)
        if name is not None and not (relation and first[0].value in _unknowns(last)):
            return Named(name, self.value(last), relation)
        if (other := _name(last)) and not _unknowns(first):
            return Named(other, self.value(first), relation)
        if relation is None:
            raise UnreadableError("no equation")
        return relation

    def member(self, left: Tokens, right: Tokens) -> Value:
        name = _name(left)
        value = self.value(right)
        if name is None or isinstance(value, Words):
            raise UnreadableError("a member of what is not known")
        if isinstance(value, Collection) and value.kind == "set":
            return Named(name, value)
        return Reals(_spans(value), name)

    def residue(self, tokens: Tokens) -> Value:
        place = next(i for i, token in enumerate(tokens) if token.kind == "mod")
        before, after = list(tokens[:place]), list(tokens[place + 1 :])
        if before and before[-1].value == "(":
            before, after = before[:-1], after[:-1]
        return Residue(_expression(before), _expression(_bare(after)))


def _ends_with_modulus(tokens: Tokens) -> bool:
    return tokens[-1].value == ")" and any(t.kind == "mod" and tokens[i].value == "(" for i, t in enumerate(tokens[1:]))


def _bare(tokens: Tokens) -> Tokens:
    """Without the braces around all of it."""
    while (
        len(tokens) > 1 and tokens[0].kind == "open" and tokens[0].value == "{" and _closing(tokens) == len(tokens) - 1
    ):
        tokens = tokens[1:-1]
    return tokens


def _closing(tokens: Tokens) -> int:
    """Where the bracket that opens the tokens is closed."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.kind == "open") - (token.kind == "close")
        if not depth:
            return place
    raise UnreadableError("a bracket is not closed")


def _outer_kinds(tokens: Tokens) -> list[str]:
    """The kind of each token, "" inside brackets."""
    kinds, depth = [], 0
    for token in tokens:
        depth -= token.kind == "close"
        kinds.append("" if depth else token.kind)
        depth += token.kind == "open"
    return kinds


def _split(tokens: Tokens, *separators: str) -> list[tuple[str, Tokens]]:
    """The parts between separators outside brackets, each with the one before it; empty parts are left out."""
    parts: list[tuple[str, Tokens]] = []
    start, before = 0, ""
    for place, kind in enumerate((*_outer_kinds(tokens), "end")):
        if kind not in separators and kind != "end":
            continue
        if place > start:
            parts.append((before, tokens[start:place]))
            before = ""
        before = kind if kind != "comma" or not before else before  # "a, or b" is an "or"
        start = place + 1
    return parts


def _groups(parts: list[tuple[str, Tokens]]) -> list[list[tuple[str, Tokens]]]:
    groups: list[list[tuple[str, Tokens]]] = []
    for connector, part in parts:
        if connector in ("semicolon", "") or not groups:
            groups.append([("", part)])
        else:
            groups[-1].append((connector, part))
    return groups


def _two(parts: list[Tokens]) -> tuple[Tokens, Tokens]:
    if len(parts) != 2:
        raise UnreadableError("an interval has two ends")
    return parts[0], parts[1]


def _flattened(values: object) -> tuple[Value, ...]:
    """The two of `1 \\pm x` one by one."""
    found: list[Value] = []
    for value in values:  # type: ignore[attr-defined]
        found += value.items if isinstance(value, _Both) else [value]
    return tuple(found)


class _Both(Collection):
    """The two values of a plus-minus."""


def _collected(values: list[Value], connectors: set[str]) -> Value:
    if all(isinstance(value, Reals) for value in values):
        return _joined(values, connectors)  # type: ignore[arg-type]
    if "comma" not in connectors and (total := _compound(values)):
        return total
    if pairs := [_entry(value) for value in values]:
        values = pairs if None not in pairs else values  # type: ignore[assignment]
    if all(isinstance(value, Named) for value in values):
        return _system(values)  # type: ignore[arg-type]
    first = values[0]
    if isinstance(first, Named) and not any(isinstance(value, Named | Reals | Words) for value in values[1:]):
        return Named(first.name, Collection(_flattened([first.value, *values[1:]]), "list"))
    return Collection(_flattened(values), "list")


def _entry(value: Value) -> Named | None:
    """`x: 1` of a solution that SymPy prints as a dictionary."""
    if (
        isinstance(value, Ratio)
        and len(value.parts) == 2
        and value.parts[0].tree[0] == "var"
        and not variables(value.parts[1].tree)
    ):
        return Named(str(value.parts[0].tree[1]), value.parts[1])
    return None


def _joined(values: list[Reals], connectors: set[str]) -> Value:
    """x < 1 or x > 3: a union; x > 1 and x < 3: an intersection; with commas: whichever is not trivial."""
    names = {value.name for value in values}
    if len(names) > 1 or (connectors == {"comma"} and None in names):
        return Collection(tuple(values), "list")
    name = names.pop()
    if (connectors == {"and"} and name) or connectors == {"comma"}:
        spans = _combined("&", [value.spans for value in values])
        if spans or connectors == {"and"}:
            return Reals(spans, name)
    return Reals(union(span for value in values for span in value.spans), name)


def _compound(values: list[Value]) -> Value | None:
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


def _system(values: list[Named]) -> Value:
    names = [value.name for value in values]
    if len(set(names)) == len(names):
        return System(tuple((value.name, value.value) for value in values))
    if len(set(names)) == 1:
        return Named(names[0], Collection(_flattened(value.value for value in values), "list"))
    return Collection(tuple(values), "list")


def _spans(value: Value) -> tuple[Span, ...]:
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


def _combined(sign: str, sets: list[tuple[Span, ...]]) -> tuple[Span, ...]:
    spans = sets[0]
    for other in sets[1:]:
        if sign == "|":
            spans = union([*spans, *other])
        else:
            spans = intersection(spans, other if sign == "&" else complement(other))
    return spans


def _inequality(sides: list[Tree], signs: list[str]) -> Value:
    pairs: list[tuple[Tree, str]] = []
    for left, sign, right in zip(sides, signs, sides[1:]):
        difference = ("-", right, left) if sign in _FLIPPED else ("-", left, right)
        pairs.append((difference, _FLIPPED.get(sign, sign)))
    solved = [linear(*pair) for pair in pairs]
    names = {found[0] for found in solved if found}
    if None in solved or len(names) != 1:
        return Inequality(tuple(pairs))
    return Reals(_combined("&", [found[1] for found in solved if found]), names.pop())


def _as_equation(left: Tokens, right: Tokens) -> Equation | None:
    try:
        return Equation(("-", parse(left), parse(right)))
    except UnreadableError:
        return None


def _unknowns(tokens: Tokens) -> set[str]:
    return {
        token.value for token in tokens if token.kind == "name" or (token.kind == "word" and token.value not in UNITS)
    }


def _name(tokens: Tokens) -> str | None:
    """What a side is called, if it is no more than a name: x, f(x), AB, x_1, sin A, (x, y), NO/BO; "the area"."""
    if any(token.kind == "word" for token in tokens) and all(
        token.kind in ("word", "name", "const") for token in tokens
    ):
        return " ".join(str(token.value).lower() for token in tokens)
    signs = {"frac": "", "comma": ",", "semicolon": ",", "colon": ":"}
    text, place = "", 0
    for place, token in enumerate(tokens):
        if token.kind in ("num",):
            text += token.value.text
        elif token.kind in signs:
            text += signs[token.kind]
        elif (
            token.kind == "open"
            and token.value == "{"
            and place > 1
            and tokens[0].kind == "frac"
            and tokens[place - 1].value == "}"
        ):
            text += "/"
        elif token.value not in ("{", "}"):
            text += str(token.value)
    if not any(token.kind in ("name", "const") for token in tokens) or not _NAME.fullmatch(text):
        return None
    if (tokens[0].kind == "const" and len(tokens) == 1) or (len(tokens) > 1 and _is_product(tokens)):
        return None
    return _ARGUMENTS.sub("", text)


def _is_product(tokens: Tokens) -> bool:
    """Small letters side by side: xy is no name, AB is one."""
    letters = pairwise(token.value if token.kind == "name" else "" for token in tokens)
    return any(len(a) == len(b) == 1 and (a.islower() or b.islower()) for a, b in letters)


def _measured(tokens: Tokens) -> Value:
    """An expression, with what it counts or measures."""
    money = [token for token in (*tokens[:2], tokens[-1]) if token.kind == "word" and _is_money(token.value)]
    if money and len(tokens) > 1:
        rest = [
            token
            for place, token in enumerate(tokens)
            if not (token in money and (place < 2 or place == len(tokens) - 1))
        ]
        tokens = [*rest, *money[:1]]
    start = _unit_start(tokens)
    if start is None:
        return _amount(tokens)
    if later := [i for i in range(start, len(tokens)) if tokens[i].kind == "num" and tokens[i - 1].value != "^"]:
        total = _compound([_measured(tokens[: later[0]]), _measured(tokens[later[0] :])])
        if total is None:
            raise UnreadableError("a number among the words")
        return total
    scale, unit = read_unit(_unit_parts(tokens[start:]))
    amount = _expression(tokens[:start])
    if scale != 1:
        amount = Expression(("*", amount.tree, ("num", scale)), amount.decimal, amount.digits)
    if unit.is_silent:
        return amount
    return Quantity(amount, unit, _product(tokens) if len(tokens) == start + 1 else None)


def _is_money(word: str) -> bool:
    return word in UNITS and UNITS[word][1] in ("dollar", "euro", "gbp", "yen", "yuan", "rupee")


def _product(tokens: Tokens) -> Expression | None:
    try:
        return _expression(tokens)
    except UnreadableError:
        return None


def _unit_start(tokens: Tokens) -> int | None:
    """Where the words after an amount begin."""
    kinds = _outer_kinds(tokens)
    for place in range(1, len(tokens)):
        token = tokens[place]
        if "func" in kinds[:place]:
            return None
        if kinds[place] in ("word", "circ") or (kinds[place] == "percent" and place == len(tokens) - 1):
            return place
        alone = token.kind == "name" and token.spaced and token.value in UNITS and not _unknowns(tokens[:place])
        if (
            alone
            and tokens[place - 1].kind in ("num", "close")
            and all(t.kind in ("name", "word", "op", "num") for t in tokens[place:])
        ):
            return place
    return None


def _unit_parts(tokens: Tokens) -> list[tuple[str, int]]:
    parts: list[tuple[str, int]] = []
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else None
        if before is not None and before.value == "^" and token.kind == "num" and parts:
            parts[-1] = (parts[-1][0], int(token.value.value))
        elif token.kind == "circ":
            parts.append(("degree", 1))
        elif token.kind == "percent":
            parts.append(("percent", 1))
        elif token.kind in ("word", "name"):
            temperature = {"C": "celsius", "F": "fahrenheit"}.get(token.value)
            if parts and parts[-1][0].startswith("degree") and temperature:
                parts[-1] = (temperature, 1)
            else:
                parts.append((token.value, 1))
        elif token.kind == "op" and token.value in "/*^-":
            parts += [("per", 1)] if token.value == "/" else []
        elif token.value not in ("{", "}", "(", ")"):
            raise UnreadableError("no unit")
    return parts


def _amount(tokens: Tokens) -> Value:
    expression = _expression(tokens)
    if not holds(expression.tree, "±", "∓"):
        return expression
    both = (Expression(_signed(expression.tree, sign), expression.decimal) for sign in "+-")
    return _Both(tuple(both), "list")


def _signed(tree: Tree, sign: str) -> Tree:
    """The tree with its plus-minus signs made plus or minus, and its minus-plus signs the opposite."""
    other = "-" if sign == "+" else "+"
    head = {"±": sign, "∓": other}.get(tree[0], tree[0])
    return (head, *(_signed(part, sign) if isinstance(part, tuple) else part for part in tree[1:]))


def _expression(tokens: Tokens) -> Expression:
    tree = parse(_bare(tokens))
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

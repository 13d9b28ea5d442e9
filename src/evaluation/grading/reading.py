r"""From the text of an answer to its typed value: `x \in (1, 2]` is a set of reals, `5 cm` a quantity.

What cannot be read as mathematics is a `WordAnswer`; nothing is dropped from it and nothing guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from src.evaluation.grading.brackets import Tokens, bare, closing, groups, outer_kinds, split, two, usual_brackets
from src.evaluation.grading.expressions import Tree, parse
from src.evaluation.grading.lists import collected, entry, flattened
from src.evaluation.grading.names import name_of, unknowns
from src.evaluation.grading.phrases import phrase
from src.evaluation.grading.quantities import Both, expression_of, measured
from src.evaluation.grading.reals import EVERYTHING, combined, is_infinite, linear, spans_of, union
from src.evaluation.grading.spelling import plain
from src.evaluation.grading.tokens import Token, UnreadableError, tokenize
from src.evaluation.grading.values import (
    Collection,
    Equation,
    Expression,
    Inequality,
    Kind,
    Named,
    Quantity,
    Ratio,
    Reals,
    Residue,
    Span,
    System,
    Value,
    WordAnswer,
)

_OTHER_RELATION = re.compile(r"[<>!~]|==|\\(?:l|g|n)(?:e|t|eq)(?![a-zA-Z])|\\(?:in|approx|equiv|cong)(?![a-zA-Z])")
_WORDS = re.compile(r"(?=.*[A-Za-z]{3})[A-Za-z]+(?:[ '.-]{1,2}[A-Za-z]+)*")
_FLIPPED = {">": "<", ">=": "<="}


@lru_cache(20_000)
def read(text: str) -> Value:
    """The value that the text of an answer states."""
    spelled = plain(text)
    try:
        value = phrase(spelled, read)
        return value or _Reader("\\" not in spelled).value(usual_brackets(tokenize(spelled)))
    except (UnreadableError, RecursionError):
        return _phrase_behind_name(spelled) or WordAnswer(spelled)


def _phrase_behind_name(text: str) -> Value | None:
    """What is no formula behind an equals sign: `N = 52_8`, `42 = 52_8`, `x = Tuesday`; None for anything else."""
    sides = [side.strip() for side in text.split("=")]
    if len(sides) < 2 or not all(sides) or _OTHER_RELATION.search(text):
        return None
    try:
        value = phrase(sides[-1], read) or (WordAnswer(sides[-1]) if _WORDS.fullmatch(sides[-1]) else None)
        first = usual_brackets(tokenize(sides[0]))
        name = name_of(first)
    except (UnreadableError, RecursionError):
        return None
    if value is None or (name is None and (unknowns(first) or isinstance(value, WordAnswer))):
        return None
    return Named(name, value) if name else value


class _Reader:
    """Reads tokens from the outside inwards: lists, then sets and relations, then brackets, then expressions."""

    def __init__(self, programmed: bool):
        self.programmed = programmed  # in Python's or SymPy's notation, as far as one can see

    def value(self, tokens: Tokens) -> Value:
        whole, tokens = tokens, bare(tokens)
        if not tokens:
            raise UnreadableError("there is nothing")
        if any(token.kind == "quantifier" for token in tokens):
            raise UnreadableError("a quantifier")
        parts = split(tokens, "comma", "semicolon", "or", "and")
        if len(parts) < 2:
            value = self.single(parts[0][1] if parts else tokens)
            if len(tokens) < len(whole) and self.programmed:
                _refuse_table([value])
            return (entry(value) if len(tokens) < len(whole) else None) or value  # {x: 3}
        value = self.several(parts)
        if isinstance(value, Collection) and value.kind == "list":
            if any(token.value == "logic" for token in tokens):
                raise UnreadableError("a proposition")
            if len(tokens) < len(whole) and "comma" in outer_kinds(tokens):  # {1, 2}, as programs print sets
                _refuse_table(value.items)
                return Collection(_members(parts, value.items), "set")
        return value

    def several(self, parts: list[tuple[str, Tokens]]) -> Value:
        """Parts with the connector before each ("" before the first)."""
        connectors = {connector for connector, _ in parts[1:]}
        if {"semicolon", "comma"} <= connectors:
            return collected([self.several(group) for group in groups(parts, "semicolon")], {"semicolon"})
        if any(len(part) == 1 and part[0].kind == "dots" for _, part in parts):
            return Collection(tuple(self.item(part) for _, part in parts), "sequence")
        if {"or", "comma"} <= connectors:  # x = 1, y = 2 or x = 2, y = 1
            systems = [self.several(group) for group in groups(parts, "or")]
            if all(isinstance(value, System) for value in systems):
                return Collection(tuple(systems), "list")
        return collected([self.value(part) for _, part in parts], connectors)

    def item(self, tokens: Tokens) -> Value:
        return WordAnswer("...") if tokens[0].kind == "dots" else self.value(tokens)

    def single(self, tokens: Tokens) -> Value:
        if any(kind == "set" for kind in outer_kinds(tokens)):
            return self.joined_sets(tokens)
        if any(kind == "rel" for kind in outer_kinds(tokens)):
            return self.relation(tokens)
        if any(kind == "dots" for kind in outer_kinds(tokens)):
            raise UnreadableError("something is left out")
        if any(kind == "mod" for kind in outer_kinds(tokens)) or _ends_with_modulus(tokens):
            return self.residue(tokens)
        if any(kind == "colon" for kind in outer_kinds(tokens)):
            return Ratio(tuple(expression_of(part) for _, part in split(tokens, "colon")))
        if len(tokens) == 1 and tokens[0].kind == "reals":
            return Reals(EVERYTHING if tokens[0].value == "all" else ())
        if tokens[0].kind == "open" and closing(tokens) == len(tokens) - 1:
            return self.bracketed(tokens[0].value, tokens[1:-1], tokens[-1].value)
        if (
            tokens[0].kind == "call"
            and len(tokens) > 2
            and "atrix" not in tokens[0].value
            and tokens[0].value != "array"
        ):
            return self.constructed(tokens)
        if tokens[0].kind == "reals" and [token.value for token in tokens[1:]] == ["(", ")"]:
            return self.single(tokens[:1])  # EmptySet()
        return measured(tokens)

    def bracketed(self, opening: str, inner: Tokens, end: str) -> Value:
        if opening == "set":
            return self.braces(inner)
        if (opening, end) == ("{", "}"):
            return self.value(inner)
        if opening in ("floor", "ceil"):
            return Expression(("call", opening, parse(inner)))
        parts = [part for _, part in split(inner, "comma", "semicolon")]
        if (opening, end) == ("[", "]") and not parts:
            return Reals(())  # Python's empty list
        if (opening, end) == ("(", ")") and len(parts) <= 1:
            return self.value(inner)
        if {opening, end} == {"(", "]"} or {opening, end} == {"[", ")"}:
            low, high = (expression_of(part) for part in two(parts))
            return Reals(union([Span(low, high, opening == "[", end == "]")]))
        values = [self.value(part) for part in parts]
        if opening == "(" and any(isinstance(value, Both) for value in values):
            return _both_points(values)
        items = flattened(values)
        return Collection(items, self.kind_of_brackets(opening, inner, items))

    def kind_of_brackets(self, opening: str, inner: Tokens, items: tuple[Value, ...]) -> Kind:
        if opening == "(":
            return "tuple"
        spaced = all(after.spaced for comma, after in pairwise(inner) if comma.kind == "comma")
        bounds = len(items) == 2 and all(isinstance(item, Expression) for item in items)
        return "printed" if (self.programmed and spaced) or not bounds else "square"

    def braces(self, inner: Tokens) -> Value:
        """A set by its members, or by a condition on them."""
        if not inner:
            return Reals(())
        if "dots" in outer_kinds(inner):
            return self.several(split(inner, "comma", "semicolon"))
        for kind in ("bar", "colon"):
            kinds = outer_kinds(inner)
            if kinds.count(kind) == 1 and "rel" in kinds[kinds.index(kind) :]:
                place = kinds.index(kind)
                found = self.value(inner[place + 1 :])
                if not isinstance(found, Reals):
                    raise UnreadableError("a set of something else than intervals")
                return Reals(found.spans)
        return Collection(flattened(self.value(part) for _, part in split(inner, "comma", "semicolon")), "set")

    def constructed(self, tokens: Tokens) -> Value:
        """`Interval.open(0, oo)`, `FiniteSet(1, 2)`, `Union(...)`, `Eq(x, 1)`: as SymPy prints."""
        name, inner = tokens[0].value, tokens[2:-1]
        if tokens[1].value != "(" or closing(tokens[1:]) != len(tokens) - 2:
            raise UnreadableError("no call")
        parts = [part for _, part in split(inner, "comma")]
        if name.startswith("Interval"):
            low, high = (expression_of(part) for part in two(parts))
            low_in = name[8:] in ("", ".Ropen") and not is_infinite(low.tree)  # SymPy prints Interval(3, oo)
            high_in = name[8:] in ("", ".Lopen") and not is_infinite(high.tree)
            return Reals(union([Span(low, high, low_in, high_in)]))
        if name in ("Union", "Or", "Intersection", "And", "Complement"):
            spans = [spans_of(self.value(part)) for part in parts]
            return Reals(combined({"U": "|", "O": "|", "I": "&", "A": "&", "C": "-"}[name[0]], spans))
        if name in ("Eq", "Ne", "Lt", "Le", "Gt", "Ge"):
            left, right = two(parts)
            sign = {"Eq": "=", "Ne": "!=", "Lt": "<", "Le": "<=", "Gt": ">", "Ge": ">="}[name]
            return self.relation([*left, Token("rel", sign), *right])
        kind: Kind = "set" if name in ("FiniteSet", "set") else "tuple" if name.lower() == "tuple" else "printed"
        if not parts:
            return Reals(())
        if len(parts) == 1 and parts[0][0].kind == "open":
            return self.value(parts[0])
        return Collection(flattened(self.value(part) for part in parts), kind)

    def joined_sets(self, tokens: Tokens) -> Value:
        parts = split(tokens, "set")
        signs = [t.value for t, kind in zip(tokens, outer_kinds(tokens)) if kind == "set"]
        sets = [self.value(part) for _, part in parts]
        if len(sets) != len(signs) + 1:
            raise UnreadableError("a set is missing")
        if all(isinstance(one, Collection) and one.kind == "set" for one in sets) and set(signs) <= {"|", "U"}:
            return Collection(tuple(item for one in sets for item in one.items), "set")  # type: ignore[union-attr]
        named = next((one.name for one in sets if isinstance(one, Reals) and one.name), None)
        spans = spans_of(sets[0])
        for sign, one in zip(signs, sets[1:]):
            spans = combined("|" if sign == "U" else sign, [spans, spans_of(one)])
        return Reals(spans, named)

    def relation(self, tokens: Tokens) -> Value:
        sides = [part for _, part in split(tokens, "rel")]
        signs = [t.value for t, kind in zip(tokens, outer_kinds(tokens)) if kind == "rel"]
        if len(sides) != len(signs) + 1:
            raise UnreadableError("a side is missing")
        if signs[0] == "~" and name_of(sides[0]):
            signs[0] = "="
        if "~" in signs:
            cut = signs.index("~")
            exact = self.related(sides[: cut + 1], signs[:cut])
            return exact if isinstance(exact, WordAnswer) else _near(exact, sides[-1])
        return self.related(sides, signs)

    def related(self, sides: list[Tokens], signs: list[str]) -> Value:
        """What sides say with the signs between them."""
        if not signs:
            return self.value(sides[0])
        if set(signs) <= {"=", "mod="}:
            return self.equation(sides)
        if signs == ["in"]:
            return self.member(*sides)
        if signs == ["!="] and (name := name_of(sides[0])) and isinstance(other := self.value(sides[1]), Both):
            return Reals(combined("-", [EVERYTHING, spans_of(Collection(other.items, "set"))]), name)
        if "=" in signs or "in" in signs:
            raise UnreadableError("relations of different kinds")
        if not any(unknowns(side) for side in sides):
            raise UnreadableError("a proposition")
        return _inequality([parse(side) for side in sides], signs)

    def equation(self, sides: list[Tokens]) -> Value:
        first, last = sides[0], sides[-1]
        name = name_of(first)
        if len(sides) > 2 or (name is None and not unknowns(first) and not unknowns(last)):
            if name is None and (other := name_of(last)) and not unknowns(sides[-2]):
                return Named(other, self.value(sides[-2]))
            value = self.value(last)
            return Named(name, value) if name else value
        relation = _as_equation(first, last)
        if name is not None and not (relation and first[0].value in unknowns(last)):
            return _for_each(name, self.value(last), relation)
        if (other := name_of(last)) and not unknowns(first):
            return Named(other, self.value(first), relation)
        if relation is None:
            raise UnreadableError("no equation")
        return relation

    def member(self, left: Tokens, right: Tokens) -> Value:
        name = name_of(left)
        value = self.value(right)
        if name is None or isinstance(value, WordAnswer):
            raise UnreadableError("a member of what is not known")
        if isinstance(value, Collection) and value.kind == "set":
            return Named(name, value)
        return Reals(spans_of(value), name)

    def residue(self, tokens: Tokens) -> Value:
        place = next(i for i, token in enumerate(tokens) if token.kind == "mod")
        before, after = list(tokens[:place]), list(tokens[place + 1 :])
        if before and before[-1].value == "(":
            before, after = before[:-1], after[:-1]
        return Residue(expression_of(before), expression_of(bare(after)))


def _near(exact: Value, tokens: Tokens) -> Value:
    r"""The exact value with the decimal that it is said to be near, whose unit it has: `10\sqrt{3} \approx 17.32`."""
    if isinstance(exact, Named):
        return replace(exact, value=_near(exact.value, tokens))
    amount = exact.amount if isinstance(exact, Quantity) else exact
    try:
        near = measured(tokens)
    except UnreadableError:
        return exact
    about = near.amount if isinstance(near, Quantity) else near
    if not (isinstance(amount, Expression) and isinstance(about, Expression) and about.digits):
        return exact
    amount = replace(amount, about=about)
    if isinstance(exact, Quantity):
        return replace(exact, amount=amount)
    return Quantity(amount, near.unit) if isinstance(near, Quantity) else amount


def _members(parts: list[tuple[str, Tokens]], values: tuple[Value, ...]) -> tuple[Value, ...]:
    """{1} of {{1}, {2}} is a set; elsewhere braces may only group."""
    if len(parts) != len(values):
        return values
    braced = (len(bare(part)) < len(part) and isinstance(value, Expression) for (_, part), value in zip(parts, values))
    return tuple(Collection((value,), "set") if own else value for own, value in zip(braced, values))


def _refuse_table(values: Iterable[Value]) -> None:
    """{2: 1, 3: 2}, the roots and how often they are, is no set of ratios."""
    if any(isinstance(value, Ratio) and entry(value) is None for value in values):
        raise UnreadableError("a table")


def _for_each(name: str, value: Value, relation: Equation | None) -> Value:
    """x = 3; or (x, y) = (1, 2), which is x = 1 and y = 2."""
    names = name.strip("()").split(",")
    if len(names) > 1 and isinstance(value, Collection) and value.kind == "tuple" and len(value.items) == len(names):
        return System(tuple(zip(names, value.items)))
    return Named(name, value, relation)


def _both_points(values: list[Value]) -> Value:
    """The two points of (\\pm 1, 2). Raises UnreadableError for (\\pm 1, \\pm 2), which may be two or four."""
    if sum(isinstance(value, Both) for value in values) > 1:
        raise UnreadableError("two signs that may or may not go together")
    points = (tuple(value.items[n] if isinstance(value, Both) else value for value in values) for n in (0, 1))
    return Collection(tuple(Collection(point, "tuple") for point in points), "list")


def _ends_with_modulus(tokens: Tokens) -> bool:
    return tokens[-1].value == ")" and any(t.kind == "mod" and tokens[i].value == "(" for i, t in enumerate(tokens[1:]))


def _inequality(sides: list[Tree], signs: list[str]) -> Value:
    pairs: list[tuple[Tree, str]] = []
    for left, sign, right in zip(sides, signs, sides[1:]):
        difference = ("-", right, left) if sign in _FLIPPED else ("-", left, right)
        pairs.append((difference, _FLIPPED.get(sign, sign)))
    solved = [linear(*pair) for pair in pairs]
    names = {found[0] for found in solved if found}
    if None in solved or len(names) != 1:
        return Inequality(tuple(pairs))
    return Reals(combined("&", [found[1] for found in solved if found]), names.pop())


def _as_equation(left: Tokens, right: Tokens) -> Equation | None:
    try:
        return Equation(("-", parse(left), parse(right)))
    except UnreadableError:
        return None

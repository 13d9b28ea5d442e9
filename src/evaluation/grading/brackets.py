"""Tokens cut at brackets and separators."""

from __future__ import annotations

from collections.abc import Sequence

from src.evaluation.grading.tokens import Token, UnreadableError

Tokens = Sequence[Token]


def usual_brackets(tokens: list[Token]) -> list[Token]:
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
        if token.value == "-" and place and (tokens[place - 1].kind, after) in (("reals", "open"), ("domain", "open")):
            token = Token("set", "-", token.spaced)
        inside += (token.kind == "open" and token.value != "{") - (token.kind == "close" and token.value != "}")
        found.append(token)
    return found


def bare(tokens: Tokens) -> Tokens:
    """Without the braces around all of it."""
    while (
        len(tokens) > 1 and tokens[0].kind == "open" and tokens[0].value == "{" and closing(tokens) == len(tokens) - 1
    ):
        tokens = tokens[1:-1]
    return tokens


def closing(tokens: Tokens) -> int:
    """Where the bracket that opens the tokens is closed."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.kind == "open") - (token.kind == "close")
        if not depth:
            return place
    raise UnreadableError("a bracket is not closed")


def outer_kinds(tokens: Tokens) -> list[str]:
    """The kind of each token, "" inside brackets."""
    kinds, depth = [], 0
    for token in tokens:
        depth -= token.kind == "close"
        kinds.append("" if depth else token.kind)
        depth += token.kind == "open"
    return kinds


def split(tokens: Tokens, *separators: str) -> list[tuple[str, Tokens]]:
    """The parts between separators outside brackets, each with the one before it; empty parts are left out."""
    parts: list[tuple[str, Tokens]] = []
    start, before = 0, ""
    for place, kind in enumerate((*outer_kinds(tokens), "end")):
        if kind not in separators and kind != "end":
            continue
        if place > start:
            parts.append((before, tokens[start:place]))
            before = ""
        before = kind if kind != "comma" or not before else before  # "a, or b" is an "or"
        start = place + 1
    return parts


def groups(parts: list[tuple[str, Tokens]], separator: str) -> list[list[tuple[str, Tokens]]]:
    groups: list[list[tuple[str, Tokens]]] = []
    for connector, part in parts:
        if connector in (separator, "") or not groups:
            groups.append([("", part)])
        else:
            groups[-1].append((connector, part))
    return groups


def two(parts: list[Tokens]) -> tuple[Tokens, Tokens]:
    if len(parts) != 2:
        raise UnreadableError("an interval has two ends")
    return parts[0], parts[1]

"""What the side of an equation is called: x, f(x), AB, x_1, (x, y); or that it is no name but a formula."""

from __future__ import annotations

import re
from itertools import pairwise

from src.evaluation.grading.brackets import Tokens
from src.evaluation.grading.units import UNITS

_ATOM = r"(?:[A-Za-z]|[a-z]{2,7})'*(?:_[0-9A-Za-z]+)?|[A-Z](?:[A-Z]'*(?:_?[0-9])?){1,5}"
_ONE_NAME = rf"\|?(?:[fghFGH]\^-1(?=\()|{_ATOM})\|?(?:\([A-Za-z0-9,.]*\))?"
_NAME = re.compile(
    rf"{_ONE_NAME}(?:[:/]{_ONE_NAME})*|(?:sin|cos|tan|det)\(?(?:{_ATOM})\)?|\((?:{_ATOM})(?:[,;](?:{_ATOM}))+\)"
)
_ARGUMENTS = re.compile(r"\([a-z](?:,[a-z])*\)")  # of a function: f(x); P(A) is no P(B)


def name_of(tokens: Tokens) -> str | None:
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
    return _ARGUMENTS.sub("", text) or text


def _is_product(tokens: Tokens) -> bool:
    """Small letters side by side: xy is no name, AB is one."""
    letters = pairwise(token.value if token.kind == "name" else "" for token in tokens)
    return any(len(a) == len(b) == 1 and (a.islower() or b.islower()) for a, b in letters)


def unknowns(tokens: Tokens) -> set[str]:
    return {
        token.value for token in tokens if token.kind == "name" or (token.kind == "word" and token.value not in UNITS)
    }

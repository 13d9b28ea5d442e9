"""From a question back to the family and the numbers that it was told from: so the offline teacher reads.

A wording's literal text finds the family, what stands in its gaps the numbers. Numbers that a wording does not show are
tried one after the other until the question comes out to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from itertools import product
from math import prod
from string import Formatter
from typing import Any, NamedTuple

from src.generation.procedural.families import FAMILIES
from src.generation.procedural.family import Family, Values
from src.generation.procedural.language import dressed
from src.generation.procedural.people import story_of

MOST_TRIES = 60_000  # of hidden numbers
_NUMBER = re.compile(r"([-+]?)\s?(\d+(?:/\d+)?)")


class _Gap(NamedTuple):
    """A replacement field of a wording, and what stands there in a question."""

    name: str
    spec: str
    text: str


@dataclass(frozen=True, eq=False)
class Recognised:
    """A question, understood: `numbers` were drawn, `values` follow from them, `story` holds names and things."""

    family: Family
    wording: str
    numbers: dict[str, int]
    values: Values
    story: dict[str, str]


@lru_cache(20_000)
def recognise(question: str) -> Recognised | None:
    """None for a question that no family tells."""
    for family in FAMILIES:
        for wording in family.wordings if family.split == "seen" else ():
            if (match := _pattern(wording).fullmatch(question)) is not None:
                gaps = [_Gap(name, spec, text) for (name, spec), text in zip(_fields(wording), match.groups())]
                if (found := _understood(family, wording, gaps, question)) is not None:
                    return found
    return None


@cache
def _fields(wording: str) -> list[tuple[str, str]]:
    return [(name, spec or "") for _, name, spec, _ in Formatter().parse(wording) if name]


@cache
def _pattern(wording: str) -> re.Pattern[str]:
    parts = (re.escape(text) + ("(.*?)" if name else "") for text, name, _, _ in Formatter().parse(wording))
    return re.compile("".join(parts))


def _understood(family: Family, wording: str, gaps: list[_Gap], question: str) -> Recognised | None:
    told = {gap.name: gap.text for gap in gaps}
    person = story_of(told.get("name"), told.get("friend"))
    for numbers, values in _candidates(family, gaps):
        for words in _words(family, gaps):
            story = {**person, **words}
            facts = {name: dressed(value) for name, value in {**story, **values}.items()}
            if wording.format_map(facts) == question:
                return Recognised(family, wording, numbers, values, story)
    return None


def _candidates(family: Family, gaps: list[_Gap]) -> Iterator[tuple[dict[str, int], Values]]:
    """Numbers, with what follows from them, that agree with every gap that shows a number or a formula."""
    seen = {gap.name: number for gap in gaps if (number := _number(gap)) is not None}
    choices = {
        name: [seen[name]] if name in seen and seen[name] in allowed else list(allowed)
        for name, allowed in family.numbers.items()
    }
    if prod(map(len, choices.values())) > MOST_TRIES:
        return
    formulas = {gap.name: gap.text for gap in gaps if not gap.spec}
    for drawn in product(*choices.values()):
        numbers: dict[str, Any] = dict(zip(choices, drawn))
        found = family.solve(**numbers)
        if found is None:
            continue
        values = {**numbers, **found}
        if _agree(values, seen, formulas):
            yield numbers, values


def _agree(values: Values, seen: dict[str, int | Fraction], formulas: dict[str, str]) -> bool:
    for name, value in values.items():
        if isinstance(value, (int, Fraction)):
            if name in seen and seen[name] != value:
                return False
        elif name in formulas and formulas[name] != value:
            return False
    return True


def _number(gap: _Gap) -> int | Fraction | None:
    """The first number in a gap, with its sign."""
    found = _NUMBER.search(gap.text)
    if found is None:
        return None
    value = Fraction(found[2]) * (-1 if found[1] == "-" else 1)
    return int(value) if value.denominator == 1 else value


def _words(family: Family, gaps: list[_Gap]) -> Iterator[dict[str, str]]:
    """The things that a story may be about, by what its gaps show of them."""
    fitting = {
        name: [word for word in choices if all(_shows(gap, word) for gap in gaps if gap.name == name)]
        for name, choices in family.words.items()
    }
    for chosen in product(*fitting.values()):
        yield dict(zip(fitting, chosen))


def _shows(gap: _Gap, word: str) -> bool:
    return format(dressed(word), gap.spec) == gap.text

"""Numbers and words that know how to stand in an English sentence.

Templates are plain `str.format` strings; the format spec says what is wanted:

    {n}          7              {n:apple}     7 apples (1 apple)
    {n:th}       7th            {n:{item}}    7 marbles, where the story says that item is "marble"
    {n:+}        + 7 or - 7     {n:()}        7 or (-7)
    {p:$}        $4.50 or $4    {p}           4.5, of decimals
    {item:s}     marbles        {item:an}     an apple
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import gcd

Number = int | Fraction | Decimal

IRREGULAR = {
    "child": "children",
    "person": "people",
    "foot": "feet",
    "goose": "geese",
    "sheep": "sheep",
    "fish": "fish",
    "shelf": "shelves",
    "loaf": "loaves",
    "leaf": "leaves",
    "die": "dice",
    "vertex": "vertices",
    "tomato": "tomatoes",
    "potato": "potatoes",
    "cm": "cm",
    "km": "km",
    "kg": "kg",
    "more": "more",
    "dozen": "dozen",
}


def plural(noun: str) -> str:
    """The plural of a noun or of a phrase that ends in its noun; of "box of pens" the head is counted."""
    head, of, rest = noun.partition(" of ")
    if of:
        return f"{plural(head)} of {rest}"
    before, space, last = head.rpartition(" ")
    return before + space + _plural_word(last)


def _plural_word(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def counted(number: object, noun: str, text: str | None = None) -> str:
    """`number` beside its noun: "1 apple", "2 apples", "1/2 apple". `text` replaces how the number is written."""
    singular = number == 1 or (isinstance(number, Fraction) and 0 < number < 1)
    return f"{number if text is None else text} {noun if singular else plural(noun)}"


def ordinal(n: int) -> str:
    suffix = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def decimal(parts: int, places: int) -> Decimal:
    """So many parts of a unit that has 10^places of them, without zeros at the end: (450, 2) is 4.5."""
    value = Decimal(parts).scaleb(-places)
    return Decimal(int(value)) if value == int(value) else value.normalize()


def latex(value: Number) -> str:
    r"""How an answer stands in a box: `7`, `-7`, `4.5`, `\frac{3}{4}`, `-\frac{3}{4}`."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Fraction) and value.denominator != 1:
        return f"{'-' * (value < 0)}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    return str(int(value))


class Count(int):
    """An integer that takes the specs above."""

    def __format__(self, spec: str) -> str:
        match spec:
            case "":
                return str(int(self))
            case "+":
                return f"{'-' if self < 0 else '+'} {abs(self)}"
            case "()":
                return f"({int(self)})" if self < 0 else str(int(self))
            case "th":
                return ordinal(self)
            case "$":
                return f"${int(self)}"
            case _:
                return counted(int(self), spec)


class Amount(Decimal):
    """A decimal that takes a noun, or stands as money: `$4.50`, `$4`."""

    def __format__(self, spec: str, *_: object) -> str:
        match spec:
            case "":
                return str(self)
            case "$":
                return f"${self}" if self == int(self) else f"${Decimal(self):.2f}"
            case "+" | "()" | "th" | "s" | "an":
                raise ValueError(f"a decimal takes no format {spec!r}: {self}")
            case _:
                return counted(Decimal(self), spec)


class Ratio(Fraction):
    """A fraction that stands in a sentence as `3/4`, and takes a noun."""

    def __format__(self, spec: str) -> str:
        match spec:
            case "":
                return str(self)
            case "+":
                return f"{'-' if self < 0 else '+'} {abs(self)}"
            case "()":
                return f"({self})"
            case _:
                return counted(self, spec)


class Word(str):
    """A word of the story; `s` gives its plural, `an` puts its article before it."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        match spec:
            case "":
                return str(self)
            case "s":
                return plural(self)
            case "an":
                return f"{'an' if self[0] in 'aeiou' else 'a'} {self}"
            case _:
                raise ValueError(f"a word takes no format {spec!r}: {self!r}")


class Box:
    r"""The final answer in its closing sentence: `\boxed{7}`, or `\boxed{7} apples`."""

    def __init__(self, value: Number):
        self.value = value

    def __format__(self, spec: str) -> str:
        box = f"\\boxed{{{latex(self.value)}}}"
        if spec == "$":
            return f"${box}"
        return counted(self.value, spec, text=box) if spec else box


def dressed(value: object) -> object:
    """A plain value, ready for a template."""
    if isinstance(value, int):
        return Count(value)
    if isinstance(value, Fraction):
        return Ratio(value)
    if isinstance(value, Decimal):
        return Amount(value)
    return Word(value) if isinstance(value, str) else value


def unreduced(top: int, bottom: int) -> str:
    """What stands before a fraction in lowest terms: `18/22 = ` before 9/11; nothing where nothing cancels."""
    return f"{top}/{bottom} = " if gcd(top, bottom) > 1 else ""


def polynomial(*coefficients: int, variable: str = "x") -> str:
    """Coefficients from the highest power down as one writes them: (2, -1, 0, 5) is `2x^3 - x^2 + 5`."""
    text = ""
    for power, c in zip(range(len(coefficients) - 1, -1, -1), coefficients):
        if c == 0:
            continue
        size = "" if abs(c) == 1 and power else str(abs(c))
        letter = "" if power == 0 else variable if power == 1 else f"{variable}^{power}"
        sign = ("-" if c < 0 else "") if not text else (" - " if c < 0 else " + ")
        text += sign + size + letter
    return text or "0"

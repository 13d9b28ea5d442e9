"""Answers in words that have a value: `noon`, `twenty-five`, `no solution`, `all real numbers except 1`."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from src.evaluation.grading.reals import (
    EVERYTHING,
    INFINITY,
    MINUS_INFINITY,
    combined,
    constant,
    intersection,
    spans_of,
)
from src.evaluation.grading.units import SCALES, UnreadableError
from src.evaluation.grading.values import Clock, Collection, Expression, Numeral, Reals, Span, Value, Words

_SMALL_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_TEN_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_PART_WORDS = "third fourth fifth sixth seventh eighth ninth tenth"
_SMALL = {word: number for number, word in enumerate(_SMALL_WORDS.split())}
_TENS = {word: 10 * number for number, word in enumerate(_TEN_WORDS.split(), start=2)}
_CHINESE = {character: number for number, character in enumerate("零一二三四五六七八九十")} | {"两": 2}
_PARTS = {"half": 2, "quarter": 4} | {word: number for number, word in enumerate(_PART_WORDS.split(), start=3)}
_PLURALS = {"halves": 2} | {f"{word}s": number for word, number in _PARTS.items() if word != "half"}
_LARGE = {word: scale for word, scale in SCALES.items() if word.isascii()}
MAX_WORDS = 12  # of a number in words

_CLOCK = re.compile(
    r"([0-9]{1,2})(?::([0-5][0-9]))?\s*(o'clock)?\s*"
    r"(?:([ap])\s?\.?\s?m\.?|in the (morning|afternoon|evening))?",
    re.I,
)
_NOON = re.compile(r"(?:12(?::00)? ?)?(noon|midnight)", re.I)
_NUMERAL = re.compile(
    r"\(?\s*([0-9][0-9A-Fa-f]*|[A-Fa-f][0-9A-Fa-f]+)\s*\)?\s*"
    r"(?:_\s*\{?\s*\(?\s*(?:base\s*)?([0-9]{1,2}|[a-z]+)\s*\)?\s*\}?"
    r"|,?\s*\(?\s*(?:in )?base[ -]\s*([0-9]{1,2}|[a-z]+)\s*\)?)",
)
_PRINTED = re.compile(r"0(?:b([01]+)|o([0-7]+)|x([0-9a-f]+))")  # as Python's bin, oct and hex print
_RANGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(-| to )([0-9]+(?:\.[0-9]+)?)")
_LETTER = re.compile(r"([A-J])\)")
_ROMAN = re.compile(r"[IVX]{2,}")
_NO_SOLUTION = re.compile(
    r"(?:there (?:is|are) )?no (?:real |such |integer )*(?:solutions?|roots?|numbers?)(?: exists?)?"
    r"|(?:the )?(?:empty|null) set|无解|空集",
    re.I,
)
_REALS = re.compile(
    r"(?:the |set |of |all )*(positive |negative |non-?negative |non-?positive |non-?zero )?"
    r"(?:(?<=all )real|reals|real (?:numbers?|values?(?: of| for)?))(?: [a-z](?![a-z]))?"
    r"(?:,? (except|other than|excluding|but|not equal to|(?:greater|less) than(?: or equal to)?|at least|at most"
    r"|such that|where|with|satisfying)(?: for)? (.+))?",
    re.I,
)
_SIGNS = {
    "greater than": ">", "less than": "<", "at least": ">=", "at most": "<=", "greater than or equal to": ">=",
    "less than or equal to": "<=",
}  # fmt: skip
_ARTICLE = re.compile(r"(?:[Tt]he|[Aa]n) ([A-Za-z][A-Za-z -]{2,})|[Aa] ([a-z]{4,})")
_NUMBER_SETS = re.compile(r"(?:the |set |of |all )*(integers|natural numbers|rational numbers|complex numbers)", re.I)

Read = Callable[[str], Value]


def phrase(text: str, read: Read) -> Value | None:
    """The value of what is no formula, or None; `read` reads a formula inside it."""
    if (match := _CLOCK.fullmatch(text)) and any(match.groups()[1:]):
        return _clock(match)
    if match := _NOON.fullmatch(text):
        return Clock(12, 0, "p" if match[1].lower() == "noon" else "a")
    if (match := _NUMERAL.fullmatch(text)) and (base := _base(match[2] or match[3], match[1])):
        return Numeral(match[1].lstrip("0").upper() or "0", base)
    if match := _PRINTED.fullmatch(text):
        digits = next(group for group in match.groups() if group)
        return Numeral(digits.lstrip("0").upper() or "0", {"b": 2, "o": 8, "x": 16}[text[1]])
    if (match := _RANGE.fullmatch(text)) and (match[2] == " to " or Fraction(match[1]) < Fraction(match[3])):
        ends = tuple(Expression(("num", Fraction(end)), "." in end) for end in match.group(1, 3))
        return Collection(ends, "range" if match[2] == "-" else "to")
    if match := _LETTER.fullmatch(text):
        return Expression(("var", match[1]))
    if _ROMAN.fullmatch(text):
        return Words(text)
    if not (text[:1].isalpha() and len(text) > 1) and text not in _CHINESE:
        return None
    if (number := number_in_words(text)) is not None:
        return Expression(("num", number))
    if _NO_SOLUTION.fullmatch(text):
        return Reals(())
    if match := _NUMBER_SETS.fullmatch(text):
        return Words(f"\\{'Z' if match[1][0] in 'iI' else match[1][0].upper()}")
    if match := _REALS.fullmatch(text):
        return _reals(match, read)
    match = _ARTICLE.fullmatch(text)
    return read(match[1] or match[2]) if match else None


def _clock(match: re.Match[str]) -> Clock:
    half = match[4] or ("a" if (match[5] or "").lower() == "morning" else "p" if match[5] else None)
    return Clock(int(match[1]), int(match[2] or 0), half.lower() if half else None)


def _base(text: str, digits: str) -> int | None:
    base = _SMALL.get(text) if text.isalpha() else int(text)
    letters_alone = digits.isalpha()  # ABC_16 is a numeral, A_1 a name
    return base if base is not None and (11 if letters_alone else 2) <= base <= 36 else None


def number_in_words(text: str) -> Fraction | None:
    """`twenty-five` -> 25, `three hundred and one` -> 301, `two thirds` -> 2/3; None for what is no number."""
    if text in _CHINESE:
        return Fraction(_CHINESE[text])
    found = re.split(r"[ -]+", text.lower())
    if len(found) > MAX_WORDS:
        return None
    if found == ["half"]:
        return Fraction(1, 2)
    if len(found) > 1 and (part := (_PARTS if found[:-1] == ["one"] else _PLURALS).get(found[-1])):
        count = _whole(found[:-1])
        return None if count is None else Fraction(count, part)
    whole = _whole(found)
    return None if whole is None else Fraction(whole)


def _whole(found: list[str]) -> int | None:
    if "zero" in found:
        return 0 if len(found) == 1 else None
    total = group = 0
    for place, word in enumerate(found):
        if word in _SMALL and group % (10 if _SMALL[word] < 10 else 100) == 0 and group % 100 not in range(10, 20):
            group += _SMALL[word]
        elif word in _TENS and group % 100 == 0:
            group += _TENS[word]
        elif word == "hundred" and 0 < group < 10:
            group *= 100
        elif word in _LARGE and word != "hundred" and group:
            total, group = total + group * _LARGE[word], 0
        elif not (word == "and" and place and found[place - 1] in _LARGE and place + 1 < len(found)):
            return None
    return total + group


def _reals(match: re.Match[str], read: Read) -> Reals:
    """Real numbers by their sign, without some, or under a condition."""
    sign, how, rest = (match[1] or "").lower().replace("-", "").strip(), (match[2] or "").lower(), match[3]
    spans = {
        "positive": (_beyond(_ZERO, ">"),),
        "negative": (_beyond(_ZERO, "<"),),
        "nonnegative": (_beyond(_ZERO, ">="),),
        "nonpositive": (_beyond(_ZERO, "<="),),
        "nonzero": (_beyond(_ZERO, "<"), _beyond(_ZERO, ">")),
    }.get(sign, EVERYTHING)
    if rest is None:
        return Reals(spans)
    found = read(rest)
    if how in _SIGNS:
        if not isinstance(found, Expression):
            raise UnreadableError("no bound")
        return Reals(intersection(spans, [_beyond(found, _SIGNS[how])]))
    if how in ("such that", "where", "with", "satisfying"):
        if not isinstance(found, Reals):
            raise UnreadableError("no condition")
        return Reals(intersection(spans, found.spans), found.name)
    excluded = getattr(found, "value", found)  # x = 1
    return Reals(combined("-", [spans, spans_of(excluded)]))


_ZERO = Expression(("num", Fraction(0)))


def _beyond(bound: Expression, sign: str) -> Span:
    constant(bound)
    closed = len(sign) > 1
    low, high = (bound, INFINITY) if sign[0] == ">" else (MINUS_INFINITY, bound)
    return Span(low, high, closed and sign[0] == ">", closed and sign[0] == "<")

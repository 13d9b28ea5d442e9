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
from src.evaluation.grading.values import Clock, Collection, Expression, Numeral, Reals, Span, Value, WordAnswer

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
_PRINTED = re.compile(r"0(?:b([01]+)|o([0-7]+)|x([0-9a-fA-F]+))")  # as Python's bin, oct and hex print
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
_BOUND = re.compile(
    r"(?:greater|more|larger|bigger) than|(?:less|fewer|smaller) than|(?:no|not) (?:more|greater) than"
    r"|(?:no|not) (?:less|fewer) than|at least|at most"
)
_BOUNDED = re.compile(rf"({_BOUND.pattern})( or equal to)? (-?[0-9][0-9.,/]*)", re.I)
_MORE = re.compile("greater|more|larger|bigger|least")
_NO_VALUE = re.compile(r"(?:it )?(?:is )?(?:undefined|not defined)|DNE|(?:it )?does(?: not|n't|n’t) exist", re.I)
_ENDLESS = re.compile(r"(?:there are )?(?:infinite|infinitely many)(?: solutions)?", re.I)
_REMAINDER = re.compile(r"([0-9]+),?\s*(?:[Rr]|rem\.?|(?:with )?(?:a )?remainder(?: of)?)\s*([0-9]+)")
_OUT_OF = re.compile(r"([0-9]+) (?:out of|in) ([0-9]+)")
_CHOSEN = re.compile(
    r"(?:\{\})?[_^]?\{?([0-9]{1,4})\}?\s*([CP])\s*_?\{?([0-9]{1,4})\}?|n([CP])r\(([0-9]{1,4}), ?([0-9]{1,4})\)"
)
_ARC_MINUTES = re.compile(r"([0-9]+)\s*\\circ\s*([0-9.]+)\s*(?:'|\\prime)(?:\s*([0-9.]+)\s*(?:''|\"))?")
_AND_A_PART = re.compile(rf"([0-9]+) and (?:a|one) ({'|'.join(_PARTS)})")
_ROOT = re.compile(r"(?:the )?(square|cube) root of ([0-9A-Za-z]+)", re.I)
_MONTHS = "january february march april may june july august september october november december"
_MONTH = rf"({'|'.join(f'{month[:3]}(?:{month[3:]}|t)?' for month in _MONTHS.split())})\.?"
_DATE = re.compile(rf"(?:{_MONTH} ([0-9]{{1,2}})|([0-9]{{1,2}})(?: of)? {_MONTH})(?:,? ([0-9]{{4}}))?", re.I)
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PAST = re.compile(r"(half|quarter) past ([0-9]{1,2}|[a-z]+)|quarter to ([0-9]{1,2}|[a-z]+)", re.I)
_PLACES = (
    {"first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12}
    | {f"{word}th": number for word, number in _SMALL.items() if word not in ("zero", "one", "two", "three", "five")}
    | {f"{word[:-1]}ieth": number for word, number in _TENS.items()}
)
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
        return WordAnswer(text)
    if (value := _written_out(text, read)) is not None:
        return value
    if not (text[:1].isalpha() and len(text) > 1) and text not in _CHINESE:
        return None
    if (number := number_in_words(text)) is not None:
        return Expression(("num", number))
    if _NO_SOLUTION.fullmatch(text):
        return Reals(())
    if match := _NUMBER_SETS.fullmatch(text):
        return WordAnswer(f"\\{'Z' if match[1][0] in 'iI' else match[1][0].upper()}")
    if match := _REALS.fullmatch(text):
        return _reals(match, read)
    match = _ARTICLE.fullmatch(text)
    return read(match[1] or match[2]) if match else None


def _written_out(text: str, read: Read) -> Value | None:
    """What words put around numbers: `7 remainder 2`, `3 out of 4`, `at least 5`, `July 4`, `half past 3`."""
    if match := _REMAINDER.fullmatch(text):
        return WordAnswer(f"{match[1]} remainder {match[2]}")
    if (match := _OUT_OF.fullmatch(text)) and 0 <= int(match[1]) <= int(match[2]) > 0:
        return Expression(("num", Fraction(int(match[1]), int(match[2]))))
    if match := _AND_A_PART.fullmatch(text):
        return Expression(("num", int(match[1]) + Fraction(1, _PARTS[match[2]])))
    if match := _CHOSEN.fullmatch(text):
        kind, of, taken = (
            match[2] or match[4],
            *(("num", Fraction(part or 0)) for part in (match[1] or match[5], match[3] or match[6])),
        )
        chosen = ("call", "binom", of, taken)
        return Expression(chosen if kind == "C" else ("*", chosen, ("call", "factorial", taken)))
    if match := _ARC_MINUTES.fullmatch(text):
        return read(f"({match[1]}+{match[2]}/60+{match[3] or 0}/3600) degrees")
    if _ISO_DATE.fullmatch(text):
        return WordAnswer(text)
    if match := _DATE.fullmatch(text):
        month = (match[1] or match[4])[:3].lower()
        return WordAnswer(" ".join(part for part in (month, match[2] or match[3], match[5]) if part))
    if (match := _PAST.fullmatch(text)) and (hour := _hour(match[2] or match[3])) is not None:
        minute = 45 if match[3] else 30 if match[1].lower() == "half" else 15
        return Clock(hour - 1 or 12 if match[3] else hour, minute)
    if match := _BOUNDED.fullmatch(text):
        return Reals((_bound(match[1].lower(), match[2] is not None, read(match[3])),))
    if match := _ROOT.fullmatch(text):
        return read(rf"\sqrt{'[3]' if match[1].lower() == 'cube' else ''}{{{match[2]}}}")
    if _NO_VALUE.fullmatch(text):
        return WordAnswer("undefined")
    return Expression(("const", "oo")) if _ENDLESS.fullmatch(text) else None


def _bound(words: str, or_equal: bool, bound: Value) -> Span:
    """What is `at least`, `no more than` or `less than` the bound."""
    if not isinstance(bound, Expression):
        raise UnreadableError("no bound")
    denied = words.startswith("no")
    sign = ">" if (_MORE.search(words) is not None) != denied else "<"
    return _beyond(bound, sign + "=" * (denied or or_equal or words.startswith("at")))


def _hour(text: str) -> int | None:
    hour = int(text) if text.isdigit() else _SMALL.get(text.lower(), 0)
    return hour if 1 <= hour <= 12 else None


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
    if len(found) > 1 and found[0] in ("minus", "negative"):
        number = number_in_words(" ".join(found[1:]))
        return None if number is None else -number
    if "point" in found:
        return _with_decimals(found[: found.index("point")], found[found.index("point") + 1 :])
    if len(found) > 3 and found[-3] == "and":
        rest = number_in_words(" ".join(found[-2:]))
        if rest is not None and rest < 1 and (whole := _whole(found[:-3])) is not None:
            return whole + rest
    if (place := _PLACES.get(found[-1])) and len(found) == 1:
        return Fraction(place)  # the third, as 3rd
    if place and place < 10 and len(found) == 2 and found[0] in _TENS:
        return Fraction(_TENS[found[0]] + place)
    if found == ["half"] or found == ["a", "half"]:
        return Fraction(1, 2)
    if len(found) > 1 and found[0] == "a" and (found[1] in _LARGE or (len(found) == 2 and found[1] in _PARTS)):
        found = ["one", *found[1:]]
    if len(found) > 1 and (part := (_PARTS if found[:-1] == ["one"] else _PLURALS).get(found[-1])):
        count = _whole(found[:-1])
        return None if count is None else Fraction(count, part)
    whole = _whole(found)
    return None if whole is None else Fraction(whole)


def _with_decimals(before: list[str], after: list[str]) -> Fraction | None:
    """`one point two five`: the words on both sides of the point."""
    whole, digits = _whole(before), [_SMALL.get(word, 10) for word in after]
    if whole is None or not digits or max(digits) > 9:
        return None
    return whole + sum((Fraction(digit, 10**place) for place, digit in enumerate(digits, start=1)), Fraction(0))


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

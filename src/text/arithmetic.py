r"""Arithmetic that a text states, as `12 * 7 = 84` or `\frac{3}{4} \cdot 20 = 15`, worked out again.

Only what is arithmetic beyond doubt is looked at: both sides numbers, nothing symbolic touching them, and one after
the first a plain number, or the whole a division with its rest, `29 = 4 * 7 + 1` (another number that stands first is
often an equation under trial: "9 = 2 * 4? No."). Not looked at is what follows a function's name (`\cos 0 + 1 = 2`), a
subscript, a number (`2 1/2 + 1`, `-3 (4) + 1`) or "of" (`20% of 50 + 5`, but `a total of 50 + 5`), a label's number
and its dash (`Step 2 - 5 + 10 = 15`), what goes on with a remainder or the rest of a mixed number, and what comes after
"let's try some values". Numbers may have units (`src.text.units`).
A statement that cannot be read is not wrong, it is not counted. Nor is one that holds as people write who mean the
right thing (`_holds_otherwise`), or whose left side is worked out rightly later on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from src.text.units import without_units

Number = int | Fraction

MAX_CHARS = 20_000  # of a text that is read: a longer solution is no arithmetic
_MAX_POWER, _MAX_DIGITS = 64, 40
_MAX_SIDES = 40  # of a chain, "1 = 1 = 1 ...": a longer one is debris, and would be read again from each of its sides

_CALCULATOR = re.compile(r"<<[^<>\n]{0,100}>>")  # "48/2 = <<48/2=24>>24", as GSM8K has it
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}\\]{1,40})\}|(\d))\s*(?:\{([^{}\\]{1,40})\}|(\d))")
_POWER = re.compile(r"(?<=[\d)]) ?\*\* ?(?=-?[\d(])")  # other doubled stars are bold type
_EXPONENT = re.compile(r"\^\{(\d{1,3})\}")  # not of -1: many an inverse is one of another arithmetic
_LAYOUT = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\s*\{\s*\}|\\[,;:! ]|\\(?:left|right)(?![a-z])")
_BOX = re.compile(r"\\boxed\s*\{([^{}]*)\}")
_SPELLINGS = (
    ("\\times", "*"), ("\\cdot", "*"), ("\\div", "/"), ("\\approx", "≈"), ("\\%", "%"), ("\\$", ""), ("$", ""),
    ("×", "*"), ("·", "*"), ("⋅", "*"), ("÷", "/"), ("−", "-"), ("–", "-"), ("²", "^2"), ("³", "^3"), ("{,}", ","),
    ("⁄", "/"), ("∕", "/"),
    ("\\(", " | "), ("\\)", " | "), ("\\[", " | "), ("\\]", " | "), ("&=", "="), ("\\\\", " | "),
)  # fmt: skip
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?%?|\.\d+%?"
# Bounded, or a line of one endless sum or bracket, which models do write, costs its length squared.
_SIDE = rf"[-+(\s]{{0,20}}(?:{_NUMBER})(?:[ )]{{0,20}}(?:\*\*|[-+*/^])[-+( ]{{0,20}}(?:{_NUMBER})){{0,50}}[ )]{{0,20}}"
_SIDE_CHARACTERS = "0123456789.,%+-*/^() \t\r\v\f\x1c\x1d\x1e\x1f"  # all of ASCII that a side is made of
# After "16:" goes on a time or a ratio, after "balls:" begins a sum.
_STATEMENT = re.compile(rf"(?<![\w.,^)}}'!/*+-])(?<!\d:)(?<![^\w]:)({_SIDE}(?:[=≈]{_SIDE})+)")
_JOINT = re.compile(r"(?<=\d)\$(?=\d)|(?<=\d)/-(?![\d(])")  # "= $2.43$3 * 4", two formulas; "2/-", a price in rupees
_TIMES = re.compile(r"(?<=[\d)]) ?x(?= ?[\d(.])")  # "25 x 2/5 = 10"
# A heading: "each day 24 - 8 = 16" is a sum.
_LABELLED = re.compile(
    r"(?:^|[.;:|])\s*[(*#]*\s*(?:Step|Part|Case|Day|Week|Month|Round|Stage|Phase|Level|Question|Problem|Exercise|Example"
    r"|Equation|Item|Method|Way|Option|Solution|Scenario|Attempt|Trial|Test|Group|Team|Row|No\.)\s*$"
)
_LABEL_NUMBER = re.compile(r"\d{1,2}\s*-\s+")  # and its dash
# What a side goes on from: then it is not the whole side.
_BEFORE = re.compile(
    r"[)}\]!^_%*/+'<>≤≥≠≡√∇∘⊕⊗★☆#@△-]\s*$|\d\s*$|\b(?:mod|base|not|of|off|per|times|x)\s*$|[\d)][a-z]\s*$"
    r"|\\(?!(?:q?quad|implies|iff|[rR]ightarrow|to|text|item|displaystyle|therefore|because)\b)[a-zA-Z]+\s*$"
    r"|\b(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|root|floor|ceil|abs|gcd|lcm|max|min|det|choose)\s*$"
)
_IN_ALL = re.compile(  # "for a total of 20 + 4 + 5 = 29"; but not "half of a total of 3 + 4", "twice the sum of 3 + 4"
    r"(?:^|(?<!\S)(?!\S*\b(?:off?|by|than|over|times|minus|half|twice|thrice|(?:doubl|tripl|quadrupl|squar|cub|halv)\w+"
    r"|thirds?|fourths?|quarters?|fifths?|sixths?|eighths?|tenths?)\s)\S*[A-Za-z.,:;!?)]\s+)"
    r"(?:an?|the)\s+(?!average|mean)(?:[a-z]{2,12}\s+)?"
    r"(?:total|profit|cost|distance|amount|income|salary|bill|price|weight|sum|speed|rate|length|discount|fee|loss|revenue"
    r"|raise|score|number)\s+of\s+$",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"(?<![A-Za-z])[A-Za-z]\s*$")  # before "- 3 + 1 = 5": the rest of "x - 3 + 1 = 5"
_AND, _PROPER = re.compile(r"\d\s+and\s*$"), re.compile(r"\(?(\d+) ?/ ?(\d+)\)? ?[=≈]")  # "12 * 1 and 1/4 = 15"
_LABEL = re.compile(r"[=≈]\s*$")  # before "6 = 25 + 5 = 30": the end of "for t = 6"
_CONTINUES = re.compile(r"[-+]\s|\+|[-+]?\s*[)]")  # "1 + 2 + ... + 9 = 45"
_AFTER = re.compile(
    r"[A-Za-z]|\s*(?:[b-zB-Z](?![A-Za-z])|[(\[{\\^_!:*/+=≈<>≤≥]|-\s*[\w(]|\.\.\.|(?:or|if)\b|\d)|\.[\\\d]"
    r"|\s*\?|[,;]?\s*(?:with|and|leaving)?\s*(?:a|the)?\s*(?:remainder|rem|mod|R|r)\b"
    r"|\s+and\s+\(?\d+ ?/ ?\d+\)?(?! ?[=\d])"  # "= 3 and 1/3"
    r"|(?:,(?:\s|\{\})|~)\d{3}(?!\d)"  # "= 15, 000": thousands, perhaps
)
_TRIAL = re.compile(r"\b[Tt]ry(?:ing)?\s+(?:some|small|larg|other|different|another|values|out\b|\W{0,2}[a-z]\W{0,3}=)")
_REMAINDER = re.compile(r"[^.;=\d]{0,40}\b(?:remainder\b|\d+ left\b)")  # "13 / 6 = 2 full rounds with a remainder of 1"
# Said to be wrong, or said of other numbers than those of every day.
_DENIED = re.compile(
    r"[^.;=\d]{0,40}(?:\b(?:wrong|incorrect|false|impossible|absurd|not (?:true|right|correct|possible)|contradict\w*"
    r"|Boolean|in (?:binary|hexadecimal|octal|base)|on a clock)\b|[✗✘❌])|\s+(?:in|over) (?:GF|[ZF]_|Z/)",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:if|suppose|assum(?:e|ing)|whether|not true that|pretend|claims?)\b[^.,;:=\d]{0,20}$", re.IGNORECASE
)
_OTHER_NUMBERS = re.compile(r"\b(?:mod|modulo|base[ -]\d+|binary|hexadecimal|octal|Boolean)\b", re.IGNORECASE)
_WORDED = re.compile(
    r"\b(?:twice|thrice|double|half|(?:sum|product|difference|quotient|average|mean) of \d+ and)\s*$", re.IGNORECASE
)
_HUNDREDTHS = re.compile(r"\s*(?:cents?\b|¢|percent\b|per cent\b)")  # "$2.50 - $2.24 = 26 cents"
_FULL = re.compile(r"\s*(?:full|complete|entire)\b")  # "14 / 4 = 3 full boxes"
_UNIT_DIGIT = re.compile(r"\b(?:units?|ones|last)['’]?s? digit", re.IGNORECASE)
_ROUNDED = re.compile(r"\bround|\bwhole\b|\bnearest\b|\bfloor\b|\bceil|[⌊⌈]", re.IGNORECASE)
_RESULT = re.compile(rf"[-+(\s]*(?:{_NUMBER})[)\s]*(?:/\s*[-(\s]*(?:{_NUMBER})[)\s]*)?")
_TOKEN = re.compile(rf"\s*(\*\*|[-+*/^()]|{_NUMBER})")
_OPERATED = re.compile(r"\d%?[ )]*[-+*/^]")
_SIGN = re.compile(r"([=≈])")
_OVER_A_FRACTION = re.compile(r"/ *(\d+) ?/ ?(\d+)")
_FLAT_FRACTION = re.compile(r"([^/()]+)/([^/()]+)")
_THIRD = re.compile(r"(?<![\d.,])(\d{0,9})\.([367])(?![\d%])")
_GOES_ON = re.compile(rf"({_NUMBER}) *[-+*/]")
_CLOCK = re.compile(r"(?<![\d.,])0\d+(?![\d.])")  # "0900 - 0130"
_DIVIDED = re.compile(r"(\d{1,18}) ?\* ?(\d{1,18}) ?\+ ?(\d{1,18})")
_PAIR = re.compile(r"(\d{1,18}) ?([-+*/]) ?(\d{1,18})")  # what most sides are that are no bare number


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How many statements were worked out, and the first that does not hold (None: all do)."""

    checked: int
    wrong: str | None


def check_arithmetic(text: str) -> Arithmetic:
    """Work out every statement again. `=` allows for rounding to the digits that are shown, `≈` for 2 % besides."""
    text = text[:MAX_CHARS]
    if ("try" in text or "Try" in text) and (trial := _TRIAL.search(text)):
        text = text[: trial.start()]
    said = _Said(_ROUNDED.search(text) is not None, "digit" in text and _UNIT_DIGIT.search(text) is not None)
    checked, wrong = 0, dict[str, str]()  # by left side
    for line in plain(without_units(_CALCULATOR.sub("", text))).split("\n"):
        if "=" not in line and "≈" not in line:
            continue
        for statement, after in _statements(line):
            holds = _holds(statement, after, said)
            if holds is False and "^" not in statement and _OTHER_NUMBERS.search(line):
                holds = None  # a sum of powers is what a number in another base is worth
            checked += holds is not None
            if holds is False:
                wrong.setdefault(_left(statement), " ".join(statement.split()))
            elif holds and wrong:
                wrong.pop(_left(statement), None)
    return Arithmetic(checked, next(iter(wrong.values()), None))


def _left(statement: str) -> str:
    return _SIGN.split(statement)[0].replace(" ", "")


class _Said(NamedTuple):
    """What a text speaks of: `rounding`, so that a whole number may stand for one near it; the `unit_digit`, which may
    stand for its number."""

    rounding: bool
    unit_digit: bool


def _statements(line: str) -> Iterator[tuple[str, str]]:
    """What may be statements, and what comes after each; where one is cut out of something else, from its next side
    on: `F(3) = 54 + 45 = 99`."""
    at = 0
    while match := _STATEMENT.search(line, _beginning(line, at)):
        if match[1].count("=") + match[1].count("≈") > _MAX_SIDES:
            at = match.end()
            continue
        statement = match[1].strip()
        end = match.start() + len(match[1].rstrip())
        near = max(0, match.start(1) - 24), match.start(1)
        before = line[slice(*near)]
        if _LABELLED.search(line, *near) and (label := _LABEL_NUMBER.match(statement)):
            statement, before = statement[label.end() :], ""
        whole = (
            not _BEFORE.search(before) or _IN_ALL.search(line, max(0, match.start(1) - 60), match.start(1)) is not None
        )
        whole = whole and not _CONTINUES.match(statement)
        whole = whole and not _SUPPOSED.search(before) and not _WORDED.search(before)
        whole = whole and not (statement[0] == "-" and _VARIABLE.search(before))
        whole = whole and not (_LABEL.search(before) and not _OPERATED.search(re.split("[=≈]", statement)[0]))
        whole = whole and not (
            _AND.search(before) and (rest := _PROPER.match(statement)) and int(rest[1]) < int(rest[2])
        )
        if whole and statement.count("(") == statement.count(")"):
            at = match.end()
            if not _AFTER.match(line, end) and not _REMAINDER.match(line, end):
                yield statement, line[end:]
        else:
            at = match.start() + min(i for sign in "=≈" if (i := match[0].find(sign)) >= 0) + 1


def _beginning(line: str, at: int) -> int:
    """Where a statement may begin, from `at` on: before the next sign, as far as a side may reach."""
    if not line.isascii():
        return at
    sign = line.find("=", at)
    return max(at, len(line[:sign].rstrip(_SIDE_CHARACTERS))) if sign >= 0 else len(line)


def plain(text: str) -> str:
    """The text with its fractions and operators as one types them, code left as it is."""
    if "\\" in text:
        text = _FRACTION.sub(lambda m: f"(({m[1] or m[2]})/({m[3] or m[4]}))", text)
        text = _BOX.sub(r"\1", _LAYOUT.sub("", text))  # in this order: a box may hold 12,\!321
    if "^{" in text:
        text = _EXPONENT.sub(r"^\1", text)
    if "**" in text:
        text = _POWER.sub("^", text).replace("**", "")
    if "$" in text or "/-" in text:
        text = _JOINT.sub(" | ", text)
    for dressed, bare in _SPELLINGS:
        text = text.replace(dressed, bare)
    return _TIMES.sub(" *", text) if "x" in text else text


def _holds(statement: str, after: str, said: _Said) -> bool | None:
    """Whether neighbouring sides agree; None where no side has an operator, none after the first is a plain number, one
    cannot be worked out, or the statement is wrong as it stands and right as somebody may have meant it."""
    parts = _SIGN.split(statement)
    sides, signs = [side.strip() for side in parts[::2]], parts[1::2]
    a_result = any(map(_RESULT.fullmatch, sides[1:])) or _is_division(sides)
    if not any(map(_OPERATED.search, sides)) or not a_result or ("0" in statement and _CLOCK.search(statement)):
        return None
    if sides[-1].endswith("%") and "%" not in "".join(sides[:-1]) and _value(sides[-2]) == _value(sides[-1][:-1]):
        sides[-1] = sides[-1][:-1]  # "100 - 60 = 40%": the sign is a unit
    if any(_value(side) is None for side in sides):
        return None
    if all(_same(*pair, said) for pair in zip(sides, sides[1:], signs)):
        return True
    return None if _DENIED.match(after) or _holds_otherwise(sides, signs, after, said) else False


def _same(left: str, right: str, sign: str, said: _Said) -> bool:
    a, b = _value(left), _value(right)
    if a is None or b is None:
        return False
    if said.rounding and b.denominator == 1 and abs(Fraction(a) - Fraction(b)) < 1:
        return True
    if said.unit_digit and len(right) == 1 and a.denominator == 1 and a % 10 == b:
        return True
    return _agree(a, b, left, right, sign == "≈")


def _holds_otherwise(sides: list[str], signs: list[str], after: str, said: _Said) -> bool:
    """Whether neighbouring sides agree in one of their `_readings`, where besides the first number may be a name ("6 =
    25 + 5 = 30": what the sixth is), a side may go on from the one before ("147 + 29 = 176 / 8 = 22"), and the result
    may be in cents, or count full ones alone."""
    readings = [_readings(side) for side in sides]
    if _HUNDREDTHS.match(after):
        readings[-1].append(f"{sides[-1]}%")
    if _FULL.match(after) and _value(sides[-1]) == (_value(sides[-2]) or 0) // 1:
        readings[-1].append(sides[-2])
    reached = readings[0]
    for place, (side, sign) in enumerate(zip(sides[1:], signs), start=1):
        named = place == 1 and len(sides) > 2 and not _OPERATED.search(sides[0])
        goes_on = _GOES_ON.match(side) if place < len(sides) - 1 else None
        if named or (goes_on and any(_same(left, goes_on[1], sign, said) for left in reached)):
            reached = readings[place]
        else:
            reached = [right for right in readings[place] if any(_same(left, right, sign, said) for left in reached)]
    return bool(reached)


def _readings(side: str) -> list[str]:
    """The side, and what it may mean: percent as a unit ("0.4 * 100% = 40"), a division by a fraction ("25 / 1/3"), a
    fraction typed without its brackets ("504+200/12+10"), a third of which one digit is left ("1.3 * 9 = 12")."""
    flat = _FLAT_FRACTION.fullmatch(side)
    others = [side.replace("%", ""), _OVER_A_FRACTION.sub(r"/(\1/\2)", side), _THIRD.sub(_third, side)]
    return [side, *others, *([f"({flat[1]})/({flat[2]})"] if flat else [])]


def _third(decimal: re.Match[str]) -> str:
    return f"({3 * int(decimal[1] or 0) + (1 if decimal[2] == '3' else 2)}/3)"


def _is_division(sides: list[str]) -> bool:
    """With its rest, which is smaller than what is divided by: "29 = 4 * 7 + 1"."""
    if len(sides) != 2 or not sides[0].isdecimal() or not (match := _DIVIDED.fullmatch(sides[1])):
        return False
    a, b, rest = map(int, match.groups())
    return rest < max(a, b)


def _agree(a: Number, b: Number, left: str, right: str, about: bool) -> bool:
    """Equal, or as equal as the digits allow that stand there; a whole number may stand for what lies within half of
    one, and 0.5 %, of it."""
    if a == b:
        return True
    if b.denominator == 1 and abs(Fraction(a) - b) <= min(Fraction(1, 2), abs(Fraction(a)) / 200):
        return True
    if right.endswith("%") and right[:-1].isdecimal() and abs(Fraction(a) - b) < Fraction(1, 100):
        return True
    slack = max(_rounding(left, a), _rounding(right, b)) * Fraction(101, 100)
    if about:
        slack = max(slack, abs(Fraction(a)) / 50, Fraction(1, 2))
    return abs(Fraction(a) - Fraction(b)) <= slack


def _rounding(side: str, value: Number) -> Fraction:
    """One unit in the last place of a decimal (it may be cut as well as rounded); nothing for whole numbers. A factor
    that is rounded to two places or more carries its error through the product, up to 5 % of it; 0.5 and 1.2 mostly
    are what they say."""
    places = [len(match[1]) for match in re.finditer(r"\.(\d+)", side)]
    percent = 100 if "%" in side else 1
    if not places:
        return Fraction(0)
    unit = Fraction(1, 10 ** min(places) * percent)
    if min(places) < 2 or not re.search(r"[*/^]", side):
        return unit
    factor = max((abs(Fraction(n.replace(",", ""))) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", side)), default=1)
    return max(unit, min(unit * max(factor, 1), abs(Fraction(value)) / 20))  # 0.08 * 12 = 1


def _value(side: str) -> Number | None:
    if side.isdecimal() and len(side) <= _MAX_DIGITS:
        return int(side)
    if pair := _PAIR.fullmatch(side):
        return _of_two(int(pair[1]), pair[2], int(pair[3]))
    return _read(side)


def _of_two(a: int, operator: str, b: int) -> Number | None:
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
    return _divided(a, b) if b else None


def _read(side: str) -> Number | None:
    """The value of any side."""
    tokens = _TOKEN.findall(side)
    if "".join(tokens) != "".join(side.split()) or len(tokens) > 100:
        return None
    if "%" in side and re.search(r"[-+]", side):
        return None  # "50 - 20%" is said of shares in more than one sense
    reader = _Reader(tokens)
    try:
        value = reader.sum()
    except (ValueError, ZeroDivisionError, IndexError):
        return None
    return value if reader.at == len(tokens) else None


def _divided(a: Number, b: Number) -> Number:
    """Exactly, and whole where it comes out whole: plain integers are ten times as fast as fractions."""
    if isinstance(a, int) and isinstance(b, int) and b and a % b == 0:
        return a // b
    return Fraction(a) / b


class _Reader:
    """Recursive descent: sums of products of powers."""

    def __init__(self, tokens: list[str]):
        self.tokens, self.at = tokens, 0

    def _next(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def sum(self) -> Number:
        value = self._product()
        while self._next() in ("+", "-"):
            value = value + self._product() if self._take() == "+" else value - self._product()
        return value

    def _product(self) -> Number:
        value = self._signed()
        while self._next() in ("*", "/"):
            value = value * self._signed() if self._take() == "*" else _divided(value, self._signed())
        return value

    def _signed(self) -> Number:
        if self._next() in ("-", "+"):
            return -self._signed() if self._take() == "-" else self._signed()
        return self._power()

    def _power(self) -> Number:
        base = self._atom()
        if self._next() not in ("^", "**"):
            return base
        self._take()
        exponent = self._signed()
        if exponent.denominator != 1 or abs(Fraction(exponent)) > _MAX_POWER or base.numerator.bit_length() > 128:
            raise ValueError("too large to be worked out")
        power = int(exponent)
        return base**power if power >= 0 else Fraction(base) ** power

    def _atom(self) -> Number:
        token = self._take()
        if token == "(":
            value = self.sum()
            if self._take() != ")":
                raise ValueError("unbalanced")
            return value
        if (not token[0].isdigit() and token[0] != ".") or len(token) > _MAX_DIGITS:
            raise ValueError(token)
        plain_token = token.replace(",", "")
        if plain_token.isdigit():
            return int(plain_token)
        number = Fraction(plain_token.removesuffix("%"))
        return number / 100 if token.endswith("%") else number

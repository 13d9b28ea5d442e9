r"""One spelling for answers that mean the same, without a computer-algebra system.

`canonical` brings LaTeX down to a plain string; `as_number` reads a plain number exactly; `items` splits lists, tuples
and sets. Most verdicts are settled here, in microseconds; only what is left goes to `src.evaluation.symbols`.
"""

from __future__ import annotations

import re
from fractions import Fraction

MAX_DIGITS = 300  # 10^300 is more than any answer needs, and 4,300 digits is where Python's own int() stops

_FULL_WIDTH: dict[int, int] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # '１' -> '1', '（' -> '('
_SIGNS = {"−": "-", "–": "-", "∞": "\\infty", "π": "\\pi", "\u00a0": " ", "\u3000": " "}
_SPELLINGS: dict[int, int | str] = {**_FULL_WIDTH, **{ord(sign): plain for sign, plain in _SIGNS.items()}}
_WORD_COMMANDS = re.compile(
    r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf|mathit|operatorname|mathbb)\s*\{([^{}]*)\}"
)
_SILENT = re.compile(
    r"\\(?:left|right|big|Big|bigg|Bigg|displaystyle|limits)(?![a-zA-Z])|(?<!\\)\\[,!;:> ]|~|\\quad|\\qquad"
)
_FRACTION_NAMES = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_BARE_FRACTION = re.compile(r"\\frac\s*(?:\{([^{}]*)\}|([0-9a-zA-Z]))\s*(?:\{([^{}]*)\}|([0-9a-zA-Z]))")
_BARE_ROOT = re.compile(r"\\sqrt\s*([0-9a-zA-Z])")
_DEGREES = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree|°")
_POWER = r"\s*\^\s*\{?[0-9]\}?"
_UNIT_IN_TEXT = re.compile(rf"(?<=[0-9}}\s])\\(?:text|mbox|mathrm|textrm)\s*\{{\s*[A-Za-z][^{{}}]*\}}(?:{_POWER})?\s*$")
_SHORT_UNIT = r"(?:\s*(?:cm|mm|km|kg|mg|ml|mL|ft|in|yd|mi|lb|oz|hr|mph)|\s+(?:s|m|g|h|L|per|of))(?![a-zA-Z])"
_TRAILING_WORDS = re.compile(
    rf"(?<=[0-9}}])(?:\s+[a-zA-Z]{{3,}}|{_SHORT_UNIT})"
    rf"(?:\s+[a-zA-Z]{{3,}}|{_SHORT_UNIT}|{_POWER}|[²³]|/[a-z]+){{0,6}}$"
)
_ASSIGNED = re.compile(r"^[a-zA-Z](?:_\{?[0-9a-zA-Z]\}?|\([a-z]\))?\s*(?:=|\\in(?![a-z])|\\approx)\s*(?=\S)")

_INTEGER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = re.compile(
    rf"({_INTEGER})?(?:\.([0-9]*))?"
    r"(?:(?:\\times|\\cdot|\*|×)10\^\{?(-?[0-9]{1,3})\}?|[eE]([+-]?[0-9]{1,3}))?"  # 6.0\times10^{23} or 6e23
)
_RATIO = re.compile(
    rf"(?:({_INTEGER})(?:[ +]|(?=\\)))?"  # 1 1/2 or 1\frac{1}{2}
    rf"(?:({_INTEGER})/({_INTEGER})|\\frac\{{({_INTEGER})\}}\{{({_INTEGER})\}})"
)


def canonical(answer: str) -> str:
    """The answer without dress: no `$`, `\\left`, `\\text`, units, degrees or closing full stop, no `x =` before it."""
    text = answer.replace("\x00", "").translate(_SPELLINGS).strip()
    text = re.sub(r"^\\[(\[]|\\[)\]]$|^\$+|\$+$", "", text).strip().removesuffix(".").strip()
    text = text.replace("\\$", "").replace("$", "").replace("€", "").replace("£", "").replace("\\%", "%")
    text = _SILENT.sub("", _DEGREES.sub("", text))
    text = _UNIT_IN_TEXT.sub("", text)
    text = _WORD_COMMANDS.sub(r"\1", text).strip()
    text = _BARE_ROOT.sub(r"\\sqrt{\1}", _BARE_FRACTION.sub(_braced, _FRACTION_NAMES.sub(r"\\frac", text)))
    text = _TRAILING_WORDS.sub("", text)
    text = _ASSIGNED.sub("", text).strip()
    if len(text) == 3 and text[0] == "(" and text[2] == ")" and text[1].isalpha():
        text = text[1]
    return re.sub(r"\s+", " ", text).removesuffix(".")


def _braced(match: re.Match[str]) -> str:
    top, bottom = (match[1] if match[1] is not None else match[2]), (match[3] if match[3] is not None else match[4])
    return f"\\frac{{{top.strip()}}}{{{bottom.strip()}}}"


def squeezed(text: str) -> str:
    """For comparing strings: no spaces, no letter case, a zero before a bare decimal point."""
    return re.sub(r"(?<![0-9])\.(?=[0-9])", "0.", text.replace(" ", "")).casefold()


def as_number(text: str) -> Fraction | None:
    r"""A plain number, exactly: 1,234.5, -3/4, \frac{3}{4}, 1\frac{4}{5}, 6.0\times10^{23}, 15%; else None."""
    body = text.strip().replace(" %", "%")
    percent, body = body.endswith("%"), body.removesuffix("%").strip()
    sign, body = (-1, body[1:].strip()) if body.startswith("-") else (1, body.removeprefix("+").strip())
    if not body or len(body) > MAX_DIGITS:
        return None
    value = _ratio(body)
    if value is None:
        value = _decimal(body.replace(" ", ""))
    if value is None:
        return None
    return sign * value / (100 if percent else 1)


def _ratio(body: str) -> Fraction | None:
    match = _RATIO.fullmatch(body)
    if match is None:
        return None
    whole, top, bottom = match[1], match[2] or match[4], match[3] or match[5]
    denominator = _int(bottom)
    return (_int(whole) if whole else 0) + Fraction(_int(top), denominator) if denominator else None


def _decimal(body: str) -> Fraction | None:
    match = _DECIMAL.fullmatch(body)
    if match is None or not (match[1] or match[2]):
        return None
    digits = (match[1] or "").replace(",", "") + (match[2] or "")
    power = int(match[3] or match[4] or 0) - len(match[2] or "")
    if abs(power) > MAX_DIGITS:
        return None
    return Fraction(int(digits)) * Fraction(10) ** power


def _int(text: str) -> int:
    return int(text.replace(",", ""))


def items(text: str) -> tuple[str, list[str]] | None:
    r"""The brackets and the parts of a list, tuple, set or interval: "(1, 2]" -> ("(]", ["1", "2"]); None: one thing.

    A bare list has brackets "". Plus-minus counts as two: `1\pm x` -> ["1+x", "1-x"].
    """
    body = text.strip().replace("\\{", "\x01").replace("\\}", "\x02").replace("\\pm", "±")
    brackets = ""
    if len(body) > 1 and body[0] in "([\x01" and body[-1] in ")]\x02" and _wraps(body):
        brackets, body = body[0] + body[-1], body[1:-1]
    parts = [variant for part in _split_commas(body) for variant in _signs(part)]
    if len(parts) < 2 and not (brackets == "\x01\x02" and parts):
        return None
    restore = [p.strip().replace("\x01", "\\{").replace("\x02", "\\}") for p in parts]
    return brackets.replace("\x01", "{").replace("\x02", "}"), restore


def _signs(part: str) -> list[str]:
    return [part.replace("±", "+"), part.replace("±", "-")] if part.count("±") == 1 else [part.replace("±", "\\pm ")]


def _wraps(body: str) -> bool:
    """Does the first bracket close at the very end?"""
    depth = 0
    for position, char in enumerate(body):
        depth += (char in "([\x01") - (char in ")]\x02")
        if depth == 0:
            return position == len(body) - 1
    return False


def _split_commas(body: str) -> list[str]:
    """Split at the commas and semicolons outside brackets, and at "and" / "or"."""
    parts, depth, start = [], 0, 0
    body = re.sub(r"(?:,\s*)?\b(?:and|or)\b", ",", body)
    for position, char in enumerate(body):
        depth += (char in "([{\x01") - (char in ")]}\x02")
        if char in ",;" and depth == 0:
            parts.append(body[start:position])
            start = position + 1
    return [part for part in (*parts, body[start:]) if part.strip()]

r"""One spelling for formulas that read the same: `\dfrac{1}{2}`, `\frac12` and `1/2`; `3 \cdot x^{2}` and `3×x²`."""

from __future__ import annotations

import html
import re
import unicodedata

from src.text.normalise import key_of_normal

_BRACES = r"[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*"  # two deep, as in \frac{1}{2^{n_{k}}}
_PART = rf"\s*(?:\{{({_BRACES})\}}|(\w|\\[a-zA-Z]+))"
_STYLED_FRACTION = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_FRACTION = re.compile(r"\\frac" + 2 * _PART)
_LAYOUT = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|q?quad|limits|text(?:bf|it|rm)?|math(?:rm|bf|it|sf)|mbox|operatorname)"
    r"(?![a-zA-Z])|\\[,;:! ]|\{,\}|&"
)
_SYMBOLS = {
    **dict.fromkeys(("times", "cdot", "ast"), "*"),
    **dict.fromkeys(("le", "leq", "leqslant"), "≤"),
    **dict.fromkeys(("ge", "geq", "geqslant"), "≥"),
    **dict.fromkeys(("ne", "neq"), "≠"),
    **dict.fromkeys(("circ", "degree"), "°"),
    **dict.fromkeys(("ldots", "cdots", "dots"), " "),
    **{"div": "/", "pm": "±", "pi": "π", "sqrt": "√", "infty": "∞"},
}
_DEGREE = re.compile(r"\^\s*(?:\{\s*°\s*\}|°)")
_FIGURE = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)  # code that draws: what two of them share is no question
_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_PLAIN = {
    **dict.fromkeys("×·⋅∗", "*"),
    **dict.fromkeys("−–—", "-"),
    **{sign: f"^{digit}" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{"÷": "/", "…": " "},
    # Cyrillic and Greek letters that look like Latin ones, which a page may have in the midst of an English word.
    **dict(zip("аеорсухіјѕһԁԛԝАВЕКМНОРСТУХІЈЅԌԚԜ", "aeopcyxijshdqwABEKMHOPCTYXIJSGQW", strict=True)),
    **dict(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "oABEZHIKMNOPTYX", strict=True)),
}
_FANCY = re.compile(f"[{''.join(_PLAIN)}]")
# What pages and programs put around words, or before each line of what they quote.
_ENTITY = re.compile(r"&#?\w{2,8};")
_RAISED = re.compile(r"<sup>", re.IGNORECASE)
_HTML = re.compile(
    r"</?(?:p|br|i|b|u|em|strong|code|pre|sub|sup|span|div|[uo]l|li|t[drh]|tbody|table|blockquote)\b[^<>]{0,80}>",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"^[ \t]*(?:>|//|#+|[-*•]|>>>)(?:[ \t]*>)*[ \t]+", re.MULTILINE)
_ITALICS = re.compile(r"(?<![\w*)}])([*_])(?=[^\W\d_])([^*_\n]{1,400})(?<=[^\W_])([.,;:?!]?)\1(?![\w*({])")
# Expressions that begin with the sign they look for are several times as fast as those that look behind first.
_THOUSANDS = re.compile(r",(?=\d{3}(?!\d))(?<=\d,)")
_POWER = re.compile(r"\*\*(?=[\d(])(?<=[\d)]\*\*)")
_ASCII_SIGNS, _OTHER_SIGNS = "-+*/=<>^_%|", "≤≥≠≈±√°"
_FACTOR = re.compile(r"[0-9](?=[A-Za-z])")


def comparison_key(question: str) -> str:
    """What two copies of one question share, however their formulas are typed: a `question_key` of folded spelling.

    The question must have been through `normalise`.
    """
    return key_of_normal(folded(question))


def folded(text: str) -> str:
    """The text with its formulas in one spelling, operators standing apart, without bold type and drawings. It is for
    comparing, not for reading."""
    text = typed(text)
    if "\\frac" in text:
        for _ in range(3):  # so deep do fractions stand in fractions
            text, found = _FRACTION.subn(_slashed, text)
            if not found:
                break
    text = signed(text)
    if "**" in text or "__" in text:  # bold type, and a gap to be filled
        text = _POWER.sub("^", text).replace("**", " ").replace("__", " ")
    text = text.replace("<=", "≤").replace(">=", "≥").replace("!=", "≠")
    signs = _ASCII_SIGNS if text.isascii() else _ASCII_SIGNS + _OTHER_SIGNS
    if "," in text:
        text = _THOUSANDS.sub("", text)
    for sign in signs:  # a third of the time that one regular expression takes
        text = text.replace(sign, f" {sign} ")
    return _FACTOR.sub(r"\g<0> ", text)


def typed(text: str) -> str:
    """The text without mark-up, layout and drawings, characters as one types them: commands, brackets and braces are
    left."""
    if not text.isascii():  # superscripts first: composed for compatibility, x² would be x2
        text = unicodedata.normalize("NFKC", _FANCY.sub(lambda m: _PLAIN[m[0]], text)).replace("\u2044", "/")
    if "[asy]" in text:
        text = _FIGURE.sub(" ", text)
    text = _unmarked(text)
    if "\\" in text or "{,}" in text:
        text = _LAYOUT.sub(lambda m: "" if m[0] == "{,}" else " ", text)
        text = _STYLED_FRACTION.sub(r"\\frac", text)
    return text


def signed(text: str) -> str:
    r"""The text with signs for their commands: `*` for `\times`."""
    if "\\" in text:
        text = _COMMAND.sub(lambda m: _SYMBOLS.get(m[1], m[0]), text)
    return _DEGREE.sub("°", text) if "°" in text else text


def _unmarked(text: str) -> str:
    """The text without the marks of HTML, of block quotes, lists and comments, and of italics."""
    if "&" in text:
        text = _ENTITY.sub(lambda m: html.unescape(m[0]), text)
    if "<" in text and ">" in text:
        text = _HTML.sub(" ", _RAISED.sub("^", text))
    if "\n" in text:  # a sign that begins a single line may be part of it
        text = _QUOTED.sub("", text)
    return _ITALICS.sub(r"\2\3", text) if "*" in text or "_" in text else text


def _slashed(fraction: re.Match[str]) -> str:
    above, above_alone, below, below_alone = fraction.groups()
    return f" {above or above_alone or ''} / {below or below_alone or ''} "

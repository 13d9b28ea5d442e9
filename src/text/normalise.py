"""One spelling for texts that look the same, without touching what they mean."""

from __future__ import annotations

import re
import unicodedata

# What ends a line besides a newline: vertical tab, form feed, next line, line and paragraph separator.
_LINE_ENDS = re.compile("[\x0b\x0c\x85\u2028\u2029]")
# Control characters but tab and newline; soft hyphen, zero-width marks, byte-order mark.
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_CONTROLS: dict[int, str | None] = {
    **dict.fromkeys(code for code in range(128) if _INVISIBLE.match(chr(code))),
    **dict.fromkeys(map(ord, "\x0b\x0c"), "\n"),
}
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_TRAILING = re.compile(r"[ \t]+(?=\n|\Z)")
_BLANK_LINES = re.compile(r"\n{3,}")
_PUNCTUATION = ".,;:!?'\"`~()[]{}$\\"
_QUOTES = "‘’‚‛“”„‟«»‹›"  # which one copy of a question has and another not
_NOT_WORDS = str.maketrans(dict.fromkeys(_PUNCTUATION, " "))


def normalise(text: str) -> str:
    """Plain newlines and spaces, composed accents, no invisible characters, no trailing or doubled blank space.

    Composition is NFC: the compatibility forms (NFKC) would turn x² into x2. Lone surrogates, which no UTF-8 file
    can hold, become U+FFFD. Normalising twice changes nothing.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii():
        text = text.translate(_CONTROLS)
    else:
        text = text.encode("utf-8", "replace").decode() if _has_surrogate(text) else text
        text = _LINE_ENDS.sub("\n", text)
        text = unicodedata.normalize("NFC", _SPACES.sub(" ", _INVISIBLE.sub("", text)))
    if " \n" in text or "\t\n" in text:
        text = _TRAILING.sub("", text)
    return (_BLANK_LINES.sub("\n\n", text) if "\n\n\n" in text else text).strip()


def question_key(question: str) -> str:
    """What two copies of one question share: letter case, spaces, punctuation and mark-up are gone.

    Digits, operators and signs stay: "3 + 5" and "3 - 5" are different questions.
    """
    return key_of_normal(normalise(question))


def key_of_normal(question: str) -> str:
    """The `question_key` of a question that `normalise` has been through: a third of the time."""
    words = question.casefold().replace("**", " ").replace("__", " ")
    if words.isascii():
        return " ".join(words.translate(_NOT_WORDS).split())
    for mark in _PUNCTUATION + _QUOTES:  # a tenth of the time that `translate` takes where it has no table of bytes
        words = words.replace(mark, " ")
    return " ".join(words.split())


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)

"""Cutting a text where a sentence ends."""

from __future__ import annotations

import re

# A full stop that follows one of these closes no sentence; neither does one inside a number, as no space follows it.
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|etc|resp|fig|figs|eq|eqs|thm|lem|prop|def|sec|no|dr|mr|mrs|ms|prof|st|approx|al)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?。！？][\"')\]”’]*(?=\s|\Z)|\n(?=\n)")


def cut(text: str, chars: int) -> str:
    """At most `chars` characters of the text.

    The cut falls behind the last sentence end when that lies past the half, else behind the last whole word past
    the half, else in the middle of whatever is there.
    """
    if len(text) <= chars:
        return text
    end = _last_sentence_end(text, chars)
    if end <= chars // 2:
        end = max(text.rfind(" ", 0, chars + 1), text.rfind("\n", 0, chars + 1))
    if end <= chars // 2:
        end = chars
    return text[:end].rstrip()


def _last_sentence_end(text: str, chars: int) -> int:
    """The position behind the last sentence that ends within `chars`; 0 when none does."""
    end = 0
    for match in _END.finditer(text, 0, min(len(text), chars + 1)):
        if match.end() <= chars and not _ABBREVIATION.search(text, max(0, match.start() - 8), match.start() + 1):
            end = match.end()
    return end

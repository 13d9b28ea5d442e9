r"""Finding `\boxed{...}`: the final answer's usual place in a worked solution."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"\\{1,2}(?:boxed|fbox)\s{0,3}(?:\{|(?P<bare>-?[0-9]{1,20}(?:\.[0-9]{1,20})?|(?<=\s)[A-Za-z](?![A-Za-z])))|\\.|[{}]",
    re.DOTALL,
)


class Box(NamedTuple):
    """What stands in a box, and where the box begins and ends in its text."""

    content: str
    start: int
    end: int


def boxes(text: str) -> list[Box]:
    r"""Each `\boxed{...}` or `\fbox{...}`, in order; braces balanced, outermost only. An unclosed box holds nothing.

    One pass, linear in the text: thousands of unclosed boxes cost no more than anything else. `\{` and `\}` are
    literal; `\boxed 2`, as TeX allows, is a box of its one number or letter.
    """
    closed: list[tuple[int, int, Box]] = []
    stack: list[re.Match[str] | None] = []  # the opening of an open box; None for a plain brace
    for token in _TOKEN.finditer(text):
        if token[0] == "{":
            stack.append(None)
        elif token[0] == "}":
            if stack and (opening := stack.pop()) is not None:
                content = text[opening.end() : token.start()].strip()
                closed.append((opening.start(), token.end(), Box(content, opening.start(), token.end())))
        elif token["bare"]:
            closed.append((token.start(), token.end(), Box(token["bare"], token.start(), token.end())))
        elif token[0][-1] == "{" and token[0].lstrip("\\")[0] in "bf":
            stack.append(token)
    return [box for _, _, box in _outermost(closed)]


def boxed(text: str) -> list[str]:
    """What stands in each box, in order."""
    return [box.content for box in boxes(text)]


def last_boxed(text: str) -> str | None:
    """The last boxed answer, or None."""
    if r"\boxed" not in text and r"\fbox" not in text:
        return None
    if (simple := _only_box(text)) is not None:
        return simple
    found = boxed(text)
    return found[-1] if found else None


def _only_box(text: str) -> str | None:
    r"""What is in the text's one box, if it holds neither brace nor backslash: most solutions need no more reading."""
    start = text.find(r"\boxed{")
    end = text.find("}", start)
    if start < 0 or end < 0 or text[start - 1 : start] == "\\" or text.find("box", start + 4) >= 0:
        return None
    inside = text[start + len(r"\boxed{") : end]
    return None if "{" in inside or "\\" in inside or "box" in text[:start] else inside.strip()


def _outermost(spans: list[tuple[int, int, Box]]) -> list[tuple[int, int, Box]]:
    """Those that no other contains; spans come from balanced braces, so they never cross."""
    kept: list[tuple[int, int, Box]] = []
    for span in sorted(spans):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept

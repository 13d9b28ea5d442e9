r"""Finding `\boxed{...}`: the final answer's usual place in a worked solution."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\boxed\{|\\fbox\{|\\.|[{}]", re.DOTALL)


def boxed(text: str) -> list[str]:
    r"""What stands in each `\boxed{...}`, in order; braces balanced, outermost only. An unclosed box holds nothing.

    One pass, linear in the text: thousands of unclosed boxes cost no more than anything else. `\{` and `\}` are
    literal.
    """
    closed: list[tuple[int, int]] = []
    stack: list[int | None] = []  # where the content of an open box begins; None for a plain brace
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{":
                stack.append(None)
            case "}":
                if stack and (start := stack.pop()) is not None:
                    closed.append((start, token.start()))
            case r"\boxed{" | r"\fbox{":
                stack.append(token.end())
    return [text[start:end].strip() for start, end in _outermost(closed)]


def last_boxed(text: str) -> str | None:
    """The last boxed answer, or None."""
    start = text.find(r"\boxed{")
    if start < 0 and r"\fbox{" not in text:
        return None
    if (simple := _only_box(text, start)) is not None:
        return simple
    answers = boxed(text)
    return answers[-1] if answers else None


def _only_box(text: str, start: int) -> str | None:
    r"""What is in the text's one box, which begins at `start` and holds neither brace nor backslash; None for any other
    text. Most solutions are of this sort, and need no reading."""
    end = text.find("}", start)
    if start < 0 or end < 0 or text[start - 1 : start] == "\\" or text.find(r"\boxed{", start + 1) >= 0:
        return None
    inside = text[start + len(r"\boxed{") : end]
    return None if "{" in inside or "\\" in inside or r"\fbox{" in text else inside.strip()


def _outermost(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that no other contains; spans come from balanced braces, so they never cross."""
    kept: list[tuple[int, int]] = []
    for span in sorted(spans):
        if not kept or span[0] > kept[-1][1]:
            kept.append(span)
    return kept

r"""Finding `\boxed{...}`: the final answer's usual place in a worked solution."""

from collections.abc import Iterator

_OPENERS = ("\\boxed{", "\\fbox{")


def boxed(text: str) -> Iterator[str]:
    r"""Yield what stands in each `\boxed{...}`, braces balanced, outermost only; an unclosed box yields nothing."""
    position = 0
    while (found := _next_opener(text, position)) is not None:
        content, position = _balanced(text, found)
        if content is not None:
            yield content.strip()


def last_boxed(text: str) -> str | None:
    """The last boxed answer, or None."""
    answers = list(boxed(text))
    return answers[-1] if answers else None


def _next_opener(text: str, start: int) -> int | None:
    """Where the content of the next box begins."""
    hits = [hit + len(opener) for opener in _OPENERS if (hit := text.find(opener, start)) >= 0]
    return min(hits, default=None)


def _balanced(text: str, start: int) -> tuple[str | None, int]:
    r"""Read up to the brace that closes the one before `start`; `\{` and `\}` are literal. Linear in the text."""
    depth, position = 1, start
    while position < len(text):
        match text[position]:
            case "\\":
                position += 1
            case "{":
                depth += 1
            case "}":
                depth -= 1
                if depth == 0:
                    return text[start:position], position + 1
        position += 1
    return None, start

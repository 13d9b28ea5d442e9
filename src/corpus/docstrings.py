"""From a reStructuredText docstring to text that reads like a page of mathematics."""

from __future__ import annotations

import re

from src.text.normalise import normalise

_UNDERLINE = re.compile(r"^[ \t]*([=\-~^*#.])\1{2,}[ \t]*$")
_PROMPT = re.compile(r"^(\s*)(?:>>>|\.\.\.)(?: |$)")
_SETUP = re.compile(r"^\s*>>> (?:from\s|import\s|init_printing|.*= *symbols\(|.*= *Symbol\(|.*mp\.(?:dps|pretty))")
_DIRECTIVE = re.compile(r"^\s*\.\. (?:math|note|index|sourcecode|code-block|warning|rubric)::[ \t]*(.*)$")
_OPTION = re.compile(r"^\s*(?:\.\. (?:plot|image|figure|versionadded|versionchanged|deprecated|_|\[).*|:\w+:(?!`).*)$")
_ROLE = re.compile(r":(?:\w+:)*?(\w+):`([^`]*)`")
_TARGET = re.compile(r"\s*<[^>]*>")
_TICKS = re.compile(r"(``?)([^`\n]+)\1_?_?")
_CITATION = re.compile(r"(?:\s*,)?(?:\s+(?:see|in|from|by|and|also))*\s*\[[\w-]+\]_")
_UNREAD = re.compile(
    r"see also|references?|external links|sources|(?:other )?parameters|raises|yields|attributes", re.IGNORECASE
)

# Words and signs that a page of mathematics has and a page about software has not.
_MATH = re.compile(
    r"\\[a-zA-Z]+|[=<>≤≥^]|\*\*|\$|\b(?:theorem|lemma|proof|equations?|polynomials?|matri(?:x|ces)|vectors?|integrals?"
    r"|derivatives?|series|primes?|modulo|integers?|real|complex|sum|product|roots?|graphs?|vert(?:ex|ices)|edges?|nodes?|degrees?"
    r"|sets?|groups?|rings?|fields?|angles?|circles?|triangles?|probability|distribution|converges?|algorithm|permutations?"
    r"|function|factor|divisors?|limit|coefficients?|eigenvalues?|dimension|points?|lines?|planes?)\b",
    re.IGNORECASE,
)
MARKS_PER_100_CHARS = 1.5


def is_mathematical(text: str) -> bool:
    """Whether signs and words of mathematics come often enough."""
    return len(_MATH.findall(text)) >= MARKS_PER_100_CHARS * len(text) / 100


def prose(docstring: str) -> str:
    """The docstring without the machinery of its mark-up.

    Interactive sessions lose their prompts and their imports and keep input and output; section underlines,
    roles and directives go; sections about the call rather than the mathematics (parameters, see also, references)
    are left out.
    """
    lines = docstring.splitlines()
    kept: list[str] = []
    skipping = False
    for number, line in enumerate(lines):
        if _UNDERLINE.match(line):
            continue
        if number + 1 < len(lines) and line.strip() and _UNDERLINE.match(lines[number + 1]):
            skipping = _UNREAD.fullmatch(line.strip()) is not None
            line = f"{line.strip()}:"
        if not skipping and (text := _line(line)) is not None:
            kept.append(text)
    return normalise(_without_empty_headings(kept))


def _line(line: str) -> str | None:
    """What remains of a line; None when nothing does."""
    if _SETUP.match(line) or _OPTION.match(line):
        return None
    if directive := _DIRECTIVE.match(line):
        return directive[1] or None
    if _PROMPT.match(line):
        return _PROMPT.sub(r"\1", line)
    line = _CITATION.sub("", _ROLE.sub(_role, line))
    return _TICKS.sub(r"\2", line).replace("<BLANKLINE>", "").removesuffix("::")


def _role(match: re.Match[str]) -> str:
    kind, content = match[1], match[2]
    return f"${content}$" if kind == "math" else _TARGET.sub("", content).rpartition("~")[2].rpartition(".")[2]


def _without_empty_headings(lines: list[str]) -> str:
    text = "\n".join(lines)
    return re.sub(r"(?m)^(?:Examples?|Notes?|Explanation):\n(?=\s*(?:\Z|\n*[A-Z][\w ]+:\n))", "", text)

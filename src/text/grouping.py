r"""How the formulas of a text are grouped: what tells 2^{n+1} from 2^n + 1, 5! + 3 from 5 + 3, f'(2) from f(2).

A `comparison_key` has no brackets and no punctuation, so that a copy is found however it is typed. Two problems with
one key and another grouping are two problems.
"""

from __future__ import annotations

import re

from src.text.spelling import signed, typed

DEEPEST, LONGEST = 40, 400  # brackets in brackets, characters in them: what is beyond is debris
_SIGNS = re.compile(  # without them, in ASCII, nothing is grouped
    r"\{|[(\[][^()\[\]]*[-+*/=<>^]|[-+*/^]\s?[(\[]|[)\]]\s?[!^]|[0-9]\s?!|\b[A-Za-z]\s?(?:!|'+\s?[(\[=+*/^_-])"
)
_DELIMITER = re.compile(r"\\(?=[{}])|\\[\[\]()]|\$")
_TOKEN = re.compile(r"\\[A-Za-z]+|'+|[][(){}!/^_√]|[^][(){}!/^_√'\\]+|\\")
_MANY = re.compile(r"\\[A-Za-z]+|[0-9]+(?:[.,][0-9]+)*|[A-Za-z]|\S")
_LOOSE = re.compile(r"[-+=<>≤≥≠±]")  # what brackets keep together
_PROSE = re.compile(r"(?<![\\A-Za-z])(?!(?:a(?:rc)?)?(?:sin|cos|tan)h?\b)[A-Za-z]{4,}")
_FACTOR = re.compile(r"(?:[0-9)!]|(?<![A-Za-z'])[A-HJ-Za-z])\s*$")
_ONE_FACTOR = re.compile(r"(?:\\[A-Za-z]+|[A-Za-z])(?:[_^](?:[A-Za-z]|[0-9]+))*")  # c^2, s_i
_LAST_FACTOR = re.compile(r"(?:[0-9.,]*[0-9]|[A-Za-z)!])$")
_ONE_LETTER = re.compile(r"(?<![A-Za-z'])[A-Za-z]$")
_NEXT_SENTENCE = re.compile(r"\s*[A-Z][A-Za-z]")
_APPLIED = re.compile(r"\s?[(\[=+*/^_-]")  # behind f' or y'
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_RAISED_OR_UNDER = ("/", "^", "_", "√", "\\binom")


def grouping(question: str) -> str:
    r"""What the formulas of a question keep together, in brackets or braces, below a line, in a power or under a root,
    with its factorials and primes; "" where nothing is that its words do not say. Copies that are typed otherwise
    share it: `\frac{1}{x+1}` and `1/(x + 1)`.

    The question must have been through `normalise`.
    """
    if question.isascii() and not _SIGNS.search(question):
        return ""
    text = signed(_DELIMITER.sub(" ", typed(question))).replace("!=", "≠")
    groups = _Groups(_TOKEN.findall(text.replace("′", "'").replace("’", "'")))
    groups.read()
    return " ".join(sorted(groups.found))


class _Groups:
    """Reads tokens from `at` on, and notes in `found` what is kept together."""

    def __init__(self, tokens: list[str]):
        self.tokens, self.at, self.depth = tokens, 0, 0
        self.found: list[str] = []

    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def read(self) -> str:
        """What stands up to the closing bracket or the end, without spaces and needless brackets."""
        pieces: list[str] = []
        before = ""  # as it stands there
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token in _CLOSING and self.depth:
                break
            if token in ("\\frac", "\\binom"):
                self.at += 1
                line = "/" if token == "\\frac" else token
                pieces += [self.argument(""), line, self.argument(line)]
                before = ")"
            elif token in _OPENING and self.depth < DEEPEST:
                pieces.append(self.group(before))
                before = ")"
            else:
                self.at += 1
                self.note_mark(token, before, pieces)
                pieces.append("".join(token.split()))
                before = token if token.strip() else before
        return "".join(pieces)

    def argument(self, before: str) -> str:
        """What a command takes: a group, or the next digit, letter or command."""
        token = self.next()
        if token in _OPENING and self.depth < DEEPEST:
            return self.group(before)
        first = token if token.startswith("\\") else token.strip()[:1]
        if rest := token.lstrip()[len(first) :]:
            self.tokens[self.at] = rest
        else:
            self.at += 1
        return first

    def group(self, before: str) -> str:
        self.at += 1
        self.depth += 1
        inner = self.read()
        self.depth -= 1
        self.at += 1  # behind the closing bracket
        if not self.is_kept_together(inner, before):
            return inner
        if not (inner.startswith("(") and inner.endswith(")") and ")" not in inner[:-1]):
            self.found.append(inner)
            inner = f"({inner})"
        return inner

    def is_kept_together(self, inner: str, before: str) -> bool:
        """Would the formula say another thing without these brackets?"""
        if not inner or len(inner) > LONGEST or _PROSE.search(inner):
            return False
        if self.next() in ("^", "!"):
            return len(_MANY.findall(inner)) > 1
        if before == "/" and _ONE_FACTOR.fullmatch(inner):
            return False
        if before in _RAISED_OR_UNDER:
            return len(_MANY.findall(inner.lstrip("-+"))) > 1
        return _LOOSE.search(inner if _FACTOR.search(before) else inner[1:]) is not None

    def note_mark(self, token: str, before: str, pieces: list[str]) -> None:
        """Note a factorial or a prime, but no mark of a sentence."""
        if token == "!" and _FACTOR.search(before) and not _NEXT_SENTENCE.match(self.next()):
            factor = _LAST_FACTOR.search(pieces[-1])
            self.found.append((factor[0] if factor else "") + token)
        if token[0] == "'" and _ONE_LETTER.search(before) and _APPLIED.match(self.next()):
            self.found.append(before[-1] + token)

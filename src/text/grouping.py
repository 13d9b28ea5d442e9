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
_DELIMITER = re.compile(r"\\(?=[{}])|\\[\[\]()]|[$~]")
_DOTS = re.compile(r"\.(?:\s?\.)+")  # as \ldots
_THOUSANDS = re.compile(r",(?=\d{3}(?!\d))(?<=\d,)")
_TOKEN = re.compile(r"\\[A-Za-z]+|'+|[][(){}!/^_√]|[^][(){}!/^_√'\\]+|\\")
_MANY = re.compile(r"\\[A-Za-z]+|[0-9]+(?:[.,][0-9]+)*|[A-Za-z]|[^\s\\]")
_LOOSE = re.compile(r"[-+=<>≤≥≠±]")  # what brackets keep together
_PROSE = re.compile(
    r"(?<![\\A-Za-z])(?:(?!(?:a(?:rc)?)?(?:sin|cos|tan)h?\b)[A-Za-z]{4,}|(?:and|or|of|is|the|to|in|if|for)(?![A-Za-z]))"
)
_FACTOR = re.compile(r"(?:[0-9)!]|(?<![A-Za-z'])[A-HJ-Za-z])\s*$")
_KEPT = re.compile(r"\([^()]*\)")  # a group that stays, in what is read
_BLANKS = re.compile(r"(?<!\s)(?:(?<![^\W\d_])\s++|\s++(?![^\W\d_]))")  # but those between two words
_ONE_FACTOR = re.compile(  # c^2, dx, 2^(n+1), (x+1)^2, n!, f(x), sin x: not x y, which may be another's x and y
    r"(?:\\?(?:sin|cos|tan|cot|sec|csc|log|ln) ?|√)?"
    r"(?:[fg]'*□|\\[A-Za-z]+|[^\W\d_]+|[0-9]+(?:[.,][0-9]+)*|□)(?:[_^](?:[A-Za-z]|[0-9]+|□))*!?"
)
_UNIT = re.compile(r"\s?[^\W\d_]+(?:[\s*/]+[^\W\d_]+)*\s?")  # braces leave no trace on a page: \text{ m/s}^2 is m/s^2
_ORDINAL = ("st", "nd", "rd", "th")  # 5^{th}
_CALLED = re.compile(r"(?<![A-Za-z'])[fg]$")
_BEGINS = re.compile(  # what stands before a formula or a side of one; not "root of", "twice", "log"
    r"(?:^|[=<>≤≥≠,;]|[A-Za-z]:\s|[.?]\s|\b(?:find|solve|compute|calculate|evaluate|simplify|expand|factor|prove|show|"
    r"let|if|is|are|that|where|when|given|suppose|equation|expression|value of|solutions? (?:of|to))\s)\s*$",
    re.IGNORECASE,
)
_ENDS = re.compile(r"[^\S\n]*(?:\n|$|[-+=<>≤≥≠±,;?)\]}]|\.(?!\d)|(?:and|or|for|if|is|has|when|where)\b)")
_LIST_OR_RELATION = re.compile(r"[,;=<>≤≥≠]")
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
    text = signed(_DELIMITER.sub(" ", typed(question))).replace("!=", "≠").replace("<=", "≤").replace(">=", "≥")
    text = _THOUSANDS.sub("", _DOTS.sub(" ", text))
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

    def ahead(self) -> str:
        """The next token that is not blank."""
        at = self.at + self.next().isspace()
        return self.tokens[at] if at < len(self.tokens) else ""

    def note(self, kept: str) -> None:
        """As a `comparison_key` would have it: without letter case, blanks and backslashes."""
        self.found.append("".join(kept.replace("\\", "").split()).casefold())

    def read(self) -> str:
        """What stands up to the closing bracket or the end, without needless brackets, blanks only between words."""
        pieces: list[str] = []
        before = ""  # as it stands there
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token in _CLOSING and self.depth:
                break
            if token in ("\\frac", "\\binom"):
                self.at += 1
                line = "/" if token == "\\frac" else token
                whole = f"{self.argument('')}{line}{self.argument(line)}"
                if self.ahead() == "^" and not _UNIT.fullmatch(whole):  # \frac{3}{2}^n is (3/2)^n, and not 3/2^n
                    self.note(whole)
                    whole = f"({whole})"
                pieces.append(whole)
                before = ")"
            elif token in _OPENING and self.depth < DEEPEST:
                pieces.append(self.group(before))
                before = ")"
            else:
                self.at += 1
                self.note_mark(token, before, pieces)
                pieces.append(token)
                before = token if token.strip() else before
        return _BLANKS.sub("", "".join(pieces))

    def argument(self, before: str) -> str:
        """What a command takes: a group, or the next digit, letter or command."""
        self.at += self.next().isspace()  # as in \frac{1} {2x}
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
        opening = self.next()
        self.at += 1
        self.depth += 1
        inner = self.read()
        self.depth -= 1
        self.at += 1  # behind the closing bracket
        if self.is_kept_together(inner, before, opening):
            self.note(inner)
            return f"({inner})"
        return f"({inner})" if opening == "(" and _CALLED.search(before) else f" {inner} "

    def is_kept_together(self, inner: str, before: str, opening: str) -> bool:
        """Would the formula say another thing without these brackets?"""
        if not inner or len(inner) > LONGEST or _PROSE.search(inner):
            return False
        outside = _outside(inner)
        if self.ahead() in ("^", "!"):
            is_unit = opening == "{" and _UNIT.fullmatch(outside)  # {cm}^3, { m/s}^2; but (ab)^2 is not ab^2
            return len(_MANY.findall(outside)) > 1 and not is_unit
        if before in _RAISED_OR_UNDER:
            return len(_MANY.findall(outside.lstrip("-+"))) > 1 and not _is_one(outside, before)
        if opening == "(" and self.is_whole(outside, before):
            return False
        return _LOOSE.search(outside if _FACTOR.search(before) else outside[1:]) is not None

    def is_whole(self, outside: str, before: str) -> bool:
        """Do the brackets hold a side of a relation, or what a sum begins with?"""
        if _LIST_OR_RELATION.search(outside) or not _BEGINS.search(before[-24:]):
            return False
        return _ENDS.match(self.ahead()) is not None

    def note_mark(self, token: str, before: str, pieces: list[str]) -> None:
        """Note a factorial or a prime, but no mark of a sentence."""
        if token == "!" and _FACTOR.search(before) and not _NEXT_SENTENCE.match(self.next()):
            factor = _LAST_FACTOR.search(pieces[-1].rstrip())
            self.note((factor[0] if factor else "") + token)
        if token[0] == "'" and _ONE_LETTER.search(before) and _APPLIED.match(self.next()):
            self.note(before[-1] + token)


def _outside(inner: str) -> str:
    """What stands outside the brackets that stay: n(n+1) is a product, whatever is in there."""
    while (cut := _KEPT.sub("□", inner)) != inner:
        inner = cut
    return inner


def _is_one(outside: str, before: str) -> bool:
    """Does it read the same without brackets behind this sign? A power that is typed x^ab may be a product."""
    if before == "^":
        return outside in _ORDINAL
    return outside.isalpha() if before == "√" else _ONE_FACTOR.fullmatch(outside) is not None

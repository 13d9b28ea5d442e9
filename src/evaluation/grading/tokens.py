r"""Answers as tokens: numbers, names, functions, words, operators, brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from src.evaluation.grading.spelling import JOINED
from src.evaluation.grading.units import SCALES, UNITS, UnreadableError

MAX_EXPONENT = 20_000


class Token(NamedTuple):
    """`kind` is what the parser looks at, `value` what stands there; `spaced`: a space came before it."""

    kind: str
    value: Any
    spaced: bool = False


class Number(NamedTuple):
    """A number as it is written: its value, its digits, and how many of them count when it is a decimal (else 0)."""

    value: Fraction
    text: str
    digits: int = 0


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMANDS = {
    **dict.fromkeys(("times", "cdot", "ast", "bullet"), ("op", "*")),
    "div": ("op", "/"), "over": ("over", ""), "pm": ("op", "±"), "mp": ("op", "∓"),
    **dict.fromkeys(("le", "leq", "leqslant", "leqq"), ("rel", "<=")),
    **dict.fromkeys(("ge", "geq", "geqslant", "geqq"), ("rel", ">=")),
    "lt": ("rel", "<"), "gt": ("rel", ">"), "ne": ("rel", "!="), "neq": ("rel", "!="), "in": ("rel", "in"),
    "approx": ("rel", "~"), "simeq": ("rel", "~"), "equiv": ("rel", "mod="), "cong": ("rel", "~"),
    "cup": ("set", "|"), "bigcup": ("set", "|"), "cap": ("set", "&"), "setminus": ("set", "-"),
    "backslash": ("set", "-"), "lor": ("or", "logic"), "land": ("and", "logic"),
    "mid": ("bar", "mid"), "vert": ("bar", "|"), "Vert": ("bar", "|"), "lVert": ("bar", "|"),
    "rVert": ("bar", "|"), "lvert": ("bar", "|"), "rvert": ("bar", "|"), "colon": ("colon", ""),
    **dict.fromkeys(("ldots", "dots", "cdots", "dotsc", "dotsb", "dotsm", "dotso"), ("dots", "")),
    "circ": ("circ", ""), "degree": ("circ", ""), "prime": ("op", "'"), "dollar": ("word", "dollar"),
    "infty": ("const", "oo"), "pi": ("const", "pi"), "lfloor": ("open", "floor"), "rfloor": ("close", "floor"),
    "lceil": ("open", "ceil"), "rceil": ("close", "ceil"), "lbrace": ("open", "set"), "rbrace": ("close", "set"),
    "{": ("open", "set"), "}": ("close", "set"), "|": ("bar", "|"), "lbrack": ("open", "["), "rbrack": ("close", "]"),
    "langle": ("open", "("), "rangle": ("close", ")"),
    **dict.fromkeys(("emptyset", "varnothing"), ("reals", "empty")), "R": ("reals", "all"),
    **{letter: ("domain", letter) for letter in "ZNQC"},
    "frac": ("frac", ""), "binom": ("binom", ""),
    "choose": ("over", "binom"), "sqrt": ("root", ""), "sum": ("sum", "+"), "prod": ("sum", "*"),
    **dict.fromkeys(("overline", "bar", "tilde", "widetilde"), ("line", "")),
    "bmod": ("mod", ""), "pmod": ("mod", ""), "mod": ("mod", ""),
    "pounds": ("word", "gbp"), "euro": ("word", "euro"), "forall": ("quantifier", "all"),
    "exists": ("quantifier", "some"), **{name: ("word", name) for name in ("dim", "deg", "rank")},
    **dict.fromkeys(  # what stands on their two sides may not change places
        ("to", "rightarrow", "leftarrow", "Rightarrow", "Leftarrow", "longrightarrow", "implies", "impliedby", "mapsto",
         "subset", "subseteq", "supset", "supseteq", "subsetneq", "ll", "gg", "prec", "succ", "neg", "lnot", "notin",
         "crossed"),
        ("order", ""),
    ),
}  # fmt: skip
_SKIPPED = words(
    "boxed fbox text textbf mathrm mathbf mathit mbox operatorname ensuremath Large large hline"
    " angle triangle measuredangle overrightarrow vec"
)
FUNCTIONS = {
    **{
        name: name
        for name in words(
            "sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan exp ln lg log sqrt min max gcd lcm re im arg"
            " abs floor ceil sign factorial binom root cbrt det"
        )
    },
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "tg": "tan", "ctg": "cot", "arctg": "arctan", "cosec": "csc",
    "Abs": "abs", "ceiling": "ceil", "sgn": "sign", "binomial": "binom", "comb": "binom", "Log": "log",
    "Max": "max", "Min": "min", "Rational": "ratio", "Fraction": "ratio", "Mod": "remainder", "Pow": "power",
    "Integer": "same", "Float": "same", "Decimal": "same", "mpf": "same",
}  # fmt: skip
CONSTRUCTORS = words(
    "Interval Union Intersection Complement FiniteSet Tuple set list tuple dict_values Eq Ne Lt Le Gt Ge Or And"
    " Matrix ImmutableMatrix MutableDenseMatrix ImmutableDenseMatrix array"
)
_GREEK = words(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau upsilon"
    " phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell hbar"
)
_LETTERS = {
    **dict.fromkeys(("pi", "Pi"), ("const", "pi")), "e": ("const", "e"), "i": ("const", "i"),
    **dict.fromkeys(("inf", "infinity", "Infinity", "oo"), ("const", "oo")),
    "or": ("or", ""), "and": ("and", ""), "to": ("word", "to"), "mod": ("mod", ""), "in": ("word", "in"),
    "Reals": ("reals", "all"), "EmptySet": ("reals", "empty"), "union": ("set", "|"), "U": ("set", "U"),
}  # fmt: skip
_SHORT_WORDS = words("no on is so if do of up nd rd th st sq cu")  # not "at" or "be", which may be products
_KNOWN_STARTS = sorted((n for n in {*_COMMANDS, *FUNCTIONS} if n.isalpha() and len(n) > 1), key=len, reverse=True)

_NUMBER = r"(?:[0-9]+\.(?!\.)[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+(?![0-9A-Za-z.]))?"
_TOKEN = re.compile(
    r"(?P<space>\ +)"
    r"|(?P<marked>\\(?:bar|overline|widetilde|tilde)\s*(?:\{\s*[A-Za-z]\s*\}|(?<=\s)[A-Za-z](?![A-Za-z])))"
    rf"|(?P<repeating>[0-9]*\.[0-9]*\\(?:overline|dot)\s*\{{[0-9]+\}})"
    rf"|(?P<grouped>[0-9]{{1,3}}(?:(?:{JOINED}[0-9]{{3}})+|(?:\ [0-9]{{3}})+)(?![0-9])(?:\.[0-9]+)?)"
    rf"|(?P<commas>[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+(?![0-9])(?:\.[0-9]+)?)"
    rf"|(?P<number>{_NUMBER})|\\begin\{{(?P<matrix>[a-zA-Z]*matrix|array)\}}|(?P<command>\\(?:[a-zA-Z]+|.))"
    r"|(?P<foreign>[\u0400-\u04ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+)|(?P<letters>Interval\.[A-Za-z]+|[A-Za-z]+)|(?P<rel><=|>=|=<|=>|!=|==|<>|[=<>])|(?P<dots>\.\.\.+)|(?P<sign>.)",
    re.DOTALL,
)
_SIGNS = {
    **{sign: ("op", sign) for sign in "+-*/^_!'"}, ",": ("comma", ""), ";": ("semicolon", ""), ":": ("colon", ""),
    "%": ("percent", ""), "|": ("bar", "|"), "&": ("and", ""), "$": ("word", "dollar"), "€": ("word", "euro"),
    "£": ("word", "gbp"), "¥": ("word", "yen"), "￥": ("word", "yen"), "₹": ("word", "rupee"), "¢": ("word", "cent"),
    **{sign: ("open", sign) for sign in "([{"}, ")": ("close", ")"), "]": ("close", "]"), "}": ("close", "}"),
}  # fmt: skip
ROMAN = re.compile("[IVX]{2,}")  # IV is neither VI nor a product
_RELATIONS = {"==": "=", "=<": "<=", "=>": ">=", "<>": "!="}
_CELL_BREAK = re.compile(r"\\\\|\\cr(?![a-z])")


def tokenize(text: str) -> list[Token]:
    """Raises UnreadableError for characters that no answer is made of."""
    return list(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    at, depth, spaced, before = 0, 0, False, ""
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None
        kind, piece = match.lastgroup or "", match[0]
        at = match.end()
        if kind == "commas" and depth:
            match = re.compile("[0-9]+").match(text, match.start())
            assert match is not None
            kind, piece, at = "number", match[0], match.end()
        if kind == "space":
            spaced = True
            continue
        if kind == "matrix":
            rows, at = _matrix(text, at, piece)
            found = [Token("func", "det")] if "vmatrix" in piece else []
            found += [Token("matrix", rows)]
        elif piece == "." and before == "word":
            found = []  # sq. ft.
        elif kind == "letters" and text[match.start() - 1 : match.start()].isdigit() and not is_unit(piece):
            found = (
                [token for letter in piece for token in _letters(letter)] if len(piece) < 5 else list(_letters(piece))
            )
        elif piece == "min" and before == "num" and not text.startswith(("(", "{"), at):
            found = [Token("word", "minute")]
        else:
            found = list(_token(kind, piece))
        for token in found:
            depth += (token.kind == "open" and token.value != "{") - (token.kind == "close" and token.value != "}")
            yield token._replace(spaced=spaced)
            spaced, before = False, token.kind


def _token(kind: str, piece: str) -> Iterator[Token]:
    if kind in ("number", "grouped", "commas", "repeating"):
        yield Token("num", _number(piece, kind))
    elif kind == "command":
        yield from _command(piece[1:])
    elif kind == "letters":
        yield from _letters(piece)
    elif kind == "marked":
        mark, letter = re.findall("[A-Za-z]+", piece)
        yield Token("name", f"{letter}_{'tilde' if 'tilde' in mark else 'bar'}")  # the conjugate of z is not z
    elif kind == "foreign":
        yield Token("word", piece)
    elif kind == "rel":
        yield Token("rel", _RELATIONS.get(piece, piece))
    elif kind == "dots":
        yield Token("dots", "")
    elif piece in _SIGNS:
        yield Token(*_SIGNS[piece])
    elif piece.isalpha():
        yield Token("word", piece)
    else:
        raise UnreadableError(f"{piece!r} is no part of an answer")


def _number(piece: str, kind: str) -> Number:
    if kind == "repeating":
        whole, _, rest = piece.partition(".")
        once, again = re.findall(r"[0-9]+", rest)[-2:] if rest[0].isdigit() else ("", *re.findall(r"[0-9]+", rest)[:1])
        tail = Fraction(int(again), (10 ** len(again) - 1) * 10 ** len(once))
        return Number(Fraction(int(whole or 0)) + Fraction(int(once or 0), 10 ** len(once)) + tail, piece)
    digits = re.sub(f"[{JOINED}, ]", "", piece)
    mantissa, _, exponent = digits.lower().partition("e")
    if len(exponent) > 6 or abs(int(exponent or 0)) > MAX_EXPONENT or len(mantissa) > 4_000:
        raise UnreadableError("the number is too long")
    whole, dot, part = mantissa.partition(".")
    value = Fraction(int(whole + part or 0)) * Fraction(10) ** (int(exponent or 0) - len(part))
    decimal = bool(dot or exponent)
    return Number(value, piece, len((whole + part).lstrip("0")) or 1 if decimal else 0)


def _command(name: str) -> Iterator[Token]:
    if name in _COMMANDS:
        yield Token(*_COMMANDS[name])
    elif name in FUNCTIONS:
        yield Token("func", FUNCTIONS[name])
    elif name in _GREEK:
        yield Token("name", name)
    elif name in _SKIPPED:
        return
    elif name == "e":
        yield Token("const", "e")
    elif start := next((known for known in _KNOWN_STARTS if name.startswith(known)), None):
        yield from _command(start)  # "\pir", "\sinx"
        yield from _letters(name[len(start) :])
    else:
        yield Token("name", "\\" + name)


def _letters(run: str) -> Iterator[Token]:
    """One name, a word, or several one-letter names: "theta", "apples", "xy"."""
    if ROMAN.fullmatch(run):
        yield Token("name", run)
    elif run.partition(".")[0] in CONSTRUCTORS:
        yield Token("call", run)
    elif run in _LETTERS:
        yield Token(*_LETTERS[run])
    elif run in FUNCTIONS:
        yield Token("func", FUNCTIONS[run])
    elif run in _GREEK or len(run) == 1:
        yield Token("name", run)
    elif is_word(run):
        yield Token("word", run.lower() if run.lower() in UNITS and run not in UNITS else run)
    else:
        yield from (Token("const", letter) if letter in "ei" else Token("name", letter) for letter in run)


def is_unit(run: str) -> bool:
    return run in UNITS or run.lower() in SCALES or run in _LETTERS or run in FUNCTIONS or run in _GREEK


def is_word(run: str) -> bool:
    """Words have vowels; "AB", "xy" and "xyz" are products or points. Units are words whatever they are made of."""
    if run in UNITS or run.lower() in _SHORT_WORDS or (run.lower() in UNITS and len(run) > 2):
        return True
    if set(run) <= set("abcdxyz"):
        return False
    return len(run) > 2 and re.search("[aeiouAEIOU]", run) is not None and not (run.isupper() and len(run) < 5)


def _matrix(text: str, at: int, opening: str) -> tuple[tuple[tuple[tuple[Token, ...], ...], ...], int]:
    """The rows of cells of an environment whose `\\begin{...}` ends at `at`, and where the text goes on."""
    name = opening[len("\\begin{") : -1]
    end = text.find(f"\\end{{{name}}}", at)
    if end < 0:
        raise UnreadableError("the matrix is not closed")
    body = text[at:end]
    if name == "array":
        body = re.sub(r"^\s*\{[^{}]*\}", "", body)
    rows = [row for row in _CELL_BREAK.split(body.replace("\\hline", "")) if row.strip()]
    cells = tuple(tuple(tuple(_tokens(cell)) for cell in row.split("&")) for row in rows)
    return cells, end + len(f"\\end{{{name}}}")

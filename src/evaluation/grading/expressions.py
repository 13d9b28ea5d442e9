r"""Expressions as trees: a tuple of an operator and its operands, as ("+", ("num", 1/2), ("var", "x")).

Letters side by side are a product, but two numbers side by side are not: "3 4" is no expression, "3 1/2" is 7/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from src.evaluation.grading.tokens import Token, UnreadableError

Tree = tuple[Any, ...]

MAX_DEPTH = 60
_APPLIED = set("fghFGHPQ")  # letters that a bracket makes a function of: f(x) is no product
_TAKES_BRACKET_ONLY = {"open", "matrix"}
_CLOSED_BY = {"(": ")", "[": "]", "{": "}", "floor": "floor", "ceil": "ceil", "set": "set"}
_FACTOR_STARTS = {"num", "name", "const", "func", "open", "frac", "binom", "root", "matrix", "sum", "line", "call"}


def parse(tokens: Sequence[Token]) -> Tree:
    """The tree of all the tokens. Raises UnreadableError."""
    parser = _Parser(tokens)
    tree = parser.total()
    if parser.at < len(tokens):
        raise UnreadableError(f"{tokens[parser.at].value!r} is out of place")
    return tree


class _Parser:
    """Recursive descent; a method reads one construct from `at` on."""

    def __init__(self, tokens: Sequence[Token]):
        self.tokens, self.at, self.depth, self.bars = tokens, 0, 0, 0

    def kind(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead].kind if self.at + ahead < len(self.tokens) else "end"

    def sees(self, kind: str, *values: str) -> bool:
        return self.kind() == kind and (not values or self.tokens[self.at].value in values)

    def take(self) -> Token:
        if self.at >= len(self.tokens):
            raise UnreadableError("the answer ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, kind: str, value: str) -> None:
        token = self.take()
        if (token.kind, token.value) != (kind, value):
            raise UnreadableError(f"{value!r} is missing")

    def total(self) -> Tree:
        """Sums, and `a \\over b` or `n \\choose k`, which take all there is on both sides."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableError("the nesting is too deep")
        tree = self.sum()
        if self.sees("over"):
            below = self.take().value == "binom"
            tree = ("call", "binom", tree, self.sum()) if below else ("/", tree, self.sum())
        self.depth -= 1
        return tree

    def sum(self) -> Tree:
        if self.sees("op", "+", "-", "±", "∓"):
            sign = self.take().value
            tree = self.term()
            tree = tree if sign == "+" else ("neg", tree) if sign == "-" else (sign, ("num", Fraction(0)), tree)
        else:
            tree = self.term()
        while self.sees("op", "+", "-", "±", "∓"):
            sign = self.take().value
            tree = (sign, tree, self.term())
        return tree

    def term(self) -> Tree:
        tree = self.factor()
        while True:
            if self.sees("op", "*", "/"):
                sign = self.take().value
                tree = (sign, tree, self.signed_factor())
            elif self.sees("mod"):
                raise UnreadableError("a remainder is no product")
            elif self.is_factor_next():
                tree = self.mixed(tree) or ("*", tree, self.factor())
            else:
                return tree

    def is_factor_next(self) -> bool:
        if self.sees("bar", "|"):
            return not self.bars
        if self.kind() not in _FACTOR_STARTS or self.sees("open", "set"):
            return False
        if self.kind() == "num" and self.at and self.tokens[self.at - 1].kind in ("num", "name", "const"):
            return self.tokens[self.at - 1].kind == "num" and self.is_mixed()
        return True

    def is_mixed(self) -> bool:
        """Stands here, after a whole number, a proper fraction: "1/2" of "3 1/2"?"""
        if self.kind() != "num" or self.kind(1) != "op" or self.kind(2) != "num":
            return False
        top, slash, bottom = (token.value for token in self.tokens[self.at : self.at + 3])
        whole = self.tokens[self.at - 1].value
        if slash != "/" or not all(n.text.isdigit() for n in (whole, top, bottom)):
            return False
        return bool(self.tokens[self.at].spaced and top.value < bottom.value)

    def mixed(self, whole: Tree) -> Tree | None:
        r"""`3 1/2` or `3\frac{1}{2}` after its whole number: a sum."""
        before = self.tokens[self.at - 1]
        if whole[0] != "num" or before.kind != "num" or not before.value.text.isdigit():
            return None
        if self.kind() == "num":
            top, bottom = self.take().value.value, (self.take(), self.take())[1].value.value
            return ("+", whole, ("num", top / bottom))
        if self.kind() != "frac":
            return None
        part = self.factor()
        proper = part[0] == "/" and part[1][0] == part[2][0] == "num" and 0 <= part[1][1] < part[2][1]
        return ("+", whole, part) if proper else ("*", whole, part)

    def signed_factor(self) -> Tree:
        if self.sees("op", "-"):
            self.take()
            return ("neg", self.signed_factor())
        if self.sees("op", "+"):
            self.take()
        return self.factor()

    def factor(self) -> Tree:
        """An atom with its powers, factorials and percent signs."""
        self.depth += 1
        if self.depth > 4 * MAX_DEPTH:
            raise UnreadableError("the nesting is too deep")
        tree = self.postfix(self.atom())
        self.depth -= 1
        return tree

    def postfix(self, tree: Tree) -> Tree:
        while True:
            if self.sees("op", "^"):
                self.take()
                tree = ("^", tree, self.exponent())
            elif self.sees("op", "!"):
                self.take()
                double = self.sees("op", "!") and not self.tokens[self.at].spaced
                if double:
                    self.take()
                tree = ("call", "double factorial" if double else "factorial", tree)
            elif self.sees("circ"):
                self.take()
                tree = ("*", tree, ("/", ("const", "pi"), ("num", Fraction(180))))
            elif self.sees("percent"):
                self.take()
                tree = ("/", tree, ("num", Fraction(100)))
            else:
                return tree

    def exponent(self) -> Tree:
        if self.sees("op", "-", "+"):
            sign = self.take().value
            return ("neg", self.exponent()) if sign == "-" else self.exponent()
        base = self.atom()
        if self.sees("op", "^"):
            self.take()
            return ("^", base, self.exponent())
        if self.sees("op", "!"):
            self.take()
            return ("call", "factorial", base)
        return base

    def atom(self) -> Tree:
        token = self.take()
        match token.kind:
            case "num":
                if self.sees("op", "_"):
                    raise UnreadableError("a numeral with a base is no part of an expression")
                return ("num", token.value.value)
            case "const":
                return ("const", token.value)
            case "name":
                return self.name(token.value)
            case "open":
                return self.group(token.value)
            case "bar":
                return self.absolute()
            case "func":
                return self.function(token.value)
            case "frac" | "binom":
                top, bottom = self.argument(), self.argument()
                return ("/", top, bottom) if token.kind == "frac" else ("call", "binom", top, bottom)
            case "root":
                return self.root()
            case "matrix":
                return ("matrix", tuple(tuple(parse(cell) for cell in row) for row in token.value))
            case "sum":
                return self.series(token.value)
            case "line":
                return self.argument()
            case "call":
                return self.constructor(token.value)
        raise UnreadableError(f"{token.value!r} begins no expression")

    def argument(self) -> Tree:
        """What a command takes: a group in braces, or the next token."""
        if self.sees("op", "-"):
            self.take()
            return ("neg", self.argument())
        return self.atom()

    def group(self, opening: str) -> Tree:
        if opening == "set":
            raise UnreadableError("a set is no part of an expression")
        bars, self.bars = self.bars, 0
        inner = self.total()
        self.expect("close", _CLOSED_BY[opening])
        self.bars = bars
        return ("call", opening, inner) if opening in ("floor", "ceil") else inner

    def absolute(self) -> Tree:
        self.bars += 1
        inner = self.total()
        self.expect("bar", "|")
        self.bars -= 1
        return ("call", "abs", inner)

    def name(self, name: str) -> Tree:
        while self.sees("op", "'"):
            self.take()
            name += "'"
        if self.sees("op", "_"):
            self.take()
            return self.applied(name, self.subscript())
        if name in _APPLIED and self.sees("open", "(") and not self.tokens[self.at].spaced:
            return self.applied(name, *self.arguments())
        return ("var", name)

    def applied(self, name: str, *arguments: Tree) -> Tree:
        return ("opaque", name, *arguments)

    def subscript(self) -> Tree:
        """An index, which may be an expression, as in F_{n-k}; words and primes stand for themselves."""
        start = self.at
        try:
            return self.argument()
        except UnreadableError:
            self.at = start
        if not self.sees("open", "{"):
            return ("var", f"_{self.take().value}")
        words = []
        self.take()
        while not self.sees("close", "}"):
            words.append(str(self.take().value))
        self.take()
        return ("var", "_" + " ".join(words))

    def arguments(self) -> list[Tree]:
        self.expect("open", "(")
        found = [self.total()]
        while self.sees("comma"):
            self.take()
            found.append(self.total())
        self.expect("close", ")")
        return found

    def function(self, name: str) -> Tree:
        power, base = None, None
        while self.sees("op", "^", "_"):
            if self.take().value == "^":
                power = self.exponent()
            else:
                base = self.argument()
        arguments = self.bracketed() or [self.bare_argument()]
        if name == "log" and base is not None:
            arguments.append(base)
        tree: Tree = ("call", name, *arguments)
        if power is None:
            return tree
        if power == ("neg", ("num", Fraction(1))) and name in ("sin", "cos", "tan"):
            return ("call", "arc" + name, *arguments)
        return ("^", tree, power)

    def bracketed(self) -> list[Tree] | None:
        if self.sees("open", "("):
            return self.arguments()
        return None

    def bare_argument(self) -> Tree:
        r"""The argument without brackets: `2x` of `\sin 2x \cos x`."""
        tree = self.signed_factor()
        while self.is_factor_next() and self.kind() not in ("func", "open", "sum", "matrix"):
            tree = self.mixed(tree) or ("*", tree, self.factor())
        if self.sees("op", "/") and self.kind(1) == "num":
            self.take()
            tree = ("/", tree, self.factor())
        return tree

    def root(self) -> Tree:
        degree: Tree | None = None
        if self.sees("open", "["):
            self.take()
            degree = self.total()
            self.expect("close", "]")
        inner = self.argument()
        return ("call", "sqrt", inner) if degree is None else ("call", "root", inner, degree)

    def series(self, operator: str) -> Tree:
        r"""`\sum_{k=1}^{n} ...`: the body is the term that follows."""
        if not self.sees("op", "_"):
            raise UnreadableError("a series without its index")
        self.take()
        self.expect("open", "{")
        index = self.take()
        self.expect("rel", "=")
        low = self.total()
        self.expect("close", "}")
        self.expect("op", "^")
        high = self.argument()
        return ("series", operator, str(index.value), low, high, self.term())

    def constructor(self, name: str) -> Tree:
        """A matrix as SymPy and NumPy print it."""
        if "atrix" not in name and name != "array":
            raise UnreadableError(f"{name} is no expression")
        self.expect("open", "(")
        rows = self.rows()
        self.expect("close", ")")
        return ("matrix", rows)

    def rows(self) -> tuple[tuple[Tree, ...], ...]:
        self.expect("open", "[")
        rows: list[tuple[Tree, ...]] = []
        while not self.sees("close", "]"):
            if self.sees("open", "["):
                rows.append(tuple(row[0] for row in self.rows()))
            else:
                rows.append((self.total(),))
            if self.sees("comma"):
                self.take()
        self.take()
        return tuple(rows)

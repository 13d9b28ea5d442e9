"""Checking arithmetic puzzles: make a target from given numbers, each used once. There is no gold expression to equal.

A puzzle's gold is written "24 from 8, 5, 10, 6"; the answer is any expression of + - * / and brackets.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from fractions import Fraction

MAX_CHARS, MAX_INTEGER = 400, 10**12
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")"})


def puzzle_gold(target: int, numbers: Sequence[int]) -> str:
    """How a puzzle is written down as a gold answer."""
    return f"{target} from {', '.join(map(str, numbers))}"


def solves(gold: str, answer: str) -> tuple[bool, str]:
    """Does the expression reach the target with each number used exactly once? And the grader's reason."""
    target, _, numbers = gold.partition(" from ")
    expression = answer.replace("\\times", "*").replace("\\cdot", "*").replace("\\div", "/").translate(_SPELLINGS)
    expression = expression.replace("$", "").partition("=")[0].strip()
    try:
        if len(expression) > MAX_CHARS or "**" in expression or "//" in expression:
            return False, "unparsable"
        tree = ast.parse(expression, mode="eval").body
        value, used = _value(tree), sorted(_numbers(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError, ZeroDivisionError):
        return False, "unparsable"
    right = value == Fraction(target) and used == sorted(int(n) for n in numbers.split(","))
    return right, "number" if right else "different"


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int(n)) if not isinstance(n, bool) and n <= MAX_INTEGER:
            return Fraction(n)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner)
        case ast.BinOp(left=left, op=op, right=right):
            return _apply(op, _value(left), _value(right))
    raise ValueError("not an arithmetic expression")


def _apply(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
    raise ValueError("only + - * / may stand in a puzzle's answer")


def _numbers(tree: ast.expr) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            yield node.value

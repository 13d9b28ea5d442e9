"""Solutions as chains of equations, in the format of arXiv 2406.02100, and the check of one.

    34, 18, 31, 41, 19, 55: -110
    31-34=-3, 19+41=60, 60/-3=-20, -20/18=-2, -2*55=-110

Worked backwards, a chain begins at the target and each equation says where a value comes from:

    -110=-2*55, -2=-20/18, -20=60/-3, 60=19+41, -3=31-34
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from src.puzzles.expressions import puzzle_gold
from src.puzzles.space import OPERATIONS

EXACT = ", divided exactly"
NUMBER = r"(?:0|-?[1-9][0-9]{0,17})"
SIGNS = f"[{re.escape(OPERATIONS)}]"
_FORWARD = re.compile(rf"({NUMBER})({SIGNS})({NUMBER})=({NUMBER})")
_BACKWARD = re.compile(rf"({NUMBER})=({NUMBER})({SIGNS})({NUMBER})")
_CHAINS = [(way, re.compile(rf"{way.pattern}(?:, {way.pattern})*+")) for way in (_FORWARD, _BACKWARD)]

REASONS = ("format", "equation", "division by zero", "operand", "unused", "target")
"""Why a chain is refused: it is not written as it should be; an equation is false; an operand is neither an unused
number nor an unused earlier result; numbers are left over; the last result is not the target."""


def puzzle_text(numbers: Sequence[int], target: int) -> str:
    """The puzzle as it is put to a model."""
    return f"{', '.join(map(str, numbers))}: {target}"


def check_chain(numbers: Sequence[int], target: int, chain: str, exact: bool = False) -> str | None:
    """Why the chain does not solve the puzzle, one of REASONS; None where it does.

    Any right chain counts, forward or backward: each number and each result is used once, and the last result is the
    target. Division rounds down; with `exact` it must leave nothing over.
    """
    there = list(map(str, numbers))
    result = ""
    steps = read_chain(chain)
    for left, sign, right, result in steps:
        try:
            there.remove(left)
            there.remove(right)
        except ValueError:
            return "operand"
        a, b = int(left), int(right)
        if sign == "/":
            if b == 0:
                return "division by zero"
            value = a // b
            if exact and value * b != a:
                return "equation"
        else:
            value = a + b if sign == "+" else a - b if sign == "-" else a * b
        if str(value) != result:
            return "equation"
        there.append(result)
    if not steps:
        return "format"
    if len(there) > 1:
        return "unused"
    return None if result == str(target) else "target"


def read_chain(chain: str) -> list[tuple[str, str, str, str]]:
    """The equations as (left, sign, right, result), the one to be worked out first in front; [] for another format."""
    forward, backward = _CHAINS
    if forward[1].fullmatch(chain):
        return forward[0].findall(chain)
    if backward[1].fullmatch(chain):
        return [(left, sign, right, result) for result, left, sign, right in reversed(backward[0].findall(chain))]
    return []


def chain_gold(numbers: Sequence[int], target: int, exact: bool = False) -> str:
    """How a puzzle whose answer is a chain is written down as a gold answer: "-110 from 34, 18, 31, 41, 19, 55"."""
    return f"{puzzle_gold(target, numbers)}{EXACT if exact else ''}"


def gold_puzzle(gold: str) -> tuple[list[int], int]:
    """Numbers and target of a gold answer, whether a chain or an expression is asked for."""
    target, _, numbers = gold.removesuffix(EXACT).partition(" from ")
    return [int(n) for n in numbers.split(", ")], int(target)


def solves_chain(gold: str, answer: str) -> tuple[bool, str]:
    """Does the chain solve the gold's puzzle? And the grader's reason."""
    reason = check_chain(*gold_puzzle(gold), answer, exact=gold.endswith(EXACT))
    return reason is None, reason or "number"

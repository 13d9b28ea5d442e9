"""Checking a solution by its program: what it prints, what it says that it prints, and what stands in the box."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from src.evaluation.grading import as_number, grade
from src.evaluation.program_pool import ProgramPool
from src.evaluation.sandbox import Execution

_CODE = re.compile(r"^[ \t]*```[ \t]*(?:python|py)\w*[ \t]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_OUTPUT = re.compile(r"^[ \t]*```[ \t]*output[ \t]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?:/\d+)?")

FAILS = {
    "error": "its program fails",
    "timeout": "its program does not end",
    "memory": "its program needs too much memory",
    "output": "its program prints too much",
    "killed": "its program was killed",
}
OTHER_OUTPUT = "its program prints something else"
OTHER_ANSWER = "boxed answer is not what the program prints"
AT_ONCE = 512


class Program(NamedTuple):
    """What a tool solution holds."""

    code: str
    stated: str | None


class Run(NamedTuple):
    """`wrong` None: program and stated output agree. `printed`: the last of what it truly printed."""

    wrong: str | None
    printed: str


def program_of(solution: str) -> Program | None:
    """All code blocks as one program, and the last output block; None without code."""
    blocks = _CODE.findall(solution)
    outputs = _OUTPUT.findall(solution)
    return Program("\n".join(blocks), outputs[-1] if outputs else None) if blocks else None


def compare_output(program: Program, execution: Execution) -> Run:
    """Whether the run kept the solution's word."""
    printed = execution.output.strip()[-2_000:]
    if execution.status != "ok":
        return Run(FAILS.get(execution.status, FAILS["error"]), printed)
    if program.stated is not None and not same_output(program.stated, execution.output):
        return Run(OTHER_OUTPUT, printed)
    return Run(None, printed)


def same_output(stated: str, printed: str) -> bool:
    """The same words; numbers to a millionth, as float noise differs between machines."""
    left, right = stated.split(), printed.split()
    if left == right:
        return True
    return len(left) == len(right) and all(a == b or _close(a, b) for a, b in zip(left, right))


def _close(a: str, b: str) -> bool:
    shapes = _NUMBER.sub("#", a), _NUMBER.sub("#", b)
    values = [[_fraction(n) for n in _NUMBER.findall(word)] for word in (a, b)]
    if shapes[0] != shapes[1] or "#" not in shapes[0]:
        return False
    return all(x is not None and y is not None and abs(x - y) <= abs(x) / 1_000_000 for x, y in zip(*values))


def _fraction(number: str) -> Fraction | None:
    try:
        return Fraction(number.replace(",", "")) if len(number) < 100 else None
    except (ValueError, ZeroDivisionError):
        return None


def answers(printed: str, answer: str) -> bool:
    """Whether the boxed answer is what was printed, by the grader's rules: the last line, what stands there behind the
    last "=" or ":", the line's number if it is the only one, all lines together, or the number rounded to the digits of
    the box. Of several numbers none is picked: "3 84" does not confirm 3."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    if not lines:
        return False
    said = re.split(r"[=:]\s", lines[-1])[-1].strip()
    numbers = found if len(found := _NUMBER.findall(said)) == 1 else []
    candidates = [lines[-1], said, *numbers, *([" ".join(lines)] if len(lines) > 1 else [])]
    return any(grade(c, answer).correct for c in candidates) or any(_rounds(number, answer) for number in numbers)


def _rounds(number: str, answer: str) -> bool:
    exact, said = _fraction(number), as_number(answer)
    decimals = re.search(r"\.(\d+)", answer)
    if exact is None or said is None:
        return False
    places = len(decimals[1]) if decimals else None
    if "%" not in answer and "percent" not in answer:
        return _is_rounded(exact, said, places)
    shares = None if places is None else places + 2
    return _is_rounded(exact, said * 100, places) or _is_rounded(exact, said, shares)


def _is_rounded(exact: Fraction, said: Fraction, places: int | None) -> bool:
    """Whether `said` is the number to so many places, half a unit of the last and a hundredth of that off at most."""
    if places is None:
        return exact == said
    return abs(exact - said) <= Fraction(1, 2 * 10**places) * Fraction(101, 100)


def run_all(programs: Iterable[tuple[str, Program]], pool: ProgramPool) -> Iterator[tuple[str, Run]]:
    """Run named programs; the results come in order, a few hundred at a time."""
    source = iter(programs)
    while chunk := list(islice(source, AT_ONCE)):
        started = [(name, program, pool.start(program.code)) for name, program in chunk]
        yield from ((name, compare_output(program, execution.result())) for name, program, execution in started)

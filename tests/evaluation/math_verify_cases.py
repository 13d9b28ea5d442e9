"""How far the grader agrees with the test cases of Math-Verify (github.com/huggingface/Math-Verify, folder `tests`).

`python -m tests.evaluation.math_verify_cases FOLDER` reads the pairs that need no option of theirs (gold, prediction,
expected), takes both sides through extraction and grading as a model's answer goes, and lists the disagreements.
"""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from src.evaluation.grading import Verdict, grade
from src.text.answers import extract_answer

SHOWN_CHARS = 90
REASONS = {  # by a piece of the gold or of the prediction: why we hold to our verdict
    "1000,99": "a comma between digits may separate two answers: it is never read as a decimal point",
    "1,22": "a comma between digits may separate two answers: it is never read as a decimal point",
    "2,74": "a comma between digits may separate two answers: it is never read as a decimal point",
    "0,111": "a comma between digits may separate two answers: it is never read as a decimal point",
    "{1,3}": "braces are those of a set, which has no order",
    " \n 9 \n ": "9 is the answer, however its formula is broken into lines",
    r"1 + \frac{1}{\mathrm{e}}": "1 - 1/e is not 1 + 1/e",
    r"W(n) = -1": "the box is not closed: the answer may have been cut off",
}


class Case(NamedTuple):
    file: str
    gold: str
    prediction: str
    expected: bool


def cases(folder: Path) -> Iterator[Case]:
    """The parametrised pairs of the folder's tests that come with an expected verdict and nothing else."""
    for path in sorted(folder.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "parametrize":
                names = [name.strip() for name in ast.literal_eval(node.args[0]).split(",")]
                if names[:2] == ["gold", "pred"] and len(names) == 3:
                    for row in node.args[1].elts:  # type: ignore[attr-defined]
                        gold, prediction, expected = eval(
                            compile(ast.Expression(row), path.name, "eval"), {"math": math}
                        )
                        yield Case(path.name, gold, prediction, bool(expected))


def verdict(case: Case) -> Verdict:
    gold = extract_answer(case.gold, "math") or case.gold
    return grade(gold, extract_answer(case.prediction, "math"))


def table(folder: Path) -> str:
    found = [(case, verdict(case)) for case in cases(folder)]
    other = [(case, ours) for case, ours in found if ours.correct != case.expected]
    lines = [f"{len(found) - len(other)} of {len(found)} pairs are judged alike."]
    for case, ours in other:
        reason = next((why for piece, why in REASONS.items() if piece in case.gold + case.prediction), "unexplained")
        pair = " | ".join(repr(text if len(text) <= SHOWN_CHARS else "..." + text[-SHOWN_CHARS:]) for text in case[1:3])
        lines.append(f"- {case.file}: {pair}: ours {'equal' if ours.correct else ours.reason}; {reason}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))

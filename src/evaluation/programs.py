"""Answers with programs in them: found in what a model wrote, and read back after their run.

An answer goes on in the corpus's tool format: a ```python block, an ```output block with what it printed, and so on.
"""

from __future__ import annotations

import re
from itertools import pairwise

from src.evaluation.sandbox import Execution
from src.text.answers import AnswerType, extract_answer

OUTPUT = "```output\n"
FENCE = "```"
SHOWN_CHARS = 2_000  # of what a program printed: its end, where the answer is
_PROGRAM = re.compile(r"```python[^\n]*\n((?:(?!```).)*+)```", re.DOTALL)
_UNRUN = re.compile(r"```python.*?(?:```|\Z)", re.DOTALL)
_GIVEN_UP = ("[timeout]", "[memory]", "[killed]", "[output]")
_ENDED_BADLY = re.compile(r"\[[a-z]+\]")


def waiting_program(text: str) -> tuple[str, list[str]] | None:
    """The program that the text ends with, not run yet, and those before it that came to an end, if in an error; None
    when there is none."""
    found = list(_PROGRAM.finditer(text))
    if not found or text[found[-1].end() :].strip():
        return None
    between = (text[one.end() : other.start()] for one, other in pairwise(found))
    return found[-1][1], [one[1] for one, said in zip(found, between) if not _was_given_up(said)]


def _was_given_up(said: str) -> bool:
    """Whether the output that follows a program says that a limit ended it: run again, it would meet it again."""
    return said.partition(OUTPUT)[2].partition(FENCE)[0].rstrip().endswith(_GIVEN_UP)


def extract_from_run(text: str, answer_type: AnswerType) -> str | None:
    """The final answer of a text with programs: what was said after the last output, else the last line printed.

    A number in a program that never ran (it was cut, say) is no answer.
    """
    _, ran, rest = text.rpartition(OUTPUT)
    if not ran:
        return extract_answer(_UNRUN.sub(" ", text), answer_type)
    printed, _, said = rest.partition(FENCE)
    if said.strip() and (answer := extract_answer(said, answer_type)):
        return answer
    line = printed.rstrip().rpartition("\n")[2]
    if _ENDED_BADLY.fullmatch(line):
        return None
    return extract_answer(line, "text" if answer_type == "math" else answer_type)  # a printed formula counts whole


def shown_output(execution: Execution) -> str:
    """The block that shows what a program printed.

    The last line of what did not end well says how it ended: [error], [timeout], [memory], ...
    """
    status, printed = execution
    shown = printed.replace(FENCE, "'''").strip()[-SHOWN_CHARS:]
    end = "" if status == "ok" else f"[{status}]"
    return "\n".join((OUTPUT.strip(), *filter(None, (shown, end)), FENCE, ""))

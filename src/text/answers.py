r"""Finding the final answer in what a model wrote: a box, "####", "the answer is", the last number, a choice letter.

Every pattern here is linear in the text, so that 100,000 characters of babble cost milliseconds.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Literal

from src.text.boxed import last_boxed

AnswerType = Literal["number", "math", "choice", "text", "puzzle"]

MAX_ANSWER_CHARS = 2_000  # the longest gold answer of MATH has 160; what is longer is no answer
BOX_CHARS, BOXES = 20_000, 20  # how far back a box is looked for

NUMBER = re.compile(
    r"(?<![0-9A-Za-z_.])[-−–]?"
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?"  # 1,234 or 1234
    r"(?:\.[0-9]+|(?<=[0-9])(?:/[0-9]+)?)%?"  # .5 or /5
)
_ANNOUNCED = re.compile(
    r"\b(?:final\s{1,3})?answer\s{0,3}(?:\*\*)?\s{0,3}(?:is\s{0,3}:?|:|=)\s{0,3}(?:\*\*)?\s{0,3}([^\n]{1,400})", re.I
)
_SENTENCE_END = re.compile(r"\.(?=\s|$)|\s\*\*|\*\*$")
_MATH = re.compile(r"\\\((.{1,400}?)\\\)|\$([^$\n]{1,400})\$(?![0-9])")  # "$160 - $72" is money
# "160 - 72 =" of "160 - 72 = 24": sides without letters, but for LaTeX's commands.
_SIDES = re.compile(r"(?:(?:[-+*/^.,:%$()\[\]{}0-9 \t×÷−–·]|\\[a-zA-Z]+|\\[,;!:%$])++=)+")
_LETTER_IN_BRACKETS = re.compile(r"\(([A-J])\)")
_LETTER_ALONE = re.compile(r"(?<![A-Za-z0-9'’])([A-J])(?=[).:,\s*]|$)(?!['’])")
_LETTER_LINE = re.compile(r"^[^\w\n]{0,8}([A-J])(?:[).:]|[^\w\n]{0,8}$)", re.M)
_OPTION = re.compile(r"\W*(?:(?:option|choice)\W*)?([A-Ja-j])(?![A-Za-z0-9])", re.I)
_OPERATOR = re.compile(r"[+\-*/×÷−·]")
_INFIX = re.compile(r"[0-9)}%]\s*(?:[-+*/^×÷−·]|\\(?:times|cdot|div)(?![a-zA-Z]))\s*\S")
_ARITHMETIC = re.compile(r"[0-9(][0-9+\-*/()×÷−· ]*+")


def extract_answer(text: str, answer_type: AnswerType) -> str | None:
    """The final answer that `text` gives, or None where it gives none (or one of more than 2,000 characters).

    The last box wins; then what follows the last "####"; then the last "answer is"; then, by type: the last number
    (number, math), the last choice letter, the last line (text), the last arithmetic expression (puzzle). Of a
    calculation, "160 - 72 = 24", the answer (number, math) is what it comes to.
    """
    answer = _EXTRACTORS[answer_type](text)
    answer = answer.strip() if answer else None
    return answer if answer and len(answer) <= MAX_ANSWER_CHARS else None


def _marked(text: str) -> str | None:
    """The answer that the text itself marks as final: boxed, after "####" or after "the answer is"."""
    if (box := _last_box(text)) is not None:
        return box
    if "####" in text:
        return text.rpartition("####")[2].strip().partition("\n")[0]
    announced = _last(_ANNOUNCED, text)
    return _one_answer(announced[1]) if announced else None


def _last_box(text: str) -> str | None:
    """The last box, among the last ones near the end: so thousands of unclosed ones cost little."""
    tail = text[-BOX_CHARS:]
    skipped = tail.rsplit("\\boxed{", BOXES)[0] if tail.count("\\boxed{") > BOXES else ""
    return last_boxed(tail[len(skipped) :])


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = deque(pattern.finditer(text), maxlen=1)
    return found[0] if found else None


def _one_answer(sentence: str) -> str:
    """The answer at the start of the rest of a sentence: its math if it has any, else up to the full stop."""
    if math := _MATH.search(sentence):
        return math[1] or math[2]
    end = _SENTENCE_END.search(sentence)
    return sentence[: end.start()] if end else sentence


def _result(answer: str) -> str:
    """What a calculation comes to, "24" of "160 - 72 = 24"; other answers as they are, as "x = 24" and "24 = 4 * 6"."""
    sides = _SIDES.match(answer)
    if sides is None:
        return answer
    result = answer[sides.end() :]
    works_out = _INFIX.search(sides[0]) or not _INFIX.search(result)
    return result if works_out and result.strip(" \t.,:$") else answer


def last_number(text: str) -> str | None:
    """The last number in the text, with its sign, thousands commas, fraction slash and percent sign."""
    number = _last(NUMBER, text)
    return number[0] if number else None


def _number(text: str) -> str | None:
    marked = _marked(text)
    if marked is None:
        return last_number(text)
    marked = _result(marked)
    if "\\" in marked:  # LaTeX is left whole: \frac{3}{4} holds two numbers and is one
        return marked
    first = NUMBER.search(marked)
    return first[0] if first else marked


def _math(text: str) -> str | None:
    marked = _marked(text)
    return last_number(text) if marked is None else _result(marked)


def _choice(text: str) -> str | None:
    marked = _marked(text)
    if marked is not None:
        plain = re.sub(r"\\(?:text|textbf|mathrm|mathbf)\b|[{}$\\]", " ", marked).strip()
        letter = _OPTION.match(plain) or _LETTER_IN_BRACKETS.search(plain)
        return letter[1].upper() if letter else marked
    for pattern in (_LETTER_IN_BRACKETS, _LETTER_LINE, _LETTER_ALONE):
        if letters := pattern.findall(text):
            return letters[-1]
    return None


def _text(text: str) -> str | None:
    marked = _marked(text)
    return text.rstrip().rpartition("\n")[2] if marked is None else marked


def _puzzle(text: str) -> str | None:
    marked = _marked(text)
    plain = text if marked is None else marked.replace("\\times", "*").replace("\\div", "/")
    found = (run.rstrip("+-*/×÷−· (") for run in _ARITHMETIC.findall(plain))
    return next(iter(deque((run for run in found if _OPERATOR.search(run)), maxlen=1)), marked)


_EXTRACTORS: dict[AnswerType, Callable[[str], str | None]] = {
    "number": _number,
    "math": _math,
    "choice": _choice,
    "text": _text,
    "puzzle": _puzzle,
}

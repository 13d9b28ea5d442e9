r"""What the teacher is asked in the four steps, and how its answers are read.

The paper publishes what each prompt says, and few of its words; these are ours. Formats that are read back:

    key points   Topic: NAME, then one key point a line after "- "
    question     <Q> the question </Q>
    rating       Key points: NUMBER, Soundness: NUMBER, both in [0, 1]
    answer       a worked solution with \boxed{}, one box for each part of the question
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from src.text.normalise import normalise

LABEL = """You are a specialist in mathematics education. Name the topics and the key points of the problem below, so \
that teachers can write problems like it and students see what they learn from it.

1. Name each main topic as subject and sub-category, for example "Geometry - Circles". Knowledge from outside of \
mathematics belongs to a topic "Others - ...", for example "Others - Problem Context".
2. Under each topic list the key points: the theorems, facts or methods that the solution needs. Name none twice.

Write each topic on a line "Topic: ...", and its key points below it, one a line after "- ".

Problem: {question}

Solution: {solution}"""

COMPOSE = """You are a mathematics teacher. Below are {n} sets of key points, each with a problem that practises them.

{sets}

Write one new problem, different from those above, that cannot be solved without all {needed} of these selected \
{what}:
{selected}

The problem must be complete, free of contradictions, and have one definite answer. Write only the question, between \
<Q> and </Q>."""

RATE = """You are a strict examiner of mathematics problems. Rate the problem below by two criteria, each with a \
number from 0 to 1.

Key points: does it take all of the following to solve it?
{selected}
Soundness: is it complete and free of logical and factual errors, so that it has one definite answer?

Problem: {question}

Write two lines, "Key points: NUMBER" and "Soundness: NUMBER"."""

ANSWER = """Solve the last problem step by step, as the problems before it are solved. Put the final answer in \
\\boxed{{}}; if the problem asks for several things, give each its own box, in their order.

{sets}

Problem: {question}

Solution:"""


@dataclass(frozen=True)
class Demonstration:
    """A practice with the texts of its problem."""

    topic: str
    key_points: Sequence[str]
    question: str
    solution: str


def label_prompt(question: str, solution: str) -> str:
    return LABEL.format(question=question, solution=solution)


def compose_prompt(sets: Sequence[Demonstration], selected: Sequence[str], with_key_points: bool = True) -> str:
    """Ask for a question that needs all that is selected: the sets' key points or, without these, their topics."""
    shown = "\n\n".join(_set(n, each, with_key_points, solved=False) for n, each in enumerate(sets, start=1))
    what = "key points" if with_key_points else "topics"
    return COMPOSE.format(n=len(sets), needed=len(selected), sets=shown, what=what, selected=_listed(selected))


def rate_prompt(question: str, key_points: Sequence[str]) -> str:
    return RATE.format(question=question, selected=_listed(key_points))


def answer_prompt(question: str, sets: Sequence[Demonstration]) -> str:
    shown = "\n\n".join(_set(n, each, True, solved=True) for n, each in enumerate(sets, start=1))
    return ANSWER.format(question=question, sets=shown)


def _set(n: int, each: Demonstration, with_key_points: bool, solved: bool) -> str:
    points = f"\nKey points:\n{_listed(each.key_points)}" if with_key_points else ""
    solution = f"\nSolution: {each.solution}" if solved else ""
    return f"Set {n}. Topic: {each.topic}{points}\nProblem: {each.question}{solution}"


def _listed(points: Sequence[str]) -> str:
    return "\n".join(f"- {point}" for point in points)


_BULLET = r"\-*•+–—‣▪●○◦·"
_TOPIC = re.compile(
    rf"^[\s#_>\d.){_BULLET}]*topic(?:\s*\d+)?[\s*_]*[:：][\s*_]*(?P<name>.*?)[\s*_:：]*$", re.IGNORECASE
)
_POINT = re.compile(rf"^\s*(?:[{_BULLET}]|\(?\d{{1,2}}[.)])\s+(?P<point>.*?)\s*$")
_POINT_LABEL = re.compile(r"^[*_]*key[ -]?points?(?:\s*\d+)?[\s*_]*(?:[:：][\s*_]*|$)", re.IGNORECASE)
_EMPHASIS = re.compile(r"^(\*\*|__)(.+?)\1")
_QUESTION = re.compile(r"<q>(.*?)</q>", re.IGNORECASE | re.DOTALL)
_DRESS = r"[ \t*_\"'`$]*"  # of a number: mark-up and quotes
_VALUE = r"(?P<value>\d+(?:[.,]\d+)?|\.\d+)"
# A number on its own in the next line counts, not that of a list: "Key points:\n1. The radius".
_SCORE = rf"{_DRESS}[:：](?:{_DRESS}{_VALUE}|{_DRESS}\n{_DRESS}{_VALUE.replace('value', 'below')}(?=\W*?$))"
_REST = r"(?![\d.,]*\d|e[-+]?\d|\s*%)(?:\s*(?:/|out of)\s*(?P<of>[\d.]*\d))?"
_SCORES = tuple(
    re.compile(rf"{name}(?:\s+(?:score|rating))?(?:\s*\([^()\n]*\))?{_SCORE}{_REST}", re.IGNORECASE | re.MULTILINE)
    for name in ("key[ _-]?points?", "soundness")
)


def read_labels(text: str) -> dict[str, list[str]]:
    """Topic -> key points, in their order, each once; a topic without any is left out."""
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    topic = None
    for line in normalise(text).split("\n"):
        if (head := _TOPIC.match(line)) is not None:
            topic = head["name"]
        elif topic and (item := _POINT.match(line)) is not None:
            point = _EMPHASIS.sub(r"\2", _POINT_LABEL.sub("", item["point"])).strip("*_ ")
            if point and point.lower() not in seen:
                seen.add(point.lower())
                found.setdefault(topic, []).append(point)
    return found


def write_labels(labels: dict[str, list[str]]) -> str:
    """The inverse of `read_labels`."""
    return "\n".join(f"Topic: {topic}\n{_listed(points)}" for topic, points in labels.items())


def read_question(text: str) -> str | None:
    """What stands between the last <Q> and its </Q>; None where that is nothing."""
    found = _QUESTION.findall(text)
    return normalise(found[-1].rpartition("<Q>")[2]).strip() or None if found else None


def read_rating(text: str) -> tuple[float, float] | None:
    """(key points, soundness), the last of each in [0, 1]; None where one is missing."""
    found = [[score for match in pattern.finditer(text) if (score := _score(match)) is not None] for pattern in _SCORES]
    return (found[0][-1], found[1][-1]) if all(found) else None


def _score(found: re.Match[str]) -> float | None:
    """The number, with a point or a comma; None where it is no share of one."""
    score = float((found["value"] or found["below"]).replace(",", "."))
    return score if score <= 1 and float(found["of"] or 1) == 1 else None


def write_rating(key_points: float, soundness: float) -> str:
    """The inverse of `read_rating`, to two digits."""
    return f"Key points: {key_points:.2f}\nSoundness: {soundness:.2f}"

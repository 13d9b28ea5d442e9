"""Ratings of formal statements by grades: how a model is asked for one, how its answer is read, and what is trivial.

arXiv 2405.14333 names the five criteria and the five grades, and leaves out statements graded fair or poor. The words
of the prompt are ours, and no graded examples stand before the statement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

GRADES = {"poor": 0.0, "fair": 0.25, "above average": 0.5, "good": 0.75, "excellent": 1.0}  # their scores

PROMPT = """You are a strict judge of formal mathematics. Grade the statement below, which is written in {language}.

1. Say in plain words what it states.
2. Judge it in a sentence each by these criteria: relevance to current research; complexity and depth; \
interdisciplinary potential; needs of the community, or gaps, that it answers; innovativeness.
3. Give one grade: excellent, good, above average, fair or poor. What follows at once is poor: a conclusion that is \
among the hypotheses, that is an equation of a term with itself, or that numbers alone decide.

Statement:
{statement}

End with the line "Grade: GRADE"."""

_GRADE = re.compile(
    r"\bgrade[\s*_\"]*[:：][\s*_\"'`(\[<]*(poor|fair|above[ _-]+average|good|excellent)"
    r"(?:[\s*_\"'`)\]>}.!]*|\s*(?:\([^()\n]*\)|[;–—](?:(?!grade\b)[^\n])*)\.?)$",
    re.I | re.M,
)
_IN_SCOPE = re.compile(r"^\((.*)\)%\w+$")  # Rocq's mark of a formula about rationals
_NAME = re.compile(r"\b(?!mod\b)[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class StatementRating:
    """One rater's grade of a statement. `id` is the statement's with the rater's number."""

    id: str
    statement_id: str
    grade: str

    @property
    def score(self) -> float:
        return GRADES[self.grade]


def grade_prompt(language: str, statement: str) -> str:
    return PROMPT.format(language=language.capitalize(), statement=statement)


def read_grade(text: str) -> str | None:
    """The last grade that ends its line, but for a remark in brackets or behind a dash; None where there is none."""
    found = _GRADE.findall(text)
    return re.sub(r"[ _-]+", " ", found[-1].lower()) if found else None


def write_grade(grade: str) -> str:
    """The inverse of `read_grade`."""
    return f"Grade: {grade}"


def is_trivial(hypotheses: Sequence[str], conclusion: str) -> bool:
    """Whether a statement in Rocq holds at once: its conclusion is a hypothesis, equates a term with itself, or speaks
    of numbers alone."""
    if conclusion in hypotheses:
        return True
    bare = _IN_SCOPE.sub(r"\1", conclusion)
    left, *right = re.split(r" ==? ", bare)
    return right == [left] or not _NAME.search(bare)

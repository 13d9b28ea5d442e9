"""One question of a benchmark, and how rows become questions with unmistakable ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from src.core.records import content_id

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # of choices


@dataclass(frozen=True, slots=True)
class Question:
    """`stage` and `subject` are what results are broken down by (education stage or level; "" where there is none).
    `solution` is a worked one in the corpus's way, where the source has it."""

    text: str
    gold: str
    stage: str = ""
    subject: str = ""
    choices: tuple[str, ...] | None = None
    solution: str | None = None
    id: str = ""


def named(questions: Iterable[Question]) -> list[Question]:
    """Give each question its id: a hash of text, choices and gold, and of how often it has come before.

    (MAWPS has a few questions twice; they count twice, as in the published numbers.)
    """
    seen: Counter[str] = Counter()
    result = []
    for question in questions:
        id = content_id(question.text, *(question.choices or ()), question.gold)
        seen[id] += 1
        result.append(replace(question, id=id if seen[id] == 1 else content_id(id, seen[id])))
    return result

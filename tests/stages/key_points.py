"""Three seed problems, labelled: what the tests of the stages of key-point-driven synthesis start from."""

from __future__ import annotations

from src.core.records import Problem
from src.keypoints.records import KeyPointQuestion, Practice
from tests.stages.writers import artifact

ADD, SUBTRACT, STORY = "Arithmetic - Addition", "Arithmetic - Subtraction", "Others - Story"


def problem(n):
    return Problem(f"seed{n}", f"seed{n}", f"seed{n}", "grade_school", "cot", f"Question {n}?", f"Solution {n}.",
                   str(n), "seeds", 0)  # fmt: skip


def seeds(folder, n=3):
    return artifact(folder, "problems", Problem, [problem(i) for i in range(n)])


def practice(problem, topic, *points):
    return Practice(f"{problem} {topic}", problem, topic, list(points))


def labelled(folder, rows):
    return artifact(folder, "practices", Practice, rows)


def question(n, text=None, points=("carrying",), practices=("seed0 Arithmetic - Addition",)):
    about = [ADD], list(practices), list(points)
    return KeyPointQuestion(f"q{n:03d}", f"p{n}", "seed0", "grade_school", text or f"How many are {n} and 1?", *about)


def asked(folder, rows):
    return artifact(folder, "questions", KeyPointQuestion, rows)

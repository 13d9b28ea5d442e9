"""Seed problems and what they practise, to be looked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from src.core.records import Problem
from src.keypoints.asking import Demonstration
from src.keypoints.records import Practice


class Library:
    """The seed problems by practice; held in memory: a few kilobytes a problem."""

    def __init__(self, problems: Iterable[Problem], practices: Iterable[Practice]):
        self.problems = {problem.id: problem for problem in problems}
        self.practices = {practice.id: practice for practice in practices}

    def problem(self, practice: str) -> Problem:
        return self.problems[self.practices[practice].problem_id]

    def demonstrations(self, practices: Sequence[str]) -> list[Demonstration]:
        """In the order of the practices' ids."""
        found = []
        for id in practices:
            practice, problem = self.practices[id], self.problem(id)
            found.append(Demonstration(practice.topic, practice.key_points, problem.question, problem.solution))
        return found

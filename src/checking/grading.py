"""Proofs graded like other answers: the gold answer is the theorem, and the checker says whether the text proves it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack

from src.checking.base import Checker, CheckerSession, CheckVerdict, Task
from src.evaluation.grading import Grader, Pair, Verdict
from src.theorems.statement import Declaration


class ProofGrader(Grader):
    """A grader that knows a checker besides, which it opens when the first proof comes. Use it in a `with` block."""

    def __init__(self, checker: Checker, workers: int | None = None):
        super().__init__(workers)
        self._checker = checker
        self._exits = ExitStack()
        self._session: CheckerSession | None = None

    def grade_all(self, pairs: Iterable[Pair]) -> list[Verdict]:
        given = list(pairs)
        proofs = [pair for pair in given if pair.answer_type == "proof" and pair.answer]
        checked = dict(zip(proofs, self._check(proofs), strict=True))
        others = iter(super().grade_all(pair for pair in given if pair not in checked))
        return [checked[pair] if pair in checked else next(others) for pair in given]

    def _check(self, pairs: list[Pair]) -> list[Verdict]:
        if not pairs:
            return []
        if self._session is None:
            self._session = self._exits.enter_context(self._checker.open())
        tasks = [Task(Declaration(**json.loads(pair.gold)), pair.answer or "") for pair in pairs]
        return [_graded(verdict) for verdict in self._session.check_all(tasks)]

    def close(self) -> None:
        self._exits.close()
        super().close()


def _graded(verdict: CheckVerdict) -> Verdict:
    """A time-out counts as wrong, and apart, as other answers do that are too large to work out."""
    if verdict.status == "proved":
        return Verdict(True, "proof")
    return Verdict(False, "limit" if verdict.status == "timeout" else verdict.kind)

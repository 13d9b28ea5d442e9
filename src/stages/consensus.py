"""Stage `consensus`: of the solutions of a question those stay that most agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import ClassVar

import numpy as np

from src.cleaning.consensus import Voting, agreement, answers_in, sub_questions
from src.cleaning.sieve import WRONG_ARITHMETIC
from src.core.checks import at_least
from src.core.records import Generation, write_table
from src.core.row_files import RowsById
from src.core.stage import Stage, StageContext
from src.core.store import write_json
from src.keypoints.records import KeyPointQuestion
from src.stages.teacher import CUT_OFF
from src.text.arithmetic import check_arithmetic
from src.text.normalise import normalise
from src.text.parsing import format_response
from src.text.quality import prose

AGREEMENT = "agreement.json"  # number of solutions that agree at most -> number of questions
NO_ANSWER, TOO_MANY_PARTS, NO_MAJORITY = "no boxed answer", "too many sub-questions", "no two solutions agree"
OUTVOTED, SPARE = "more solutions agree on another answer", "another solution of the same question stays"


@dataclass(frozen=True)
class Consensus(Stage):
    """Reads the inputs "questions" and "answers" (their `generations`); writes the table `generations`: questions with
    the solutions that stay, in the format that the stage `clean` reads.

    arithmetic: solutions are left out in which a statement such as `12 * 7 = 84` does not hold.
    most_parts: a question with more sub-questions is left out.
    voting: which solutions stay. each: how many of a question at most, those first that agree most; None: all.
    """

    kind: ClassVar[str] = "consensus"
    version: ClassVar[int] = 7

    arithmetic: bool = True
    most_parts: int = 3
    voting: Voting = field(default_factory=Voting)
    each: int | None = 1

    def __post_init__(self) -> None:
        at_least(self, 1, "most_parts", "each")

    def run(self, ctx: StageContext) -> None:
        by_votes: Counter[int] = Counter()  # questions, by how many of their solutions agree at most
        write_table(ctx.out / "generations", Generation, self._all(ctx, by_votes))
        write_json(ctx.out / AGREEMENT, {str(votes): by_votes[votes] for votes in sorted(by_votes)})
        ctx.summary["questions"] = by_votes.total()

    def _all(self, ctx: StageContext, by_votes: Counter[int]) -> Iterator[Generation]:
        asked = ctx.inputs["questions"].table("questions", KeyPointQuestion)
        questions = RowsById(ctx.work / "questions.rows", KeyPointQuestion, asked)
        answers = ctx.inputs["answers"]
        ctx.summary["questions_kept"] = 0
        with ctx.progress("consensus", total=answers.count("generations"), unit="solutions") as bar:
            rows = answers.table("generations", Generation)
            for id, group in groupby(rows, key=lambda row: row.id.rpartition("-")[0]):
                solutions = list(group)
                ctx.tally.enter(len(solutions))
                kept = self._of_one(ctx, questions[id].text, solutions, by_votes)
                ctx.tally.keep(len(kept))
                ctx.summary["questions_kept"] += bool(kept)
                bar.advance(len(solutions))
                yield from kept

    def _of_one(
        self, ctx: StageContext, question: str, solutions: list[Generation], by_votes: Counter[int]
    ) -> list[Generation]:
        """The solutions of one question that stay, with the question before them; the others are tallied."""
        parts = sub_questions(question)
        if parts > self.most_parts:
            ctx.tally.reject(TOO_MANY_PARTS, len(solutions))
            return []
        readable: list[tuple[Generation, list[str]]] = []
        for row in solutions:
            row = replace(row, text=normalise(row.text))
            answers = answers_in(row.text, parts)
            if reason := self._fault(row, answers):
                ctx.tally.reject(reason)
            else:
                readable.append((row, answers))
        counts = agreement([answers for _, answers in readable])
        votes = int(counts.max(initial=0))
        by_votes[votes] += 1
        stays = self.voting.keeps(counts)
        ctx.tally.reject(OUTVOTED if stays.any() else NO_MAJORITY, int((~stays).sum()))
        best = sorted(np.flatnonzero(stays).tolist(), key=lambda n: (-int(counts[n].sum()), readable[n][0].id))
        ctx.tally.reject(SPARE, len(best[self.each :]) if self.each else 0)
        return [_with_question(question, readable[n][0]) for n in sorted(best[: self.each])]

    def _fault(self, row: Generation, answers: list[str]) -> str | None:
        """Why a solution has no vote."""
        if not answers:
            return CUT_OFF if row.finish_reason == "length" else NO_ANSWER
        return WRONG_ARITHMETIC if self.arithmetic and check_arithmetic(prose(row.text)).wrong else None


def _with_question(question: str, row: Generation) -> Generation:
    return replace(row, text=format_response(question, row.text))

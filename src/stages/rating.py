"""Stage `rating`: raters judge new questions, and the good ones stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from statistics import fmean
from typing import ClassVar

import numpy as np

from src.core.checks import at_least
from src.core.records import Generation, Prompt, read_table, write_table
from src.core.stage import StageContext
from src.core.store import write_json
from src.keypoints.asking import rate_prompt, read_rating
from src.keypoints.records import Question, Rating
from src.stages.asking import Ask
from src.stages.teacher import BEYOND_CALLS, AsksTeacher

HISTOGRAM = "ratings.json"  # {"edges": [21 numbers], "questions": [20 counts]} of the questions' scores
BINS = 20


@dataclass(frozen=True, kw_only=True)
class Rate(AsksTeacher):
    """Reads and writes `questions`; writes the table `ratings` and their histogram besides.

    raters: ratings of each question, all of the same teacher. A question's score is the mean over its raters, of whom
        each has given the lower of two scores: its key points are practised, and nothing in it is wrong.
    least: the score from which a question stays. (The paper has one score of both criteria, from one rater.)
    """

    kind: ClassVar[str] = "rating"
    version: ClassVar[int] = 1
    tokens_a_prompt: ClassVar[int] = 300

    raters: int = 1
    least: float = 0.85

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "raters")
        if not 0 <= self.least <= 1:
            raise ValueError(f"least must lie in [0, 1], not {self.least}")

    @property
    def task(self) -> str:
        return "rating"

    def run(self, ctx: StageContext) -> None:
        source = ctx.inputs["questions"]
        there = source.count("questions")
        rated = there if self.calls is None else min(there, self.calls // self.raters)
        ctx.tally.enter(there)
        ctx.tally.reject(BEYOND_CALLS, there - rated)
        asks = (
            self._ask(question, rater)
            for question in islice(source.table("questions", Question), rated)
            for rater in range(self.raters)
        )
        texts = self.texts(ctx, asks, rated * self.raters, tallied=False)
        write_table(ctx.out / "ratings", Rating, (r for text in texts if (r := _rating(text)) is not None))
        scores = self._scores(ctx)
        questions = islice(source.table("questions", Question), rated)
        write_table(ctx.out / "questions", Question, self._kept(ctx, questions, scores))
        counts, edges = np.histogram(list(scores.values()), bins=BINS, range=(0, 1))
        write_json(ctx.out / HISTOGRAM, {"edges": edges.round(6).tolist(), "questions": counts.tolist()})
        ctx.summary |= {"mean_score": fmean(scores.values()) if scores else 0.0}

    def _scores(self, ctx: StageContext) -> dict[str, float]:
        """By question, the mean of the ratings that could be read; ratings lie sorted by question."""
        rows = read_table(ctx.out / "ratings", Rating)
        by_question = groupby(rows, key=lambda rating: rating.question_id)
        return {question: fmean(rating.score for rating in of_one) for question, of_one in by_question}

    def _kept(self, ctx: StageContext, questions: Iterator[Question], scores: dict[str, float]) -> Iterator[Question]:
        for question in questions:
            score = scores.get(question.id)
            if score is None:
                ctx.tally.reject("no rating that can be read")
            elif score < self.least:
                ctx.tally.reject(f"rated below {self.least:g}")
            else:
                ctx.tally.keep()
                yield question

    def _ask(self, question: Question, rater: int) -> Ask:
        prompt = Prompt(question.prompt_id, question.passage_id, question.stage, "cot", question.text)
        text = rate_prompt(question.text, question.key_points)
        context = {"question": question.text, "key_points": "\n".join(question.key_points)}
        return self.ask(prompt, f"{question.id}-{rater:04d}", text, **context)


def _rating(text: Generation) -> Rating | None:
    scores = read_rating(text.text)
    return Rating(text.id, text.id.rpartition("-")[0], *scores) if scores else None

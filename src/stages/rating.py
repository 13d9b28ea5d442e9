"""Raters judge rows, and the good ones stay. Stage `rating`: of new questions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from statistics import fmean
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np

from src.core.checks import at_least
from src.core.records import Generation, Prompt, read_table, write_table
from src.core.row_files import NumbersById
from src.core.stage import StageContext
from src.core.store import write_json
from src.keypoints.asking import rate_prompt, read_rating
from src.keypoints.records import KeyPointQuestion, Rating
from src.stages.asking import Ask
from src.stages.teacher import BEYOND_CALLS, CUT_OFF, AsksTeacher

HISTOGRAM = "ratings.json"  # {"edges": [21 numbers], table of what is rated: [20 counts]} of the rows' scores
BINS = 20


class Rated(Protocol):
    """What is rated: a row with an id."""

    @property
    def id(self) -> str: ...


class Given(Protocol):
    """What one rater said of a row: `id` is the row's with the rater's number, `score` lies in [0, 1]."""

    @property
    def id(self) -> str: ...

    @property
    def score(self) -> float: ...


Row = TypeVar("Row", bound=Rated)


@dataclass(frozen=True, kw_only=True)
class Rate(AsksTeacher, Generic[Row]):
    """Reads and writes a table; writes the table `ratings` and their histogram besides.

    raters: ratings of each row, all of the same teacher; a row's score is their mean.
    least: the score from which a row stays.

    A subclass says which table it is, of which records, what ratings of them are, and how a rater is asked.
    """

    table: ClassVar[str]
    record: ClassVar[type]
    rating: ClassVar[type]

    raters: int = 1
    least: float

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "raters")
        self.check_calls(self.raters, "raters")
        if not 0 <= self.least <= 1:
            raise ValueError(f"least must lie in [0, 1], not {self.least}")

    @property
    def task(self) -> str:
        return self.kind

    @abstractmethod
    def asked(self, row: Row) -> tuple[Prompt, str, Mapping[str, str]]:
        """What the row comes from, what a rater is told, and what one that reads no prose needs to know."""

    @abstractmethod
    def read(self, text: Generation) -> Given | None:
        """What a rater said; None where it cannot be read."""

    def run(self, ctx: StageContext) -> None:
        there = ctx.inputs[self.table].count(self.table)
        rated = there if self.calls is None else min(there, self.calls // self.raters)
        ctx.tally.enter(there)
        ctx.tally.reject(BEYOND_CALLS, there - rated)
        asks = (self._ask(row, rater) for row in self._rows(ctx, rated) for rater in range(self.raters))
        texts, cut_off = self.texts(ctx, asks, rated * self.raters, tallied=False), set[str]()
        write_table(ctx.out / "ratings", self.rating, self._ratings(texts, cut_off))
        scores = self._scores(ctx)

        def reason(row: Row) -> str | None:
            return self._reason(scores.get(row.id), row.id in cut_off)

        write_table(ctx.out / self.table, self.record, self.kept(ctx, self._rows(ctx, rated), reason))
        counts, edges = np.histogram(scores.values, bins=BINS, range=(0, 1))
        write_json(ctx.out / HISTOGRAM, {"edges": edges.round(6).tolist(), self.table: counts.tolist()})
        ctx.summary |= {"mean_score": fmean(scores.values) if len(scores.values) else 0.0}

    def _ratings(self, texts: Iterable[Generation], cut_off: set[str]) -> Iterator[Given]:
        """What the raters said; `cut_off` gains the rows of those that came to no end of it."""
        for text in texts:
            if (rating := self.read(text)) is not None:
                yield rating
            elif text.finish_reason == "length":
                cut_off.add(row_of(text.id))

    def _reason(self, score: float | None, cut_off: bool) -> str | None:
        """Why a row of this score is rejected; None for one that stays."""
        if score is None:
            return CUT_OFF if cut_off else "no rating that can be read"
        return f"rated below {self.least:g}" if score < self.least else None

    def _ask(self, row: Row, rater: int) -> Ask:
        prompt, text, context = self.asked(row)
        return self.ask(prompt, f"{row.id}-{rater:04d}", text, **context)

    def _rows(self, ctx: StageContext, n: int) -> Iterator[Row]:
        return islice(ctx.inputs[self.table].table(self.table, self.record), n)

    def _scores(self, ctx: StageContext) -> NumbersById:
        """By row, the mean of the ratings that could be read; ratings lie sorted by row."""
        ratings: Iterator[Given] = read_table(ctx.out / "ratings", self.rating)
        by_row = groupby(ratings, key=lambda rating: row_of(rating.id))
        return NumbersById((id, fmean(rating.score for rating in of_one)) for id, of_one in by_row)

    def kept(self, ctx: StageContext, rows: Iterable[Row], reason: Callable[[Row], str | None]) -> Iterable[Row]:
        """The rows without a reason against them; the tally counts all."""
        for row in rows:
            if why := reason(row):
                ctx.tally.reject(why)
            else:
                ctx.tally.keep()
                yield row


def row_of(rating: str) -> str:
    """The id of the row that the rating of this id is of."""
    return rating.rpartition("-")[0]


@dataclass(frozen=True, kw_only=True)
class RateQuestions(Rate[KeyPointQuestion]):
    """A rater has given the lower of two scores: the question's key points are practised, and nothing in it is wrong.
    (The paper has one score of both criteria, from one rater.) Where the writer was told topics alone, the rater is
    asked about the key points of the same practices all the same: does naming them help?"""

    kind: ClassVar[str] = "rating"
    version: ClassVar[int] = 2
    tokens_a_prompt: ClassVar[int] = 300
    table: ClassVar[str] = "questions"
    record: ClassVar[type] = KeyPointQuestion
    rating: ClassVar[type] = Rating

    least: float = 0.85

    def asked(self, row: KeyPointQuestion) -> tuple[Prompt, str, Mapping[str, str]]:
        prompt = Prompt(row.prompt_id, row.passage_id, row.stage, "cot", row.text)
        context = {"question": row.text, "key_points": "\n".join(row.key_points)}
        return prompt, rate_prompt(row.text, row.key_points), context

    def read(self, text: Generation) -> Rating | None:
        scores = read_rating(text.text)
        return Rating(text.id, row_of(text.id), *scores) if scores else None

"""Stage `evaluate` of answers that are there already: graded, without a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import ClassVar

from src.core.checks import at_least
from src.core.fingerprint import not_in_key
from src.core.intervals import accuracy_of
from src.core.records import BATCH_ROWS, STUDENT, Prediction, write_table
from src.core.stage import Stage, StageContext
from src.core.store import write_json
from src.text.answers import AnswerType


@dataclass(frozen=True)
class Grade(Stage):
    """Reads the table `predictions` of the input "rows", finds the answer in each text and compares it with the gold
    one. Leaves `predictions` with their verdicts, and `accuracy.json`, a line for each file of the rows.

    answer_type: what the gold answers are: number, math, choice, text or puzzle.
    workers: processes that compare expressions.
    """

    kind: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 4

    answer_type: AnswerType = "math"
    workers: int = field(default=1, metadata=not_in_key("how many processes share the work"))

    def __post_init__(self) -> None:
        at_least(self, 1, "workers")
        if self.answer_type == "proof":
            raise ValueError("answer_type cannot be proof: which theorem a text is to prove, a benchmark tells")

    def run(self, ctx: StageContext) -> None:
        scores: dict[str, list[float]] = defaultdict(list)

        def graded() -> Iterator[Prediction]:
            for prediction in self._graded(ctx):
                scores[prediction.benchmark].append(float(prediction.verdict[0]))
                yield prediction

        write_table(ctx.out / "predictions", Prediction, graded())
        rows = []
        for name, values in sorted(scores.items()):
            estimate = accuracy_of(values)
            measured = {"n": len(values), "accuracy": estimate.mean, "low": estimate.low, "high": estimate.high}
            rows.append({"model": STUDENT, "benchmark": name, "group": "all", **measured})
            ctx.summary[f"{name}/accuracy"] = estimate.mean
        write_json(ctx.out / "accuracy.json", rows)

    def _graded(self, ctx: StageContext) -> Iterator[Prediction]:
        from src.evaluation.grading import UNJUDGED, Grader, Pair
        from src.text.answers import extract_answer

        source = ctx.inputs["rows"]
        bar = ctx.progress("grading", total=source.count("predictions"), unit="answers")
        with bar, Grader(self.workers) as grader:
            rows = source.table("predictions", Prediction)
            while some := list(islice(rows, BATCH_ROWS)):
                found = [extract_answer(row.samples[0], self.answer_type) for row in some]
                pairs = [Pair(row.gold, answer, self.answer_type) for row, answer in zip(some, found, strict=True)]
                for row, answer, verdict in zip(some, found, grader.grade_all(pairs), strict=True):
                    ctx.tally.enter()
                    if verdict.reason in UNJUDGED:
                        ctx.tally.fail(f"grader: {verdict.reason}")
                    else:
                        ctx.tally.keep()
                    bar.advance()
                    yield replace(
                        row, model=STUDENT, extracted=[answer], verdict=[verdict.correct], reasons=[verdict.reason]
                    )

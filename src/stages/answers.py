"""Stage `answers`: a teacher solves every question several times, with solved problems of the same topics before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from src.core.checks import at_least
from src.core.records import Generation, Problem, Prompt, write_table
from src.core.stage import StageContext
from src.keypoints.asking import answer_prompt
from src.keypoints.library import Library
from src.keypoints.records import KeyPointQuestion, Practice
from src.stages.asking import Ask
from src.stages.teacher import AsksTeacher


@dataclass(frozen=True, kw_only=True)
class Answers(AsksTeacher):
    """Reads `questions`, and the inputs "seeds" and "topics" for the demonstrations; writes the table `generations`,
    whose ids are the question's and the number of the sample: those of one question lie side by side.

    samples: solutions of each question.
    """

    kind: ClassVar[str] = "answers"
    version: ClassVar[int] = 1
    tokens_a_prompt: ClassVar[int] = 1200

    samples: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "samples")
        self.check_calls(self.samples, "samples")
        if self.samples > 1 and self.sampling.temperature == 0:
            raise ValueError(
                f"{self.samples} samples at temperature 0 are all the same, and agree: raise sampling.temperature"
            )

    @property
    def task(self) -> str:
        return "answer"

    def run(self, ctx: StageContext) -> None:
        there = ctx.inputs["questions"].count("questions")
        solved = there if self.calls is None else min(there, self.calls // self.samples)
        total = solved * self.samples
        ctx.tally.enter(total)
        ctx.summary["questions_not_asked"] = there - solved
        write_table(ctx.out / "generations", Generation, self.texts(ctx, self._asks(ctx, solved), total))
        ctx.tally.keep(ctx.tally.entered - ctx.tally.failed.total())

    def _asks(self, ctx: StageContext, solved: int) -> Iterator[Ask]:
        seeds, topics = ctx.inputs["seeds"], ctx.inputs["topics"]
        library = Library(seeds.table("problems", Problem), topics.table("practices", Practice))
        for question in islice(ctx.inputs["questions"].table("questions", KeyPointQuestion), solved):
            text = answer_prompt(question.text, library.demonstrations(question.practices))
            prompt = Prompt(question.prompt_id, question.passage_id, question.stage, "cot", question.text)
            for sample in range(self.samples):
                yield self.ask(prompt, f"{question.id}-{sample:04d}", text, question=question.text)

"""Stage `questions`: a teacher writes a question for every composition of key points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import ClassVar

from src.core.records import Prompt, content_id, write_table
from src.core.row_files import RowsById
from src.core.seen import Seen
from src.core.stage import Artifact, StageContext
from src.keypoints.asking import read_question
from src.keypoints.records import Composition, KeyPointQuestion
from src.stages.asking import ROWS_IN_MEMORY, Ask
from src.stages.sorting import in_order
from src.stages.teacher import BEYOND_CALLS, CUT_OFF, AsksTeacher
from src.text.grouping import grouping
from src.text.spelling import comparison_key


@dataclass(frozen=True, kw_only=True)
class Questions(AsksTeacher):
    """Reads the `prompts` and `compositions` of the input "compositions"; writes the table `questions`, sorted by id.

    A question that stands there already, to the letter, is left out: it need not be rated and answered twice.
    """

    kind: ClassVar[str] = "questions"
    version: ClassVar[int] = 5
    tokens_a_prompt: ClassVar[int] = 900

    @property
    def task(self) -> str:
        return "question"

    def run(self, ctx: StageContext) -> None:
        source = ctx.inputs["compositions"]
        there = source.count("prompts")
        asked = min(there, self.calls or there)
        compositions = RowsById(ctx.work / "compositions.rows", Composition, source.table("compositions", Composition))
        ctx.tally.enter(there)
        ctx.tally.reject(BEYOND_CALLS, there - asked)
        found = ((question.id, asdict(question)) for question in self._questions(ctx, source, asked, compositions))
        ordered = in_order(found, ctx.work / "questions", ROWS_IN_MEMORY)
        write_table(ctx.out / "questions", KeyPointQuestion, (KeyPointQuestion(**row) for _, row in ordered))

    def _questions(
        self, ctx: StageContext, source: Artifact, asked: int, compositions: RowsById[Composition]
    ) -> Iterator[KeyPointQuestion]:
        asks = (self._ask(prompt, compositions[prompt.id]) for prompt in islice(source.table("prompts", Prompt), asked))
        seen = Seen()
        for text in self.texts(ctx, asks, asked):
            question = read_question(text.text)
            if question is None:
                ctx.tally.reject(CUT_OFF if text.finish_reason == "length" else "no question between <Q> and </Q>")
                continue
            if not seen.add(int(content_id(comparison_key(question), grouping(question))[:16], 16)):
                ctx.tally.reject("the same question again")
                continue
            ctx.tally.keep()
            of = compositions[text.prompt_id]
            id = content_id("question", text.prompt_id, question)
            about = of.topics, of.practices, of.key_points
            yield KeyPointQuestion(id, text.prompt_id, text.passage_id, text.stage, question, *about)

    def _ask(self, prompt: Prompt, of: Composition) -> Ask:
        selected = "\n".join(of.selected)
        return self.ask(prompt, content_id("question", prompt.id), prompt.text, selected=selected)

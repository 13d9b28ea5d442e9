"""Stage `key_points`: a teacher names the topics and key points of seed problems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from src.core.records import Problem, Prompt, content_id, write_table
from src.core.stage import StageContext
from src.keypoints.asking import label_prompt, read_labels
from src.keypoints.records import Practice
from src.stages.asking import Ask
from src.stages.teacher import BEYOND_CALLS, CUT_OFF, AsksTeacher


@dataclass(frozen=True, kw_only=True)
class KeyPoints(AsksTeacher):
    """Reads the `problems` of the input "seeds"; writes the table `practices`, a row for each topic of a problem."""

    kind: ClassVar[str] = "key_points"
    version: ClassVar[int] = 4
    tokens_a_prompt: ClassVar[int] = 450

    @property
    def task(self) -> str:
        return "key_points"

    def run(self, ctx: StageContext) -> None:
        seeds = ctx.inputs["seeds"]
        problems = sorted(seeds.table("problems", Problem), key=lambda problem: problem.id)
        asked = problems[: self.calls]
        ctx.tally.enter(len(problems))
        ctx.tally.reject(BEYOND_CALLS, len(problems) - len(asked))
        write_table(ctx.out / "practices", Practice, self._practices(ctx, asked))

    def _practices(self, ctx: StageContext, problems: list[Problem]) -> Iterator[Practice]:
        topics = points = 0
        for text in self.texts(ctx, map(self._ask, problems), len(problems)):
            labels = read_labels(text.text)
            if not labels:
                ctx.tally.reject(CUT_OFF if text.finish_reason == "length" else "no topic with key points")
                continue
            ctx.tally.keep()
            topics, points = topics + len(labels), points + sum(map(len, labels.values()))
            for topic, of_topic in labels.items():
                yield Practice(content_id("practice", text.prompt_id, topic), text.prompt_id, topic, of_topic)
        kept = max(1, ctx.tally.kept)
        ctx.summary |= {"topics_a_problem": topics / kept, "key_points_a_problem": points / kept}

    def _ask(self, problem: Problem) -> Ask:
        prompt = Prompt(problem.id, problem.passage_id, problem.stage, problem.kind, problem.question)
        text = label_prompt(problem.question, problem.solution)
        return self.ask(prompt, content_id("key_points", problem.id), text, question=problem.question)

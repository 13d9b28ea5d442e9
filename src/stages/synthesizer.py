"""Train a data-synthesis model: from a prompt (a passage dressed for a stage) to a problem and its solution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from src.core.errors import UserError
from src.core.records import Example, Problem, Prompt
from src.core.stage import Artifact, StageContext
from src.stages.training import TrainingStage


@dataclass(frozen=True)
class Synthesizer(TrainingStage):
    """Learns from what the teacher wrote: `problems` of every input whose name begins with "distil", joined by id with
    the `prompts` they answer.
    """

    kind: ClassVar[str] = "synthesizer"
    version: ClassVar[int] = 1

    def run(self, ctx: StageContext) -> None:
        examples = self._examples(ctx)
        texts = lambda: (example.prompt + example.response for example in examples)  # noqa: E731
        base = self.model.prepare(ctx.work / "base", texts, self.seed, ctx.cache)
        self.train(ctx, base, examples, "A writer of problems")

    def _examples(self, ctx: StageContext) -> list[Example]:
        """All rows: the teacher's few thousand fit in memory. Counted in the tally as they go."""
        from src.text.synthesis_format import synthesis_prompt, synthesis_response

        problems = [problem for artifact in _distilled(ctx) for problem in artifact.table("problems", Problem)]
        prompts = _prompts(ctx, {problem.prompt_id for problem in problems})
        examples = []
        for problem in problems:
            ctx.tally.enter()
            if (prompt := prompts.get(problem.prompt_id)) is None:
                ctx.tally.reject("prompt_not_found")
                continue
            ctx.tally.keep()
            source = f"round {problem.round}"
            examples.append(Example(problem.id, source, synthesis_prompt(prompt), synthesis_response(problem)))
        return examples


def _distilled(ctx: StageContext) -> Iterator[Artifact]:
    names = sorted(name for name in ctx.inputs if name.startswith("distil"))
    if not names:
        raise UserError(
            f"The synthesizer has nothing to learn from: its inputs are {', '.join(ctx.inputs) or 'none'}.",
            "Give it at least one input whose name begins with 'distil'.",
        )
    return (ctx.inputs[name] for name in names)


def _prompts(ctx: StageContext, wanted: set[str]) -> dict[str, Prompt]:
    return {p.id: p for p in ctx.inputs["prompts"].table("prompts", Prompt) if p.id in wanted}

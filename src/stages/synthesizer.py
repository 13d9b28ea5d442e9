"""Train a data-synthesis model: from a prompt (a passage dressed for a stage) to a problem and its solution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from src.core.errors import UserError
from src.core.records import Example, Problem, Prompt
from src.core.stage import Artifact, Stage, StageContext
from src.modeling.estimate import training_cost
from src.modeling.ranks import is_first
from src.modeling.recipe import Recipe
from src.modeling.sources import ModelSource
from src.modeling.trainer import Trainer
from src.stages.modelcard import write_card


@dataclass(frozen=True)
class Synthesizer(Stage):
    """Learns from what the teacher wrote: `problems` of every input whose name begins with "distil", joined by id with
    the `prompts` they answer. Leaves `model/`.

    expected_tokens: of all rows, read once; for a plan, which has no rows yet.
    """

    kind = "synthesizer"
    version = 1
    heavy = True

    model: ModelSource
    recipe: Recipe
    trainer: Trainer
    seed: int = 0
    expected_tokens: float | None = None

    def estimate(self) -> dict[str, float]:
        return training_cost(self.model, self.recipe, self.trainer, self.expected_tokens)

    def run(self, ctx: StageContext) -> None:
        from src.modeling.training import train

        examples = self._examples(ctx)
        texts = lambda: (example.prompt + example.response for example in examples)  # noqa: E731
        base = self.model.prepare(ctx.work / "base", texts, self.seed, ctx.cache)
        summary = train(
            base,
            examples,
            self.recipe,
            self.trainer,
            ctx.out / "model",
            ctx.work,
            self.seed,
            ctx.log,
            ctx.progress,
            stable=ctx.cache / "stable",
        )
        if is_first():
            name = self.model.title()
            write_card(ctx.out / "model", "A writer of problems", name, ctx.inputs, self.recipe, self.seed, summary)
        ctx.summary.update(summary.scalars())

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

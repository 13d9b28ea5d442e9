"""Train a data-synthesis model: from a prompt (a passage dressed for a stage) to a problem and its solution."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from src.core.records import Example, Problem, Prompt
from src.core.stage import Stage, StageContext
from src.modeling.estimate import training_cost
from src.modeling.ranks import is_first
from src.modeling.recipe import Recipe
from src.modeling.sources import ModelSource
from src.modeling.trainer import Trainer
from src.stages.modelcard import write_card


@dataclass(frozen=True)
class Synthesizer(Stage):
    """Learns from what the teacher wrote: `problems` of every input whose name begins with "distil", joined by id with
    the `prompts` they answer. Leaves `model/`. Without such an input that is the model as it came, untaught.

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
        if any(name.startswith("distil") for name in ctx.inputs):
            self._teach(ctx)
        elif is_first():
            self._hand_on(ctx)

    def _hand_on(self, ctx: StageContext) -> None:
        """The base model in the place of a taught one; a tokenizer that is made here learns from the prompts."""
        from src.modeling.loading import load_model, load_tokenizer, save_model

        texts = lambda: (prompt.text for prompt in ctx.inputs["prompts"].table("prompts", Prompt))  # noqa: E731
        base = self.model.prepare(ctx.work / "base", texts, self.seed, ctx.cache)
        plain = dataclasses.replace(self.recipe, lora=None)
        save_model(load_model(base, "eager"), load_tokenizer(base), plain, ctx.out / "model")

    def _teach(self, ctx: StageContext) -> None:
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

        rounds = [ctx.inputs[name] for name in sorted(ctx.inputs) if name.startswith("distil")]
        problems = [problem for artifact in rounds for problem in artifact.table("problems", Problem)]
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


def _prompts(ctx: StageContext, wanted: set[str]) -> dict[str, Prompt]:
    return {p.id: p for p in ctx.inputs["prompts"].table("prompts", Prompt) if p.id in wanted}

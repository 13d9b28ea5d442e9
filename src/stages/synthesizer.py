"""Train a data-synthesis model: from a prompt (a passage dressed for a stage) to a problem and its solution."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from src.core.errors import UserError
from src.core.records import Example, Problem, Prompt
from src.core.stage import StageContext, Upstream, rows_together
from src.modeling.ranks import is_first
from src.stages.prompts import Prompts
from src.stages.training import TrainingStage, start_of


@dataclass(frozen=True)
class Synthesizer(TrainingStage):
    """Learns from what the teacher wrote: `problems` of every input whose name begins with "distil", joined by id with
    the `prompts` they answer. Without such an input it hands the model on as it came, untaught.
    """

    kind: ClassVar[str] = "synthesizer"
    version: ClassVar[int] = 2

    def rows_read(self, inputs: Mapping[str, Upstream]) -> int | None:
        return rows_together(upstream.rows for name, upstream in inputs.items() if name.startswith("distil"))

    def check_inputs(self, inputs: Mapping[str, Upstream]) -> None:
        """A prompt that fills the sequence leaves no room for the problem that is to be learnt."""
        prompts = inputs["prompts"].stage if "prompts" in inputs else None
        if not isinstance(prompts, Prompts) or not any(name.startswith("distil") for name in inputs):
            return
        room, needed = self.recipe.sequence_length, self.model.fewest_tokens(prompts.prompt_set.shortest)
        if needed >= room:
            raise UserError(
                f"A prompt of form '{prompts.prompt_set.form}' has at least about {needed:,} tokens for the "
                f"synthesizer, whose sequences have {room:,}: no row would be left to train on.",
                "Choose prompt_set.form=brief, a longer synthesizer.recipe.sequence_length, or a larger synthesizer.",
            )

    def run(self, ctx: StageContext) -> None:
        if any(name.startswith("distil") for name in ctx.inputs):
            self.train(ctx, start_of(self.model, ctx), self._examples(ctx), "A writer of problems")
        elif is_first():
            self._hand_on(ctx)

    def _hand_on(self, ctx: StageContext) -> None:
        """The base model in the place of a taught one."""
        from src.modeling.loading import load_model, load_tokenizer, save_model

        base = start_of(self.model, ctx)
        plain = dataclasses.replace(self.recipe, lora=None)
        save_model(load_model(base, "eager"), load_tokenizer(base), plain, ctx.out / "model")

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

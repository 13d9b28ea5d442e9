"""Stages `candidates` and `generate`: the synthesizer writes problems, few to choose among or millions to keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.core.records import Generation, Problem, Prompt, content_id, seed_from, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.generation.base import Generator, Request, Sampling
from src.modeling.estimate import writing_cost
from src.modeling.shape import Shape
from src.stages.asking import Ask, Asking, sampling_by_kind, sampling_for
from src.stages.drawing import check_enough, draw, too_few
from src.text.synthesis_format import synthesis_prompt


@dataclass(frozen=True)
class Generate(Stage):
    """Reads `prompts` and the model of `synthesizer`, writes the table `generations`: raw texts, sorted by id.

    engine: what runs the model.
    sampling: by the prompt's kind, "cot" and "tool".
    prompts: a seeded draw of so many; None takes all.
    samples_per_prompt: texts for each prompt, with seeds of their own.
    max_failed: the share of texts that may fail for good; beyond it the stage stops, and goes on when run again.
    shape, expected_tokens: for a plan: how big the model is, and how much it will write.

    Where `exclude` is among the inputs, prompts for which it holds a problem are left out.
    """

    kind: ClassVar[str] = "generate"
    version: ClassVar[int] = 1
    heavy: ClassVar[bool] = True

    engine: Generator
    sampling: dict[str, Sampling]
    prompts: int | None = None
    samples_per_prompt: int = 1
    data_seed: int = 0
    max_failed: float = field(
        default=0.05, metadata=not_in_key("how much failing is put up with before the stage stops")
    )
    shape: Shape | None = field(
        default=None, metadata=not_in_key("how big the model is, for a plan: its name says which it is")
    )
    expected_tokens: float | None = field(
        default=None, metadata=not_in_key("a guess at rows that are not there yet, for a plan")
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "sampling", sampling_by_kind(self.sampling))
        at_least(self, 1, "prompts", "samples_per_prompt")
        if not 0 <= self.max_failed <= 1:
            raise ValueError(f"max_failed must lie in [0, 1], not {self.max_failed}")

    def check_inputs(self, inputs: Mapping[str, Upstream]) -> None:
        rows, exclude = inputs["prompts"].rows, inputs.get("exclude")
        if rows is not None and exclude is not None and exclude.rows is not None and exclude.rows >= rows:
            raise too_few(
                inputs["prompts"],
                f"The teacher is asked about {exclude.rows:,} prompts before others are chosen",
                "fewer round_1.calls leave some to choose among, and rounds=1 chooses none",
            )
        if self.prompts is not None:
            check_enough(inputs["prompts"], self.prompts, "Texts are to be written", "prompts")

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        prompts = self._prompts_of(inputs)
        return None if prompts is None else prompts * self.samples_per_prompt

    def expecting(self, inputs: Mapping[str, Upstream]) -> Stage:
        prompts = self._prompts_of(inputs)
        if self.expected_tokens is not None or prompts is None:
            return self
        return replace(self, expected_tokens=self.tokens_at_most(prompts))

    def _prompts_of(self, inputs: Mapping[str, Upstream]) -> int | None:
        """How many are written for; None where all are, and nobody has counted them yet."""
        there = inputs["prompts"].rows if inputs["prompts"].counted else None
        return min((n for n in (self.prompts, there) if n is not None), default=None)

    def estimate(self) -> dict[str, float]:
        """`tokens`: those expected, else as if every text is as long as it may be; empty when neither is known."""
        tokens = self.expected_tokens
        if tokens is None and self.prompts is not None:
            tokens = self.tokens_at_most(self.prompts)
        return {} if tokens is None else writing_cost(tokens, self.shape, self.engine.devices)

    @property
    def uncounted(self) -> str:
        return "" if self.estimate() else "as many texts as there are prompts"

    def tokens_at_most(self, prompts: int) -> int:
        """If every text that is written for so many prompts is as long as it may be."""
        return prompts * self.samples_per_prompt * max(sampling.max_tokens for sampling in self.sampling.values())

    def run(self, ctx: StageContext) -> None:
        asked = sum(1 for _ in self._chosen(ctx)) * self.samples_per_prompt
        if not asked:
            raise UserError("There are no prompts to write problems for.", "Is the corpus large enough for all rounds?")
        ctx.tally.enter(asked)
        synthesizer = ctx.inputs.get("synthesizer")
        model = str(synthesizer.path / "model") if synthesizer else None
        asking = Asking(ctx, self.engine.name)
        asking.all(self._asks(ctx), asked, lambda: self.engine.open(model=model, cache=ctx.cache))
        asking.settle(asked, self.max_failed)
        write_table(ctx.out / "generations", Generation, _counted(ctx, asking))
        ctx.summary["tokens_per_second"] = asking.tokens_per_second

    def _chosen(self, ctx: StageContext) -> Iterator[Prompt]:
        excluded: set[str] = set()
        if "exclude" in ctx.inputs:
            excluded = {problem.prompt_id for problem in ctx.inputs["exclude"].table("problems", Problem)}

        def open_to_draw() -> Iterator[Prompt]:
            return (p for p in ctx.inputs["prompts"].table("prompts", Prompt) if p.id not in excluded)

        return draw(open_to_draw, self.prompts, self.data_seed)

    def _asks(self, ctx: StageContext) -> Iterator[Ask]:
        for prompt in self._chosen(ctx):
            context = {"stage": prompt.stage, "kind": prompt.kind, "passage": prompt.text}
            sampling, text = sampling_for(prompt, self.sampling), synthesis_prompt(prompt)
            for sample in range(self.samples_per_prompt):
                id = content_id("generate", prompt.id, sample)
                yield prompt, Request(id, text, seed_from(self.data_seed, id), sampling, context)


def _counted(ctx: StageContext, asking: Asking) -> Iterator[Generation]:
    reasons: Counter[str] = Counter()
    tokens = 0
    for text, _ in asking.answers():
        ctx.tally.keep()
        tokens += text.tokens
        reasons[text.finish_reason] += 1
        yield text
    ctx.summary["tokens"] = tokens
    for reason, n in reasons.items():
        ctx.summary[f"finish/{reason}"] = n / reasons.total()

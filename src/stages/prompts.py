"""Stage `prompts`: every passage dressed for one education stage, or for several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from src.core.records import Passage, Prompt, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.prompts.sets import PromptSet


@dataclass(frozen=True)
class Prompts(Stage):
    """Reads `passages`, writes the table `prompts`.

    data_seed: another seed draws other stages for the same passages.
    per_passage: prompts for each passage, all of different stages.
    """

    kind: ClassVar[str] = "prompts"
    version: ClassVar[int] = 1

    prompt_set: PromptSet
    data_seed: int = 0
    per_passage: int = 1

    def __post_init__(self) -> None:
        most = len(self.prompt_set.drawn_stages)
        if not 1 <= self.per_passage <= most:
            raise ValueError(
                f"per_passage must lie in 1..{most}, the number of stages in the prompt set, not {self.per_passage}"
            )

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        passages = inputs["passages"].rows
        return None if passages is None else passages * self.per_passage

    def run(self, ctx: StageContext) -> None:
        passages = ctx.inputs["passages"]
        total = passages.count("passages") * self.per_passage
        with ctx.progress("writing prompts", total=total, unit="prompts") as bar:
            write_table(ctx.out / "prompts", Prompt, self._prompts(ctx, bar.advance))

    def _prompts(self, ctx: StageContext, advance: Callable[[], None]) -> Iterator[Prompt]:
        for passage in ctx.inputs["passages"].table("passages", Passage):
            for prompt in self.prompt_set.prompts(passage, self.data_seed, self.per_passage):
                ctx.tally.enter()
                ctx.tally.keep()
                ctx.summary[f"stage/{prompt.stage}"] = ctx.summary.get(f"stage/{prompt.stage}", 0) + 1
                advance()
                yield prompt

"""Stages `distill_1` and `distill_2`: a teacher writes problems with worked solutions for chosen passages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal

from src.core.errors import UserError
from src.core.records import Generation, Passage, Problem, Prompt, content_id, seed_from, write_table
from src.core.stage import Stage, StageContext
from src.generation.base import Generator, Request, Sampling
from src.generation.budget import dollars
from src.stages.asking import Ask, Asking, sampling_by_kind, sampling_for
from src.stages.drawing import draw
from src.text.parsing import ParsedProblem, Rejection, parse_generation, to_problem

# For `plan=true` alone: a prompt of the paper's (a 1,000-character passage and its guidelines).
TOKENS_A_PROMPT = 700


@dataclass(frozen=True)
class Distil(Stage):
    """Reads `prompts`, writes the table `problems` and, when calls failed, `dead_letter.jsonl`.

    teacher: who writes.
    calls: how many prompts it is asked, once each; `share`: only so many of them, for studies of the teacher's bill.
    sampling: by the prompt's kind, "cot" and "tool".
    round: 1 draws prompts to initialise the synthesizer, 2 takes those that selection put first.
    order: "draw" takes a seeded draw, "rank" the first ones.
    require_answer: whether a problem without a boxed answer is rejected.
    max_failed: the share of calls that may fail for good; beyond it the stage stops, and goes on when run again.

    Where `passages` is among the inputs, the teacher is told the passage apart from the prompt.
    """

    kind: ClassVar[str] = "distil"
    version: ClassVar[int] = 1

    teacher: Generator
    calls: int
    sampling: dict[str, Sampling]
    share: float = 1.0
    round: int = 1
    data_seed: int = 0
    order: Literal["draw", "rank"] = "draw"
    require_answer: bool = True
    max_failed: float = 0.05

    def __post_init__(self) -> None:
        object.__setattr__(self, "sampling", sampling_by_kind(self.sampling))
        if self.calls < 1:
            raise ValueError(f"calls must be at least 1, not {self.calls}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], not {self.share}")
        if self.round < 1:
            raise ValueError(f"round must be at least 1, not {self.round}")
        if self.order not in ("draw", "rank"):
            raise ValueError(f"order must be draw or rank, not {self.order}")
        if not 0 <= self.max_failed <= 1:
            raise ValueError(f"max_failed must lie in [0, 1], not {self.max_failed}")

    @property
    def asked(self) -> int:
        return max(1, round(self.share * self.calls))

    def estimate(self) -> dict[str, float]:
        """`dollars` is what it costs if every text is as long as it may be."""
        longest = max(sampling.max_tokens for sampling in self.sampling.values())
        cost = dollars(self.teacher, self.asked * TOKENS_A_PROMPT, self.asked * longest)
        return {"calls": self.asked, **({"dollars": cost} if cost else {})}

    def run(self, ctx: StageContext) -> None:
        prompts = list(self._chosen(ctx))
        if not prompts:
            raise UserError("There are no prompts for the teacher.", "Is the corpus empty, or was all of it rejected?")
        passages = _passages(ctx, prompts)
        ctx.tally.enter(len(prompts))
        asking = Asking(ctx, self.teacher.name, durable=True)
        asking.all(
            (self._ask(prompt, passages) for prompt in prompts),
            total=len(prompts),
            start=lambda: self.teacher.open(model=None, cache=ctx.cache),
        )
        asking.settle(len(prompts), self.max_failed)
        ctx.summary["calls"] = len(prompts)
        write_table(ctx.out / "problems", Problem, self._problems(ctx, asking))
        tokens = ctx.summary["prompt_tokens"], ctx.summary["completion_tokens"]
        ctx.summary["dollars"] = dollars(self.teacher, int(tokens[0]), int(tokens[1]))

    def _chosen(self, ctx: StageContext) -> Iterator[Prompt]:
        source = ctx.inputs["prompts"]
        if self.order == "rank":
            return islice(source.table("prompts", Prompt), self.asked)
        return draw(lambda: source.table("prompts", Prompt), self.asked, self.data_seed)

    def _ask(self, prompt: Prompt, passages: dict[str, str]) -> Ask:
        id = content_id("distil", self.round, prompt.id)
        context = {"stage": prompt.stage, "kind": prompt.kind, "passage": passages.get(prompt.passage_id, prompt.text)}
        seed = seed_from(self.data_seed, id)
        return prompt, Request(id, prompt.text, seed, sampling_for(prompt, self.sampling), context)

    def _problems(self, ctx: StageContext, asking: Asking) -> Iterator[Problem]:
        ctx.summary |= {"prompt_tokens": 0, "completion_tokens": 0}
        for text, prompt_tokens in asking.answers():
            ctx.summary["prompt_tokens"] += prompt_tokens
            ctx.summary["completion_tokens"] += text.tokens
            parsed = self._read(text)
            if isinstance(parsed, Rejection):
                ctx.tally.reject(parsed.reason)
                continue
            ctx.tally.keep()
            yield to_problem(text, parsed, self.round)

    def _read(self, text: Generation) -> ParsedProblem | Rejection:
        parsed = parse_generation(text.text, text.kind)
        if isinstance(parsed, ParsedProblem) and self.require_answer and parsed.answer is None:
            parsed = Rejection("no boxed answer")
        if isinstance(parsed, Rejection) and text.finish_reason == "length":
            return Rejection("cut off at the token limit")
        return parsed


def _passages(ctx: StageContext, prompts: list[Prompt]) -> dict[str, str]:
    if "passages" not in ctx.inputs:
        return {}
    wanted = {prompt.passage_id for prompt in prompts}
    return {p.id: p.text for p in ctx.inputs["passages"].table("passages", Passage) if p.id in wanted}

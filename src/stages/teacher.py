"""What stages have in common that ask a teacher one kind of question many times."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from src.core.checks import at_least
from src.core.fingerprint import not_in_key
from src.core.records import Generation, Prompt, seed_from
from src.core.stage import Stage, StageContext
from src.generation.base import Generator, Request, Sampling
from src.generation.budget import dollars
from src.stages.asking import Ask, Asking

CUT_OFF = "cut off at the token limit"
BEYOND_CALLS = "not asked about: `calls` are used up"


@dataclass(frozen=True, kw_only=True)
class AsksTeacher(Stage):
    """Options of every such stage.

    teacher: who is asked; sampling: how it writes.
    calls: how often it is asked at most; None: as often as there are rows. Which rows are left out then, their ids
        decide.
    max_failed: the share of calls that may fail for good; beyond it the stage stops, and goes on when run again.
    """

    teacher: Generator
    sampling: Sampling
    calls: int | None = None
    data_seed: int = 0
    max_failed: float = field(
        default=0.05, metadata=not_in_key("how much failing is put up with before the stage stops")
    )

    tokens_a_prompt: ClassVar[int]  # for `plan=true` alone

    def __post_init__(self) -> None:
        at_least(self, 1, "calls")
        if not 0 <= self.max_failed <= 1:
            raise ValueError(f"max_failed must lie in [0, 1], not {self.max_failed}")

    def check_calls(self, a_row: int, option: str) -> None:
        """Raises ValueError where the calls do not reach for one row."""
        if self.calls is not None and self.calls < a_row:
            raise ValueError(f"calls must be at least {option}={a_row}, which a single row takes, not {self.calls}")

    @property
    @abstractmethod
    def task(self) -> str:
        """What the procedural teacher is told that it is asked for."""

    def estimate(self) -> dict[str, float]:
        """`dollars` is what it costs if every text is as long as it may be; empty where `calls` is None, see
        `uncounted`."""
        if self.calls is None:
            return {}
        cost = dollars(self.teacher, self.calls * self.tokens_a_prompt, self.calls * self.sampling.max_tokens)
        return {"calls": self.calls, **({"dollars": cost} if cost else {})}

    @property
    def uncounted(self) -> str:
        return "a call or more for each row" if self.calls is None else ""

    def ask(self, prompt: Prompt, id: str, text: str, **context: str) -> Ask:
        """A request for `text`, with what a teacher that reads no prose needs to know."""
        context |= {"task": self.task, "stage": prompt.stage, "kind": prompt.kind}
        return prompt, Request(id, text, seed_from(self.data_seed, id), self.sampling, context)

    def texts(self, ctx: StageContext, asks: Iterable[Ask], total: int, tallied: bool = True) -> Iterator[Generation]:
        """What the teacher wrote, sorted by id, once all was asked; failures are settled and the bill is written down.

        tallied: whether the stage counts its rows in calls, so that a failed one is a row lost.
        """
        asking = Asking(ctx, self.teacher.name)
        asking.all(asks, total, lambda: self.teacher.open(model=None, cache=ctx.cache))
        asking.settle(total, self.max_failed, tallied)
        prompt_tokens = completion_tokens = 0
        for text, of_prompt in asking.answers():
            prompt_tokens, completion_tokens = prompt_tokens + of_prompt, completion_tokens + text.tokens
            yield text
        ctx.summary |= {"calls": total, "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        ctx.summary["dollars"] = dollars(self.teacher, prompt_tokens, completion_tokens, asking.cached_tokens)

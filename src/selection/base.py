"""What a selector is: something that ranks candidates, and a rule that says how many of them are taken.

A candidate is an `Example` in the pre-training format whose id is its prompt's id: choosing it means that the prompt
goes to the teacher. Every selector with the same rule takes the same number, so that the arms of a study spend the
same number of teacher calls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from src.core.progress import Progress
from src.core.records import Example, Score
from src.modeling.trainer import Trainer

OVERALL = "overall"


@runtime_checkable
class Target(Protocol):
    """What influence is measured on: a benchmark that can show examples of its training or dev split."""

    def dev_examples(self) -> Iterator[Example]:
        """Worked examples in the pre-training format, never of the test split. `UserError` when there are none."""
        ...


@dataclass(frozen=True)
class Reference:
    """What a selector may use besides the candidates.

    model: the reference model, a Hugging Face folder. work: survives a kill, deleted at the end of the stage. cache:
    shared by all runs, for things keyed by their content. trainer: where training runs. seed: of whatever is trained.
    log(values, step): curves.
    """

    model: Path
    work: Path
    cache: Path
    trainer: Trainer = field(default_factory=Trainer)
    seed: int = 0
    log: Callable[[Mapping[str, float], int], None] = lambda values, step: None
    progress: Callable[..., Progress] = Progress


@dataclass(frozen=True)
class Ranking:
    """What a selector found out.

    scores: per candidate one "overall" and, where the selector has targets, one per target. skipped: candidates that
    have no score, and why. loss: the reference model's mean loss on each response, where it was measured. facts:
    numbers for the stage's summary.
    """

    scores: list[Score]
    skipped: dict[str, str] = field(default_factory=dict)
    loss: dict[str, float] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)

    def order(self) -> list[tuple[str, float]]:
        """(id, overall score), best first; ties by id."""
        overall = ((score.id, score.value) for score in self.scores if score.target == OVERALL)
        return sorted(overall, key=lambda pair: (-pair[1], pair[0]))


@dataclass(frozen=True, kw_only=True)
class Selector(ABC):
    """Subclasses are frozen dataclasses of options. Exactly one rule is set:

    fraction: this share of all candidate prompts, rounded, parsable or not: the teacher's bill does not depend on how
    well the synthesizer writes. top_k: this many. threshold: every candidate whose overall score is at least this.
    """

    fraction: float | None = None
    top_k: int | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        rules = {"fraction": self.fraction, "top_k": self.top_k, "threshold": self.threshold}
        given = [name for name, value in rules.items() if value is not None]
        if len(given) != 1:
            raise ValueError(f"set exactly one of fraction, top_k and threshold, not {' and '.join(given) or 'none'}")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise ValueError(f"fraction must lie in (0, 1], not {self.fraction}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {self.top_k}")

    @abstractmethod
    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        """Score the candidates, given in the order of the corpus. The result must not depend on that order, unless
        the order is what the selector ranks by."""

    def wanted(self, prompts: int) -> int | None:
        """How many prompts of so many are taken; None when the scores decide (threshold)."""
        if self.threshold is not None:
            return None
        return min(prompts, self.top_k if self.top_k is not None else max(1, round((self.fraction or 0) * prompts)))

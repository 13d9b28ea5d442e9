"""What every decoding has: its options, the candidates that it finds, the compute that it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from src.core.checks import at_least
from src.core.journal import Journal
from src.core.progress import Progress
from src.evaluation.decoding.rewards import Judge, RewardModel, StepScorer
from src.evaluation.program_pool import ProgramPool
from src.evaluation.requests import Answer, Opener, PlannedQuestion
from src.modeling.flops import FORWARD
from src.modeling.shape import Shape


@dataclass(slots=True)
class DecodingCompute:
    """What one question took.

    generated: tokens that the model wrote. prompt: tokens of the question, which a prefix cache reads once however
    many texts go on from it. scored: tokens that the reward model read. seconds: its share of the time of all.
    """

    generated: int = 0
    prompt: int = 0
    scored: int = 0
    seconds: float = 0.0

    def flops(self, model: Shape | None, reward: Shape | None) -> float | None:
        """2 N operations for each token of a pass forward, N being the parameters that meet a token in a matrix product
        (arXiv 2001.08361; training takes 6 N). None where the size of a model that worked is not known."""
        if model is None or (self.scored and reward is None):
            return None
        scored = self.scored * reward.working_parameters if reward else 0.0
        return FORWARD * ((self.generated + self.prompt) * model.working_parameters + scored)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A complete answer. value: of its steps' rewards, in [0, 1]; rank: its tree prefers the highest; tree, path: where
    it lies."""

    answer: Answer
    value: float = 1.0
    rank: float = 0.0
    tree: int = 0
    path: tuple[int, ...] = ()


@dataclass(frozen=True)
class Decoded:
    """What a decoding made of one question: at least one candidate; of a search every node, ready for JSON."""

    candidates: tuple[Candidate, ...]
    compute: DecodingCompute
    nodes: tuple[dict[str, Any], ...] = ()

    @property
    def cut_off(self) -> bool:
        """Whether all candidates met a limit, so that none is complete."""
        return all(candidate.answer.finish_reason == "length" for candidate in self.candidates)


@dataclass(frozen=True)
class Resources:
    """What a decoding works with. The engine and the reward model are opened when they are needed, and only then."""

    open_session: Opener
    open_scorer: Callable[[], AbstractContextManager[StepScorer]]
    journal: Journal
    progress: Progress
    pool: ProgramPool


@dataclass(frozen=True, kw_only=True)
class Decoding(ABC):
    """An option of the `decoding` group.

    samples: complete answers to a question, or the tokens of so many for a search. temperature: that they are drawn at.
        None takes what the evaluation has.
    """

    samples: int | None = None
    temperature: float | None = None

    reads_steps: ClassVar[bool] = False  # it goes on from partial answers, which programs cannot be part of

    def __post_init__(self) -> None:
        at_least(self, 1, "samples")
        at_least(self, 0, "temperature")

    def resolved(self, samples: int, temperature: float) -> Decoding:
        """The same with nothing left to the evaluation, whose values these are."""
        return replace(
            self,
            samples=samples if self.samples is None else self.samples,
            temperature=temperature if self.temperature is None else self.temperature,
        )

    @property
    def size(self) -> int:
        """The samples of a resolved decoding."""
        assert self.samples is not None, "the decoding is resolved first"
        return self.samples

    @property
    def planned(self) -> int:
        """How many requests begin a question."""
        return self.size

    @property
    def reward_model(self) -> RewardModel | None:
        """The one that it asks; None for a decoding without."""
        return None

    @property
    def limits(self) -> str:
        """The options that may end every answer to a question before it is complete."""
        return "max_tokens"

    @abstractmethod
    def decode(self, plan: Sequence[PlannedQuestion], resources: Resources) -> list[Decoded]:
        """One result a question, in the plan's order. What is in the journal is not asked again."""

    def rank(self, path: tuple[int, ...], value: float) -> float:
        """Of a complete answer there, among those of its tree."""
        return 0.0

    @abstractmethod
    def choose(self, keys: Sequence[str | None], candidates: Sequence[Candidate]) -> int | None:
        """The candidate that is the answer; None where every one counts, and accuracy is their mean.

        keys: tell the candidates' answers apart; None where none could be read.
        """


@dataclass(frozen=True, kw_only=True)
class Rewarded(Decoding):
    """A decoding that asks a process reward model.

    reward: a folder that the stage `reward` wrote, or a name on the hub; None: the one that this run trains, which an
        evaluation alone does not.
    judge: by "labels", which a reward model is trained to give; by "classes", of a head of its own; or by "likelihood",
        what a model would have written itself; without `reward` that is then the model that answers.
    """

    reward: RewardModel | str | None = field(default=None)
    judge: Judge = "labels"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.judge == "classes" and self.reward is None:
            raise ValueError("judge=classes asks the classes of a reward model's head: name one by decoding.reward")
        if isinstance(self.reward, RewardModel) and self.judge not in ("labels", self.reward.judge):
            raise ValueError(f"judge={self.judge} is of a reward that is but named: set decoding.reward.judge instead")
        if isinstance(self.reward, str):
            object.__setattr__(self, "reward", RewardModel(self.reward, judge=self.judge))

    @property
    def reward_model(self) -> RewardModel | None:
        assert not isinstance(self.reward, str)
        return self.reward

"""Process reward models: which there are, and what is asked of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from src.core.errors import UserError
from src.core.hub import commit, model_folder, model_identity
from src.evaluation.prompting import CORPUS_PROMPT
from src.modeling.shape import Shape
from src.modeling.sources import weights_and_tokenizer

if TYPE_CHECKING:
    from src.evaluation.decoding.scorer import PackedScorer

LABELS = ("+", "-")
TITLE = "A process reward model"  # of the card that the stage `reward` leaves in a model's folder
READING = 4  # raise it when decodings by rewards come out differently: it is part of their key
Judge = Literal["labels", "likelihood", "classes"]


@dataclass(frozen=True, slots=True)
class Partial:
    """A solution as far as it goes. Rewards are asked of steps[first:]."""

    question: str
    steps: tuple[str, ...]
    first: int = 0


@dataclass(frozen=True, slots=True)
class Scores:
    """The rewards in [0, 1] of the steps that were asked, and the tokens that were read for them."""

    rewards: tuple[float, ...]
    tokens: int


class StepScorer(ABC):
    """A live reward model. Use it in a `with` block."""

    @abstractmethod
    def score(self, partials: Sequence[Partial]) -> list[Scores]:
        """In their order; each depends on its own partial solution alone."""

    def close(self) -> None:  # noqa: B027  a scorer that holds nothing has nothing to free
        """Free what it holds."""

    def __enter__(self) -> StepScorer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@dataclass(frozen=True)
class RewardModel:
    """A language model that rewards steps.

    judge: by "labels" it says after each step whether it is a good one: the reward is the probability of the first
      label where only the two labels can follow (Wang et al. 2023, arXiv 2312.08935). By "classes" a head of its own
      says so, of whose two classes the second is the good one (Zhang et al. 2025, arXiv 2501.07301). By "likelihood" it
      says what it would have written itself: the probability that it gives the step's least likely token.
    model: a Hugging Face folder or name; the folder of a stage `reward` will do.
    prompt: what stands before the steps, with {question}; step: how one step stands there, with {step}, its last token
      being where the reward is read; between: what stands between two steps.
    labels: of a good and of a bad step, one token each.
    batch_tokens: read at once.
    """

    model: str
    prompt: str = CORPUS_PROMPT
    step: str = "{step}\n"
    between: str = ""
    labels: tuple[str, str] = LABELS
    batch_tokens: int = 8_192
    judge: Judge = "labels"

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        if len(self.labels) != 2 or self.labels[0] == self.labels[1]:
            raise ValueError(f"labels must be two different texts, not {list(self.labels)}")
        for name in ("prompt", "step"):
            slot = "{question}" if name == "prompt" else "{step}"
            if slot not in getattr(self, name):
                raise ValueError(f"{name} must hold {slot}")

    @property
    def place(self) -> str:
        """The model's folder or name, wherever in a stage's folder it lies."""
        return str(self._folder or self.model)

    @property
    def _folder(self) -> Path | None:
        if (folder := model_folder(self.model)) is None:
            return None
        return inner if (inner := folder / "model").is_dir() else folder

    def pinned(self) -> RewardModel:
        """Itself. Raises UserError where answers would be written first, and rated never or by chance: nobody knows a
        model of this name on the hub, or a folder holds none that has learnt labels. One that is asked in words of its
        own, as published ones are, and a name on the hub are taken for what they are said to be."""
        if model_folder(self.model) is None:
            instead = "name a local folder, or a published one: +decoding/reward=math_shepherd"
            commit(self.model, "model", instead=instead)
        elif replace(self, model="", batch_tokens=RewardModel.batch_tokens) == RewardModel("") and not self._is_ours:
            raise UserError(
                f"The model {self.model} has not learnt to reward steps: it has no README.md of the stage 'reward'.",
                "To train one: python -m src.train method=reward model=hf model.name=DIR. Any model is asked with "
                "decoding.judge=likelihood, one with a head of two classes with decoding.judge=classes, one with "
                "labels of its own with options as in conf/decoding/reward/math_shepherd.yaml.",
            )
        return self

    @property
    def _is_ours(self) -> bool:
        card = Path(self.place) / "README.md"
        return card.is_file() and f"# {TITLE}\n" in card.read_text(encoding="utf-8", errors="replace")

    def identity(self) -> dict[str, str]:
        """The files of a local folder, or the commit on the hub."""
        return weights_and_tokenizer(self._folder) if self._folder else model_identity(self.model)

    def size(self) -> Shape | None:
        return Shape.of_folder(self._folder) if self._folder else None

    def text(self, question: str, steps: Sequence[str]) -> str:
        """What the model reads; a label would be next."""
        written = self.between.join(self.step.replace("{step}", step) for step in steps)
        return self.prompt.replace("{question}", question) + written

    def open(self) -> PackedScorer:
        """Raises UserError where the model cannot be loaded, a label is no single token of it, or it has no classes."""
        from src.evaluation.decoding.scorer import ClassScorer, LabelScorer, LikelihoodScorer

        scorers: dict[Judge, Callable[[RewardModel], PackedScorer]]
        scorers = {"labels": LabelScorer, "classes": ClassScorer, "likelihood": LikelihoodScorer}
        return scorers[self.judge](self)


def steps_of(text: str, delimiter: str = "\n") -> tuple[str, ...]:
    """The steps of a solution: its parts between delimiters that are not blank."""
    return tuple(part for part in text.split(delimiter) if part.strip())

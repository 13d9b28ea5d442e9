"""What the stages that train a model share: their options, where they start from, the call, the model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from src.core.fingerprint import not_in_key
from src.core.records import Example
from src.core.stage import Stage, StageContext, Tally, Upstream
from src.modeling.estimate import tokens_read, training_cost
from src.modeling.ranks import is_first
from src.modeling.recipe import Recipe
from src.modeling.sources import ModelSource
from src.modeling.trainer import Trainer
from src.stages.modelcard import write_card

if TYPE_CHECKING:
    from src.modeling.rows import TokenCorpus
    from src.modeling.training import TrainingSummary


@dataclass(frozen=True)
class TrainingStage(Stage):
    """Trains `model` by `recipe` and leaves `model/`, a Hugging Face folder with its card.

    expected_tokens, tokens_a_row: of all rows, read once, or of each; for a plan, which has no rows yet.
    """

    heavy: ClassVar[bool] = True

    model: ModelSource
    recipe: Recipe
    trainer: Trainer = field(metadata=not_in_key("where a training runs; the global batch is in the recipe"))
    seed: int = 0
    expected_tokens: float | None = field(
        default=None, metadata=not_in_key("a guess at rows that are not there yet, for a plan")
    )
    tokens_a_row: float | None = field(
        default=None, metadata=not_in_key("a guess at rows that are not there yet, for a plan")
    )

    def rows_read(self, inputs: Mapping[str, Upstream]) -> int | None:
        """How many rows there are to learn from at most; None where nobody knows before the run."""
        return None

    def expecting(self, inputs: Mapping[str, Upstream]) -> Stage:
        rows = self.rows_read(inputs)
        if self.expected_tokens is not None or rows is None or (rows and self.tokens_a_row is None):
            return self
        return replace(self, expected_tokens=rows * (self.tokens_a_row or 0.0))

    def estimate(self) -> dict[str, float]:
        return training_cost(self.model, self.recipe, self.trainer, self.expected_tokens)

    @property
    def uncounted(self) -> str:
        return "" if tokens_read(self.recipe, self.expected_tokens) is not None else "as many tokens as its rows have"

    def train(
        self, ctx: StageContext, base: str, data: list[TokenCorpus] | Iterable[Example], title: str
    ) -> TrainingSummary:
        """Train `base`, a prepared `self.model`. A killed stage goes on from its last checkpoint in `ctx.work`."""
        from src.modeling.training import train

        summary = train(
            base,
            data,
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
            write_card(ctx.out / "model", title, self.model.title(), ctx.inputs, self.recipe, self.seed, summary)
        ctx.summary.update(summary.scalars())
        return summary


def start_of(model: ModelSource, ctx: StageContext) -> str:
    """The model that training starts from: what the input "base" made of `model`, or `model` as it comes."""
    if "base" in ctx.inputs:
        return str(ctx.inputs["base"].path / "model")
    assert not model.made_here, "the graph gives a model that is made here a base"
    return model.prepare(ctx.work / "made", list, 0, ctx.cache)


def count(tally: Tally, rows: Mapping[str, int]) -> None:
    """Enter a training's rows by what became of them; a shortened row is kept."""
    tally.enter(rows["rows"])
    tally.keep(rows["kept"])
    for reason, n in rows.items():
        if reason.startswith("dropped_") or reason == "held_out":
            tally.reject(reason.removeprefix("dropped_"), n)

"""What a model made in the run reads before the method begins, so that it comes to it as others come trained."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from src.core.stage import StageContext
from src.modeling.ranks import is_first
from src.stages.sft import NoSFT, SFTSet
from src.stages.training import TrainingStage, count


@dataclass(frozen=True)
class Base(TrainingStage):
    """Makes `model`, with a tokenizer of its own, and trains it on `reading`; `untrained` leaves it at that.

    Nothing of the run enters, so that all runs on a machine share it.
    """

    kind: ClassVar[str] = "base"
    version: ClassVar[int] = 1

    reading: SFTSet = field(default_factory=NoSFT)
    untrained: bool = False

    def run(self, ctx: StageContext) -> None:
        from src.modeling.rows import Corpus

        made = self.model.prepare(ctx.work / "made", self._texts, self.seed, ctx.cache)
        if self.untrained:
            if is_first():
                shutil.copytree(made, ctx.out / "model", dirs_exist_ok=True)
            return
        summary = self.train(ctx, made, [Corpus("reading", self.reading.examples)], "A base model")
        count(ctx.tally, summary.rows)

    def estimate(self) -> dict[str, float]:
        return {} if self.untrained else super().estimate()

    def _texts(self) -> Iterator[str]:
        return (example.prompt + example.response for example in self.reading.examples())

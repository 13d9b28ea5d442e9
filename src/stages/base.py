"""What a model made in the run reads before the method begins, so that it comes to it as others come trained."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from src.core.records import Passage
from src.core.stage import StageContext, Upstream
from src.corpus.base import Reader
from src.modeling.ranks import is_first
from src.stages.sft import NoSFT, SFTSet
from src.stages.training import TrainingStage, count

ROWS_A_TEXT, TEXT_CHARS = 12, 500  # of the tokenizer's texts: a quarter are words


@dataclass(frozen=True)
class Base(TrainingStage):
    """Makes `model`, with a tokenizer of its own, and trains it on `reading`; `untrained` leaves it at that.

    words: texts for the tokenizer alone, the start of one for every twelve rows, so that the words of mathematics are
      few tokens too. Nothing of the run enters, so that all runs on a machine share it.
    """

    kind: ClassVar[str] = "base"
    version: ClassVar[int] = 2

    reading: SFTSet = field(default_factory=NoSFT)
    words: Reader | None = None
    untrained: bool = False

    def run(self, ctx: StageContext) -> None:
        from src.modeling.rows import TokenCorpus

        made = self.model.prepare(ctx.work / "made", self._texts, self.seed, ctx.cache)
        if self.untrained:
            if is_first():
                shutil.copytree(made, ctx.out / "model", dirs_exist_ok=True)
            return
        summary = self.train(ctx, made, [TokenCorpus("reading", self.reading.examples)], "A base model")
        count(ctx.tally, summary.rows)

    def rows_read(self, inputs: Mapping[str, Upstream]) -> int | None:
        return 0 if self.untrained else self.reading.rows_at_most

    def estimate(self) -> dict[str, float]:
        return {} if self.untrained else super().estimate()

    def _texts(self) -> Iterator[str]:
        words = _passages(self.words) if self.words else iter(())
        for number, example in enumerate(self.reading.examples(), start=1):
            yield example.prompt + example.response
            if number % ROWS_A_TEXT == 0 and (text := next(words, None)):
                yield text


def _passages(reader: Reader) -> Iterator[str]:
    return (found.text[:TEXT_CHARS] for found in reader.read() if isinstance(found, Passage))

"""Continual pre-training on the synthesised corpus, a fine-tuning set read last, in order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from src.core.records import Example, Problem
from src.core.stage import Stage, StageContext
from src.modeling.ranks import is_first
from src.modeling.recipe import Recipe
from src.modeling.sources import ModelSource
from src.modeling.trainer import Trainer
from src.stages.sft import NoSFT, SFTSet


@dataclass(frozen=True)
class Pretrain(Stage):
    """Reads the `problems` of the input "corpus", natural language and tool mixed, in the recipe's order; then `sft`.

    Under a WSD schedule the fine-tuning set falls mostly into the decay. Leaves `model/`, and what it started from:
    `base/` for a model made here, `base.txt` with its name or folder for any other.
    """

    kind = "pretrain"
    version = 1
    heavy = True

    model: ModelSource
    recipe: Recipe
    trainer: Trainer
    sft: SFTSet = field(default_factory=NoSFT)
    seed: int = 0

    def run(self, ctx: StageContext) -> None:
        from src.modeling.rows import Corpus
        from src.modeling.training import train

        made = ctx.work / "base"
        base = self.model.prepare(made, lambda: self._texts(ctx), self.seed, ctx.cache)
        corpora = [Corpus("corpus", lambda: _corpus(ctx)), Corpus("sft", self.sft.examples, order="in_order")]
        summary = train(
            base, corpora, self.recipe, self.trainer, ctx.out / "model", ctx.work, self.seed, ctx.log, ctx.progress
        )
        if is_first():
            self._keep_base(ctx, made, base)
        self._count(ctx, summary.rows)
        ctx.summary.update(summary.scalars())

    def _texts(self, ctx: StageContext) -> Iterator[str]:
        """What a tokenizer made here is trained on: rows of both sets in turn, for it may read only the front."""
        streams = [_corpus(ctx), self.sft.examples()]
        while streams:
            for stream in list(streams):
                if (example := next(stream, None)) is None:
                    streams.remove(stream)
                else:
                    yield example.prompt + example.response

    def _keep_base(self, ctx: StageContext, made: Path, base: str) -> None:
        if made.exists():
            shutil.copytree(made, ctx.out / "base", dirs_exist_ok=True)
        else:
            (ctx.out / "base.txt").write_text(base + "\n")

    def _count(self, ctx: StageContext, rows: dict[str, int]) -> None:
        ctx.tally.enter(rows["rows"])
        ctx.tally.keep(rows["kept"])
        for reason, n in rows.items():
            if reason.startswith("dropped_"):
                ctx.tally.reject(reason.removeprefix("dropped_"), n)


def _corpus(ctx: StageContext) -> Iterator[Example]:
    from src.text.parsing import format_pretraining

    for problem in ctx.inputs["corpus"].table("problems", Problem):
        prompt, response = format_pretraining(problem)
        yield Example(problem.id, f"{problem.stage} {problem.kind}", prompt, response)

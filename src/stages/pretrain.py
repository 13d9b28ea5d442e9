"""Continual pre-training on the synthesised corpus, a fine-tuning set read last, in order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

from src.cleaning.gate import Unchecked, gate
from src.core.records import Example, Problem
from src.core.stage import StageContext
from src.modeling.ranks import is_first
from src.stages.packs import write_packs
from src.stages.sft import NoSFT, SFTSet
from src.stages.training import TrainingStage
from src.text.contamination import AsksQuestions


@dataclass(frozen=True)
class Pretrain(TrainingStage):
    """Reads the `problems` of the input "corpus", natural language and tool mixed, in the recipe's order; then `sft`.

    Further inputs whose names begin with "corpus" are corpora too; phases of the recipe weigh all of them by name.
    Under a WSD schedule the fine-tuning set falls mostly into the decay. Beside `model/` it leaves what training
    started from, `base/` for a model made here, `base.txt` with its name or folder for any other; and `packs`, which
    says for each row in which sequences it was read.

    benchmarks: what the student will be asked; a corpus that was not checked against it is refused, or with
        unchecked "allow" read all the same (`unchecked_questions` in the summary says so).
    """

    kind: ClassVar[str] = "pretrain"
    version: ClassVar[int] = 2

    sft: SFTSet = field(default_factory=NoSFT)
    benchmarks: dict[str, AsksQuestions] = field(default_factory=dict)
    unchecked: Unchecked = "refuse"

    def run(self, ctx: StageContext) -> None:
        from src.modeling.rows import Corpus

        ctx.summary.update(gate({n: ctx.inputs[n].path for n in _names(ctx)}, self.benchmarks, self.unchecked))
        made = ctx.work / "base"
        base = self.model.prepare(made, lambda: self._texts(ctx), self.seed, ctx.cache)
        corpora = [Corpus(name, partial(_rows, ctx, name)) for name in _names(ctx)]
        corpora += [Corpus(name, rows, order="in_order") for name, rows in self.sft.corpora().items()]
        summary = self.train(ctx, base, corpora, "A student")
        if is_first():
            self._keep_base(ctx, made, base)
            orders = [corpus.order or self.recipe.order for corpus in corpora]
            write_packs(ctx.out / "packs", ctx.work, self.recipe, orders, self.seed)
        self._count(ctx, summary.rows)

    def _texts(self, ctx: StageContext) -> Iterator[str]:
        """What a tokenizer made here is trained on: rows of both sets in turn, for it may read only the front."""
        streams = [*(_rows(ctx, name) for name in _names(ctx)), self.sft.examples()]
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
            if reason.startswith("dropped_") or reason == "held_out":
                ctx.tally.reject(reason.removeprefix("dropped_"), n)


def _names(ctx: StageContext) -> list[str]:
    return sorted(name for name in ctx.inputs if name.startswith("corpus"))


def _rows(ctx: StageContext, corpus: str) -> Iterator[Example]:
    from src.text.parsing import format_pretraining

    for problem in ctx.inputs[corpus].table("problems", Problem):
        prompt, response = format_pretraining(problem)
        yield Example(problem.id, f"{problem.stage} {problem.kind}", prompt, response)

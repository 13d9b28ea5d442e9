"""Continual pre-training on the synthesised corpus, a fine-tuning set read last, in order."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from src.cleaning.gate import Unchecked, compared, gate
from src.core.records import Example, Problem
from src.core.row_files import RowFile
from src.core.stage import StageContext, Upstream, rows_together
from src.modeling.ranks import is_first, number
from src.stages.packs import write_packs
from src.stages.sft import NoSFT, SFTSet
from src.stages.training import TrainingStage, count, start_of
from src.text.contamination import AsksQuestions, Decontamination

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pretrain(TrainingStage):
    """Reads the `problems` of the input "corpus", natural language and tool mixed, in the recipe's order; then `sft`.

    Further inputs whose names begin with "corpus" are corpora too; phases of the recipe weigh all of them by name.
    Under a WSD schedule the fine-tuning set falls mostly into the decay. Beside `model/` it leaves `packs`, which says
    for each row in which sequences it was read.

    benchmarks: what the student will be asked; a corpus that was not checked against it is refused, and rows of `sft`
        that repeat a question, or hold one anywhere, are left out (`sft_rows_left_out`); with unchecked "allow" all is
        read all the same (`unchecked_questions` and `sft_rows_that_repeat` in the summary say so).
    """

    kind: ClassVar[str] = "pretrain"
    version: ClassVar[int] = 8

    sft: SFTSet = field(default_factory=NoSFT)
    benchmarks: dict[str, AsksQuestions] = field(default_factory=dict)
    unchecked: Unchecked = "refuse"

    def rows_read(self, inputs: Mapping[str, Upstream]) -> int | None:
        return rows_together([*(inputs[name].rows for name in _names(inputs)), self.sft.rows_at_most])

    def run(self, ctx: StageContext) -> None:
        from src.modeling.rows import TokenCorpus

        ctx.summary.update(gate({n: ctx.inputs[n].path for n in _names(ctx.inputs)}, self.benchmarks, self.unchecked))
        corpora = [TokenCorpus(name, partial(_rows, ctx, name)) for name in _names(ctx.inputs)]
        corpora += [TokenCorpus(name, rows, order="in_order") for name, rows in self._sft(ctx).items()]
        summary = self.train(ctx, start_of(self.model, ctx), corpora, "A student")
        if is_first():
            orders = [corpus.order or self.recipe.order for corpus in corpora]
            write_packs(ctx.out / "packs", ctx.work, self.recipe, orders, self.seed)
        count(ctx.tally, summary.rows)

    def _sft(self, ctx: StageContext) -> dict[str, Callable[[], Iterator[Example]]]:
        """The fine-tuning set's rows by name; those that repeat a benchmark's question are counted and left out, or
        counted and read."""
        sets = self.sft.corpora()
        if not self.benchmarks:
            return sets
        index, reads_all = Decontamination().index(self.benchmarks), self.unchecked == "allow"
        told, counted = ("Read with", "sft_rows_that_repeat") if reads_all else ("Left out of", "sft_rows_left_out")
        kept: dict[str, Callable[[], Iterator[Example]]] = {}
        for name, rows in sets.items():
            file = RowFile(ctx.work / f"{name}-{number()}.rows", Example)  # making a set may cost more than reading it
            found: Counter[str] = Counter()
            for row, repeats in compared(rows, index):
                found.update([repeats.benchmark] if repeats else [])
                if reads_all or not repeats:
                    file.append(row)
            if found:
                counts = ", ".join(f"{n} of {benchmark}" for benchmark, n in sorted(found.items()))
                log.warning("%s %s: rows that repeat questions of the benchmarks (%s).", told, name, counts)
            ctx.summary[counted] = ctx.summary.get(counted, 0) + found.total()
            kept[name] = partial(iter, file)
        return kept


def _names(inputs: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in inputs if name.startswith("corpus"))


def _rows(ctx: StageContext, corpus: str) -> Iterator[Example]:
    from src.text.parsing import format_pretraining

    for problem in ctx.inputs[corpus].table("problems", Problem):
        prompt, response = format_pretraining(problem)
        yield Example(problem.id, f"{problem.stage} {problem.kind}", prompt, response)

"""A process reward model: told partial solutions, it says of the last step whether it is a good one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from src.core.records import Example, seed_from
from src.core.stage import StageContext
from src.core.store import write_json
from src.evaluation.decoding.rewards import TITLE, Partial, RewardModel
from src.evaluation.step_labels import Step
from src.modeling.ranks import is_first
from src.stages.training import TrainingStage, count, start_of

FORMAT = RewardModel("")  # how the rows are written, and the model is asked


@dataclass(frozen=True)
class Reward(TrainingStage):
    """Learns the table `steps` of the input "steps", from the model of the input "pretrain", or `model`, on. Leaves
    `model/`, and in `report.json` what it says of the steps that were kept for measuring, beside what the model that it
    started from would have written itself.

    labels: "hard": a step is good if any continuation reached the gold answer; "soft": with the probability that its
        share of them gives, drawn once.
    """

    kind: ClassVar[str] = "reward"
    version: ClassVar[int] = 4
    serves: ClassVar[str] = "decoding.reward"

    labels: Literal["hard", "soft"] = "soft"

    def run(self, ctx: StageContext) -> None:
        rows = list(ctx.inputs["steps"].table("steps", Step))
        base = str(ctx.inputs["pretrain"].path / "model") if "pretrain" in ctx.inputs else start_of(self.model, ctx)
        summary = self.train(ctx, base, list(self._examples(rows)), TITLE)
        count(ctx.tally, summary.rows)
        if is_first():
            self._measure(ctx, base, [row for row in rows if row.tested])

    def _examples(self, rows: Sequence[Step]) -> Iterator[Example]:
        good, bad = FORMAT.labels
        for row in rows:
            if not row.tested:
                label = good if self._is_good(row) else bad
                yield Example(row.id, row.source, FORMAT.text(row.question, row.steps), label)

    def _is_good(self, row: Step) -> bool:
        if self.labels == "hard":
            return row.share > 0
        return seed_from(self.seed, "label", row.id) < row.share * 2**31

    def _measure(self, ctx: StageContext, base: str, rows: Sequence[Step]) -> None:
        """`report.json`, and its main figures for the manifest: of this model, and of what it started from, which says
        how likely a step is without having learnt to judge."""
        from src.evaluation.reward_report import report

        partials = [Partial(row.question, tuple(row.steps), first=len(row.steps) - 1) for row in rows]
        found: dict[str, dict[str, Any]] = {}
        for suffix, model in (
            ("", RewardModel(str(ctx.out))),
            ("_by_likelihood", RewardModel(base, judge="likelihood")),
        ):
            with model.open() as scorer:
                rewards = [scores.rewards[0] for scores in scorer.score(partials)]
            found |= {f"{name}{suffix}": part for name, part in report(rows, rewards).items()}
        write_json(ctx.out / "report.json", found)
        for name, part in found.items():
            ctx.summary |= {f"{name}/{figure}": part[figure] for figure in part if isinstance(part[figure], float)}

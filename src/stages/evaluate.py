"""The last stage: benchmarks put to the student, and beforehand to the model that its training starts from."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

from src.core.checks import at_least
from src.core.journal import Journal
from src.core.records import BASE, STUDENT, Prediction, write_table
from src.core.stage import Stage, StageContext
from src.core.store import write_json
from src.evaluation.benchmark import Benchmark
from src.evaluation.prompting import Style
from src.generation.base import Generator
from src.modeling.flops import writing_cost
from src.modeling.shape import Shape
from src.modeling.sources import ModelSource
from src.stages.training import start_of


@dataclass(frozen=True)
class Evaluate(Stage):
    """Examines the student of the input "pretrain"; without one `model`, or the input "base" where it was made here.

    Writes `predictions`, `accuracy.json` and `samples.json`, those of the input "baseline" (another evaluation) in
    front; and into `conditions.json` what no other run need repeat: the time taken, the grader's version, and the walls
    around the programs that the model had run.

    samples: answers per question; accuracy is their mean. More than one needs a temperature above 0.
    prompting: the style for benchmarks that ask for none of their own; shots: worked examples with "few_shot"
        and "program"; turns: programs that a model may run for one answer, with "tool".
    baseline: the graph has the model that training starts from examined, too.
    """

    kind: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 5
    heavy: ClassVar[bool] = True

    benchmarks: dict[str, Benchmark]
    engine: Generator
    model: ModelSource | None = None
    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    prompting: Style = "corpus"
    shots: int = 4
    turns: int = 4
    baseline: bool = True
    data_seed: int = 0
    shape: Shape | None = None

    def __post_init__(self) -> None:
        if not self.benchmarks:
            raise ValueError("benchmarks must name at least one benchmark")
        at_least(self, 1, "samples")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} samples at temperature 0 are all the same: raise the temperature")
        at_least(self, 0, "shots")
        at_least(self, 1, "turns")

    def run(self, ctx: StageContext) -> None:
        if "pretrain" in ctx.inputs:
            self.evaluate({STUDENT: str(ctx.inputs["pretrain"].path / "model")}, ctx)
        else:
            assert self.model is not None
            self.evaluate({BASE: start_of(self.model, ctx)}, ctx)

    def evaluate(self, models: Mapping[str, str], ctx: StageContext) -> list[dict[str, Any]]:
        """Evaluate models by label, one after the other; return the rows of `accuracy.json`."""
        from src.evaluation.asking import Asking, collect, load_questions
        from src.evaluation.grading import Grader, grader_version
        from src.evaluation.programs import Workbench
        from src.evaluation.results import accuracies, judge, shown_samples, speeds

        asking = Asking(
            self.samples, self.temperature, self.top_p, self.prompting, self.shots, self.turns, self.data_seed
        )
        questions = load_questions(self.benchmarks)
        plans = {label: asking.plan(label, model, self.benchmarks, questions) for label, model in models.items()}
        total = sum(len(asked.requests) for plan in plans.values() for asked in plan)
        with (
            Workbench() as bench,
            Journal(ctx.work / "answers") as journal,
            ctx.progress("evaluate", total=total, unit="answers") as bar,
        ):
            if any(asked.way.programs for plan in plans.values() for asked in plan):
                _warn_of_thin_walls(bench.isolation)
            answers = {
                label: collect(plan, lambda m=models[label]: self.engine.open(m, ctx.cache), journal, bar, bench)  # type: ignore[misc]
                for label, plan in plans.items()
            }
        with Grader() as grader:
            judged = [
                item
                for label, plan in plans.items()
                for item in judge(label, plan, answers[label], self.benchmarks, grader, ctx.tally)
            ]
        before = ctx.inputs["baseline"].table("predictions", Prediction) if "baseline" in ctx.inputs else ()
        write_table(ctx.out / "predictions", Prediction, chain(before, (item.prediction for item in judged)))
        rows = [*_earlier(ctx, "accuracy.json"), *accuracies(judged)]
        write_json(ctx.out / "accuracy.json", rows)
        write_json(ctx.out / "samples.json", [*_earlier(ctx, "samples.json"), *shown_samples(judged)])
        programs = {"walls": bench.isolation, **bench.ended} if bench.ended else {}
        conditions = {"grader": grader_version(), "programs": programs, "speed": speeds(judged)}
        write_json(ctx.out / "conditions.json", conditions)
        ctx.summary.update(_summary(rows))
        return rows

    def estimate(self) -> dict[str, float]:
        """An upper bound: every answer as long as its benchmark allows."""
        tokens = sum(benchmark.size_hint() * benchmark.max_tokens for benchmark in self.benchmarks.values())
        return writing_cost(float(tokens * self.samples), self.shape)


def _warn_of_thin_walls(isolation: str) -> None:
    if isolation == "limits":
        logging.getLogger(__name__).warning(
            "Programs that the model writes run with resource limits only: bubblewrap is missing or not allowed here. "
            "That stops accidents, but no attack on this machine's files or network."
        )


def _earlier(ctx: StageContext, name: str) -> list[dict[str, Any]]:
    """The rows of a file of the input "baseline"; none where there is no such input."""
    if "baseline" not in ctx.inputs:
        return []
    found: list[dict[str, Any]] = json.loads((ctx.inputs["baseline"].path / name).read_text(encoding="utf-8"))
    return found


def _summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The student's accuracies as "gsm8k/accuracy", its base's as "gsm8k/base"."""
    whole = [row for row in rows if row["group"] == "all"]
    named = {f"{r['benchmark']}/{'accuracy' if r['model'] == STUDENT else r['model']}": r["accuracy"] for r in whole}
    timeouts = {f"{r['benchmark']}/timeouts": float(r["timeouts"]) for r in whole if r["timeouts"]}
    return {**named, **timeouts}

"""The last stage: benchmarks put to the trained model, and to the same model untrained."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from src.core.checks import at_least
from src.core.errors import UserError
from src.core.journal import Journal
from src.core.records import Prediction, write_table
from src.core.stage import Stage, StageContext
from src.core.store import write_json
from src.evaluation.benchmark import Benchmark
from src.evaluation.prompting import Style
from src.generation.base import Generator

STUDENT, UNTRAINED = "student", "untrained"


@dataclass(frozen=True)
class Evaluate(Stage):
    """Writes `predictions`, `accuracy.json` and `samples.json`, and into `conditions.json` what no other run need
    repeat: the time taken, the grader's version, and the walls around the programs that the model had run.

    samples: answers per question; accuracy is their mean. More than one needs a temperature above 0.
    prompting: the style for benchmarks that ask for none of their own; shots: worked examples with "few_shot"
        and "program"; turns: programs that a model may run for one answer, with "tool".
    baseline: also evaluate the model that training started from.
    """

    kind: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 3
    heavy: ClassVar[bool] = True

    benchmarks: dict[str, Benchmark]
    engine: Generator
    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    prompting: Style = "corpus"
    shots: int = 4
    turns: int = 4
    baseline: bool = True
    data_seed: int = 0

    def __post_init__(self) -> None:
        if not self.benchmarks:
            raise ValueError("benchmarks must name at least one benchmark")
        at_least(self, 1, "samples")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} samples at temperature 0 are all the same: raise the temperature")
        at_least(self, 0, "shots")
        at_least(self, 1, "turns")

    def run(self, ctx: StageContext) -> None:
        trained = ctx.inputs["pretrain"].path
        models = {UNTRAINED: base_model(trained)} if self.baseline else {}
        self.evaluate({**models, STUDENT: str(trained / "model")}, ctx)

    def evaluate(self, models: Mapping[str, str], ctx: StageContext) -> list[dict[str, Any]]:
        """Evaluate models by label, one after the other; return the rows of `accuracy.json`."""
        from src.evaluation.asking import Asking, collect, load_questions
        from src.evaluation.grading import Grader
        from src.evaluation.programs import Workbench
        from src.evaluation.results import accuracies, judge, shown_samples, speeds
        from src.evaluation.verdicts import grader_version

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
        with Grader(kept=ctx.cache / "verdicts.sqlite") as grader:
            judged = [
                item
                for label, plan in plans.items()
                for item in judge(label, plan, answers[label], self.benchmarks, grader, ctx.tally)
            ]
        write_table(ctx.out / "predictions", Prediction, (item.prediction for item in judged))
        rows = accuracies(judged)
        write_json(ctx.out / "accuracy.json", rows)
        write_json(ctx.out / "samples.json", list(shown_samples(judged)))
        programs = {"walls": bench.isolation, **bench.ended} if bench.ended else {}
        conditions = {"grader": grader_version(), "programs": programs, "speed": speeds(judged)}
        write_json(ctx.out / "conditions.json", conditions)
        ctx.summary.update(_summary(rows))
        return rows

    def estimate(self) -> dict[str, float]:
        """An upper bound: every answer as long as its benchmark allows."""
        models = 2 if self.baseline else 1
        tokens = sum(benchmark.size_hint() * benchmark.max_tokens for benchmark in self.benchmarks.values())
        return {"tokens": float(tokens * self.samples * models)}


def _warn_of_thin_walls(isolation: str) -> None:
    if isolation == "limits":
        logging.getLogger(__name__).warning(
            "Programs that the model writes run with resource limits only: bubblewrap is missing or not allowed here. "
            "That stops accidents, but no attack on this machine's files or network."
        )


def base_model(trained: Path) -> str:
    """The model that training started from: the folder `base`, or the name in `base.txt`."""
    if (trained / "base").is_dir():
        return str(trained / "base")
    if (trained / "base.txt").is_file():
        return (trained / "base.txt").read_text(encoding="utf-8").strip()
    raise UserError(f"{trained} does not say which model it started from.", "Set the option `baseline` to false.")


def _summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The student's accuracies as "gsm8k/accuracy", other models' as "gsm8k/untrained"."""
    whole = [row for row in rows if row["group"] == "all"]
    named = {f"{r['benchmark']}/{'accuracy' if r['model'] == STUDENT else r['model']}": r["accuracy"] for r in whole}
    timeouts = {f"{r['benchmark']}/timeouts": float(r["timeouts"]) for r in whole if r["timeouts"]}
    return {**named, **timeouts}

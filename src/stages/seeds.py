"""Stage `seeds`: solved problems to start from, of benchmarks' training parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from src.core.checks import at_least
from src.core.errors import UserError
from src.core.records import Passage, Problem, content_id, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.evaluation.benchmark import Benchmark
from src.evaluation.prompting import with_choices
from src.text.boxed import last_boxed


@dataclass(frozen=True)
class Seeds(Stage):
    """Writes the tables `problems` and `passages` (the questions, under the same ids).

    benchmarks: whose training or dev parts are read, never their test questions. For rows of your own: a FileBenchmark
        with its `dev_path`.
    limit: so many problems of each, chosen by their ids; None: all.
    """

    kind: ClassVar[str] = "seeds"
    version: ClassVar[int] = 1

    benchmarks: dict[str, Benchmark]
    limit: int | None = None

    def __post_init__(self) -> None:
        at_least(self, 1, "limit")
        if not self.benchmarks:
            raise ValueError("benchmarks must name at least one benchmark")

    def preflight(self) -> None:
        """Raises UserError for a benchmark without a training or dev part."""
        for benchmark in self.benchmarks.values():
            benchmark.check_dev()

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return None if self.limit is None else self.limit * len(self.benchmarks)

    def run(self, ctx: StageContext) -> None:
        found = {problem.id: problem for name in sorted(self.benchmarks) for problem in self._problems(ctx, name)}
        if not found:
            raise UserError("There are no seed problems.", "Have the benchmarks a training part with worked solutions?")
        ctx.tally.reject("the same problem again", ctx.tally.kept - len(found))
        ctx.tally.keep(len(found) - ctx.tally.kept)
        problems = [found[id] for id in sorted(found)]
        write_table(ctx.out / "problems", Problem, problems)
        passages = (Passage(p.id, p.generator, p.question, {"solution": p.solution}) for p in problems)
        write_table(ctx.out / "passages", Passage, passages)

    def _problems(self, ctx: StageContext, name: str) -> Iterator[Problem]:
        benchmark, found = self.benchmarks[name], list[Problem]()
        for question in benchmark.dev_questions():
            ctx.tally.enter()
            text, solution = with_choices(question.text, question.choices), question.solution
            if solution is None:
                ctx.tally.reject("no worked solution")
                continue
            id, answer = content_id("seed", text, solution), last_boxed(solution) or question.gold
            found.append(Problem(id, id, id, question.stage, "cot", text, solution, answer, name, 0))
        chosen = sorted(found, key=lambda problem: problem.id)[: self.limit]
        ctx.tally.keep(len(chosen))
        ctx.tally.reject("not drawn", len(found) - len(chosen))
        yield from chosen

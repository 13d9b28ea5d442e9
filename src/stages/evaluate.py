"""Benchmarks put to one model: the student of a run, the model that its training starts from, or any other."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from src.checking.base import Checker
from src.core.checks import at_least
from src.core.command import option_name
from src.core.errors import UserError
from src.core.fingerprint import digest_of, not_in_key
from src.core.journal import Journal
from src.core.records import BASE, STUDENT, Prediction, write_table
from src.core.stage import Artifact, Stage, StageContext, Upstream
from src.core.store import write_json
from src.evaluation.benchmark import Benchmark
from src.evaluation.decoding import Decoding, Independent
from src.evaluation.decoding.base import Rewarded
from src.evaluation.decoding.rewards import READING, Judge, RewardModel, StepScorer
from src.evaluation.decoding.trees import programs_are_no_steps
from src.evaluation.isolation import Programs, isolation_for
from src.evaluation.prompting import Protocol, Style
from src.generation.base import Generator, Sampling
from src.generation.openai import OpenAIGenerator
from src.modeling.estimate import writing_cost
from src.modeling.shape import Shape
from src.modeling.sources import ModelSource
from src.stages.training import start_of

if TYPE_CHECKING:
    from src.evaluation.decoding import Decoded
    from src.evaluation.decoding.outcomes import GradedDecoding
    from src.evaluation.grading import Grader
    from src.evaluation.requests import RequestPlanner
    from src.evaluation.results import GradedAnswer


log = logging.getLogger(__name__)
COMPUTE = "compute.json"


@dataclass(frozen=True)
class Evaluate(Stage):
    """Examines the student of the input "pretrain"; without one `model`, or the input "base" where it was made here;
    without a `model` the one that the engine's server holds.

    Writes `predictions`, `accuracy.json` and `samples.json`, those of the input "baseline" (another evaluation) in
    front; `costs.jsonl`, the tokens and seconds of every answer; `compute.json`, tokens and operations by benchmark;
    and into `conditions.json` what no other run need repeat: the time taken, the grader's version, and the isolation in
    which the model's programs ran. A decoding that chooses among candidates leaves all of them in `candidates.jsonl`.

    label: what the files call a model that is no run's student.
    decoding: how an answer is made of what the model writes. One that asks a reward model and names none takes the one
        of the input "reward".
    samples: answers per question; accuracy is their mean. More than one needs a temperature above 0. Like the
        temperature, it holds where the decoding has none of its own.
    max_tokens: of an answer, for all benchmarks; None: each has its own. Models that reason at length want 30,000.
    prompting, shots: the style and the worked examples for benchmarks that ask for none of their own.
    exemplars: a file of worked examples; system: a message before the question; template: options of the chat
        template, such as enable_thinking; turns: programs that a model may run for one answer, with "tool".
    programs: how they are kept apart from this machine (`src.evaluation.isolation`).
    baseline: the graph has the model that training starts from examined, too.
    checker: of formal proofs, for benchmarks that ask for them.
    """

    kind: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 10
    heavy: ClassVar[bool] = True

    benchmarks: dict[str, Benchmark]
    engine: Generator
    model: ModelSource | None = None
    label: str = BASE
    decoding: Decoding = field(
        default_factory=Independent, metadata=not_in_key("any but plain sampling is in identity()")
    )
    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int | None = None
    prompting: Style = "corpus"
    shots: int = 4
    exemplars: str | None = None
    system: str | None = None
    template: dict[str, Any] = field(default_factory=dict)
    turns: int = 4
    programs: Programs = "isolated"
    baseline: bool = True
    data_seed: int = 0
    checker: Checker | None = field(default=None, metadata=not_in_key("one that is asked is in identity()"))
    shape: Shape | None = field(
        default=None, metadata=not_in_key("how big the model is, for a plan: its name says which it is")
    )

    def __post_init__(self) -> None:
        if not self.benchmarks:
            raise ValueError("benchmarks must name at least one benchmark")
        at_least(self, 1, "samples", "turns", "max_tokens")
        drawn = self._decoding
        if drawn.size > 1 and drawn.temperature == 0:
            raise ValueError(f"{drawn.size} samples at temperature 0 are all the same: raise the temperature")
        at_least(self, 0, "shots", "top_k", "min_p")

    def run(self, ctx: StageContext) -> None:
        """Raises UserError where the model, a benchmark or a template is not to be had."""
        from src.evaluation.decoding import Resources
        from src.evaluation.decoding.outcomes import grade_decodings
        from src.evaluation.program_pool import ProgramPool
        from src.evaluation.requests import load_questions

        label, model = self._subject(ctx)
        reward = self._reward(ctx.inputs, model)
        plan = self._planner().plan(model, self.benchmarks, load_questions(self.benchmarks))
        total = sum(len(planned.requests) for planned in plan)

        def open_scorer() -> StepScorer:
            assert reward is not None, "check_inputs has found one"
            return reward.open()

        with (
            ProgramPool(self.programs) as pool,
            Journal(ctx.work / "answers") as journal,
            ctx.progress("evaluate", total=total, unit="answers") as bar,
        ):
            found = self._decoding.decode(
                plan, Resources(lambda: self.engine.open(model, ctx.cache), open_scorer, journal, bar, pool)
            )
        with grader_of(self.checker) as grader:
            graded = grade_decodings(label, plan, found, self._decoding, self.benchmarks, grader, ctx.tally)
        write_results(ctx, [item.graded for item in graded], pool.record())
        ctx.summary |= pool.warnings()
        ctx.summary |= self._cost(found)
        left_out = {name: len(benchmark.unasked_stages()) for name, benchmark in self.benchmarks.items()}
        ctx.summary |= {f"{name}/unasked_stages": float(count) for name, count in left_out.items() if count}
        size = Shape.of_folder(Path(model)) if model else None
        ctx.summary |= self._write_compute(ctx, graded, size, reward.size() if reward else None)

    def identity(self) -> dict[str, Any]:
        """The exemplars' file, and a decoding other than plain sampling. Asked before anything runs, so it also says
        whether programs can be run here."""
        style_of = {name: benchmark.style or self.prompting for name, benchmark in self.benchmarks.items()}
        by_program = [name for name, style in style_of.items() if style in ("program", "tool")]
        if by_program:
            if self.programs == "skip":
                raise UserError("A benchmark is asked by program, and programs=skip runs none.", "programs=isolated")
            isolation_for(self.programs)
        if self._server is not None and self._server.api == "completions" and "chat" in style_of.values():
            raise UserError("prompting=chat needs a server's chat API.", "Set engine.api=chat, or another prompting.")
        if by_program and self.decoding.reads_steps:
            raise programs_are_no_steps(by_program[0])
        if self._server is not None and self.decoding.reads_steps:
            raise UserError(
                "A search goes on from steps, and a server does not say which stop string ended a text.",
                "Choose decoding=best_of_n, weighted_majority or majority, or an engine on this machine.",
            )
        if self._server is not None and self._asks("likelihood"):
            raise UserError(
                "The likelihood of a step is asked of a model on this machine, and a server answers.",
                "Set decoding.reward=DIR, or choose decoding=majority.",
            )
        decoding = {} if self.decoding == Independent() else {"decoding": digest_of(self.decoding)}
        reading = {"rewards": READING} if isinstance(self.decoding, Rewarded) else {}
        checker = checker_identity(self.benchmarks, self.checker)
        return {**self._protocol().identity(), **decoding, **reading, **checker}

    @property
    def wants_reward(self) -> bool:
        """Whether the decoding asks a reward model of labels and names none."""
        return self._asks("labels")

    def _asks(self, judge: Judge) -> bool:
        """Whether the decoding names no model to reward steps in this way. By likelihood it is then the one that
        answers."""
        return isinstance(self.decoding, Rewarded) and self.decoding.reward is None and self.decoding.judge == judge

    def check_inputs(self, inputs: Mapping[str, Upstream]) -> None:
        if self.wants_reward and "reward" not in inputs:
            raise UserError(
                f"decoding={option_name(type(self.decoding).__name__)} asks a reward model, and none is named.",
                "Set decoding.judge=likelihood, which needs none, or decoding.reward=FOLDER; to train one: "
                "python -m src.train method=reward model=hf model.name=DIR",
            )

    def estimate(self) -> dict[str, float]:
        """An upper bound: every answer as long as its benchmark allows."""
        sizes = [(b.size_hint(), self.max_tokens or b.max_tokens) for b in self.benchmarks.values()]
        return writing_cost(
            float(sum(n * tokens for n, tokens in sizes) * self._decoding.size), self.shape, self.engine.devices
        )

    @property
    def _server(self) -> OpenAIGenerator | None:
        return self.engine if isinstance(self.engine, OpenAIGenerator) else None

    def _subject(self, ctx: StageContext) -> tuple[str, str | None]:
        """What the files call the model, and its folder; None for one behind a server."""
        if "pretrain" in ctx.inputs:
            return STUDENT, str(ctx.inputs["pretrain"].path / "model")
        if self._server is not None:
            return self.label, None
        assert self.model is not None
        return self.label, start_of(self.model, ctx)

    @property
    def _decoding(self) -> Decoding:
        return self.decoding.resolved(self.samples, self.temperature)

    def _reward(self, inputs: Mapping[str, Artifact], model: str | None) -> RewardModel | None:
        """The decoding's own; where it names none the model that answers, or that of the input "reward"."""
        if self.wants_reward:
            return RewardModel(str(inputs["reward"].path))
        if self._asks("likelihood"):
            assert model is not None, "identity has refused a server"
            return RewardModel(model, judge="likelihood")
        return self.decoding.reward_model

    def _protocol(self) -> Protocol:
        return Protocol(self.prompting, self.shots, self.exemplars, self.system, self.template, self.turns)

    def _planner(self) -> RequestPlanner:
        from src.evaluation.requests import RequestPlanner

        decoding = self._decoding
        sampling = Sampling(decoding.temperature or 0.0, self.top_p, self.top_k, self.min_p)
        asked_of = digest_of({"engine": self.engine.unpooled, "model": self.model})
        return RequestPlanner(self._protocol(), decoding.planned, sampling, self.max_tokens, self.data_seed, asked_of)

    def _cost(self, found: Sequence[Decoded]) -> dict[str, float]:
        """Tokens, and what a server's would cost if none were in the cache."""
        each = (sum(c.answer.prompt_tokens for c in decoded.candidates) or decoded.compute.prompt for decoded in found)
        prompts, texts = sum(each), sum(decoded.compute.generated for decoded in found)
        dollars = {"dollars": self._server.dollars(prompts, texts)} if self._server else {}
        return {"prompt_tokens": prompts, "completion_tokens": texts, **dollars}

    def _write_compute(
        self, ctx: StageContext, graded: Sequence[GradedDecoding], model: Shape | None, reward: Shape | None
    ) -> dict[str, float]:
        """`compute.json`, and `candidates.jsonl` where there was a choice; returns what the manifest says of it."""
        from src.evaluation.decoding.outcomes import compute_rows

        rows = compute_rows(graded, self._decoding, model, reward)
        return write_decodings(ctx, graded, rows)


@dataclass(frozen=True)
class Regrade(Stage):
    """The answers of the input "evaluation", extracted and graded once more, without a model: for a better grader. Of a
    decoding that chooses, all candidates, and it chooses again; what they took is handed on.

    benchmarks, prompting, decoding, samples, temperature: as the answers were asked for.
    """

    kind: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 2

    benchmarks: dict[str, Benchmark]
    prompting: Style = "corpus"
    decoding: Decoding = field(default_factory=Independent, metadata=not_in_key("of the answers, which are an input"))
    samples: int = field(default=1, metadata=not_in_key("of the answers, which are an input"))
    temperature: float = field(default=0.0, metadata=not_in_key("of the answers, which are an input"))
    checker: Checker | None = field(default=None, metadata=not_in_key("one that is asked is in identity()"))

    def run(self, ctx: StageContext) -> None:
        from src.evaluation.decoding.outcomes import grade_decodings, read_decoded, with_oracle
        from src.evaluation.requests import load_questions
        from src.evaluation.results import read_answers

        earlier = ctx.inputs["evaluation"]
        decoding = self.decoding.resolved(self.samples, self.temperature)
        label = next(earlier.table("predictions", Prediction)).model
        plan, answers = read_answers(earlier, load_questions(self.benchmarks), self.benchmarks, self.prompting)
        found = read_decoded(earlier, label, plan, answers, decoding)
        with grader_of(self.checker) as grader:
            graded = grade_decodings(label, plan, found, decoding, self.benchmarks, grader, ctx.tally)
        write_results(ctx, [item.graded for item in graded], {})
        if (spent := earlier.path / COMPUTE).exists():
            rows = json.loads(spent.read_text(encoding="utf-8"))
            ctx.summary |= write_decodings(ctx, graded, with_oracle(rows, graded))

    def identity(self) -> dict[str, str]:
        from src.evaluation.grading import grader_version

        return {"grader": grader_version(), **checker_identity(self.benchmarks, self.checker)}


def checker_identity(benchmarks: Mapping[str, Benchmark], checker: Checker | None) -> dict[str, str]:
    """What a key says of the checker, where a benchmark asks for proofs. Raises UserError where none reads them."""
    formal = [name for name, benchmark in benchmarks.items() if benchmark.answer_type == "proof"]
    if not formal:
        return {}
    if checker is None or checker.language != "lean":
        raise UserError(
            f"The benchmark {formal[0]} asks for proofs in Lean, and no checker of them is named.",
            "Give python -m src.evaluate checker=lean checker.project=DIR, a Lake project with the REPL and Mathlib.",
        )
    return {"checker": digest_of(checker)}


def grader_of(checker: Checker | None) -> Grader:
    """One that has proofs checked where there is a checker."""
    from src.evaluation.grading import Grader

    if checker is None:
        return Grader()
    from src.checking.grading import ProofGrader

    return ProofGrader(checker)


def write_decodings(
    ctx: StageContext, graded: Sequence[GradedDecoding], rows: Sequence[dict[str, Any]]
) -> dict[str, float]:
    """`compute.json`, and `candidates.jsonl` where there was a choice; returns what the manifest says of it.

    rows: of the first, by benchmark."""
    from src.evaluation.decoding.outcomes import CANDIDATES, candidate_rows

    write_json(ctx.out / COMPUTE, rows)
    if all(item.chosen is None for item in graded):
        return {}
    if cut_off := sum(row.get("cut_off", 0) for row in rows):
        log.warning(
            "decoding=%s: %d of %d questions got no complete answer within %s; what was written counts as it is.",
            *(option_name(rows[0]["decoding"]), cut_off, len(graded), rows[0]["limits"]),
        )
    with (ctx.out / CANDIDATES).open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in candidate_rows(graded))
    known = [row["flops"] for row in rows if row["flops"] is not None]
    flops = {"flops": sum(known)} if len(known) == len(rows) else {}
    oracle = {f"{row['benchmark']}/oracle": row["oracle"] for row in rows}
    return {**oracle, "scored_tokens": sum(row["scored_tokens"] for row in rows), **flops}


def write_results(ctx: StageContext, graded: Sequence[GradedAnswer], programs: dict[str, Any]) -> None:
    """The files of an evaluation, and its accuracies for the manifest."""
    from src.evaluation.grading import grader_version
    from src.evaluation.results import accuracies, costs, shown_samples, speeds

    before = ctx.inputs["baseline"].table("predictions", Prediction) if "baseline" in ctx.inputs else ()
    write_table(ctx.out / "predictions", Prediction, chain(before, (item.prediction for item in graded)))
    lines = "".join(json.dumps(row) + "\n" for row in costs(graded))
    (ctx.out / "costs.jsonl").write_text(lines, encoding="utf-8")
    rows = [*_earlier(ctx, "accuracy.json"), *accuracies(graded)]
    write_json(ctx.out / "accuracy.json", rows)
    write_json(ctx.out / "samples.json", [*_earlier(ctx, "samples.json"), *shown_samples(graded)])
    conditions = {"grader": grader_version(), "programs": programs, "speed": speeds(graded)}
    write_json(ctx.out / "conditions.json", conditions)
    ctx.summary.update(_summary(rows))


def _earlier(ctx: StageContext, name: str) -> list[dict[str, Any]]:
    """The rows of a file of the input "baseline"; none where there is no such input."""
    if "baseline" not in ctx.inputs:
        return []
    found: list[dict[str, Any]] = json.loads((ctx.inputs["baseline"].path / name).read_text(encoding="utf-8"))
    return found


def _summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Accuracies as "gsm8k/accuracy", those of a student's base as "gsm8k/base"."""
    whole = [row for row in rows if row["group"] == "all"]
    named = {f"{r['benchmark']}/{r['model'] if r['model'] == BASE else 'accuracy'}": r["accuracy"] for r in whole}
    timeouts = {f"{r['benchmark']}/timeouts": float(r["timeouts"]) for r in whole if r["timeouts"]}
    return {**named, **timeouts}

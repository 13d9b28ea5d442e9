import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.core.fingerprint import stage_key
from src.core.records import Prediction, seed_from
from src.core.stage import Artifact, StageContext, Upstream
from src.evaluation.benchmark import FileBenchmark
from src.evaluation.decoding.rewards import RewardModel, Scores, StepScorer
from src.evaluation.decoding.trees import Beam, Forest, Levin
from src.evaluation.decoding.whole import BestOfN, Independent, Majority, WeightedMajority
from src.generation.base import Completion, Generator, Session
from src.generation.openai import OpenAIGenerator
from src.generation.transformers import TransformersGenerator
from src.modeling.sources import Pretrained
from src.stages.evaluate import Evaluate, Regrade
from tests.modeling.tiny import TINY

QUESTIONS = 40
TIMED = ("conditions.json", "costs.jsonl")  # they tell the time


class Adder(Session):
    """Adds right when it is the student, and always says 3 when it is its base."""

    def __init__(self, model: str, asked: list[str], fail_after: int | None):
        self.trained, self.asked, self.fail_after = model.endswith("pretrain/model"), asked, fail_after

    def stream(self, requests: Iterable) -> Iterator[Completion]:
        for request in reversed(list(requests)):
            if self.fail_after is not None and len(self.asked) >= self.fail_after:
                raise KeyboardInterrupt
            self.asked.append(request.id)
            a, b = (int(word) for word in request.prompt.partition("\n")[2].partition("?")[0].split() if word.isdigit())
            lucky = request.sampling.temperature == 0 or request.seed % 2
            total = a + b if self.trained and lucky else 3
            yield Completion(request.id, f"We add.\nThe answer is $\\boxed{{{total}}}$.", "stop", 20, 9)


@dataclass(frozen=True, init=False)
class FakeEngine(Generator):
    """What it writes down, and when it breaks off, is none of its options."""

    asked: list = field(init=False)
    opened: list = field(init=False)
    fail_after: int | None = field(init=False)

    def __init__(self, asked, opened, fail_after=None):
        for name, value in {"asked": asked, "opened": opened, "fail_after": fail_after}.items():
            object.__setattr__(self, name, value)

    @property
    def name(self) -> str:
        return "fake"

    @contextmanager
    def open(self, model, cache):
        self.opened.append(model)
        yield Adder(model, self.asked, self.fail_after)


@pytest.fixture
def sums(tmp_path):
    path = tmp_path / "sums.jsonl"
    rows = ({"q": f"What is {i} and {i + 1} ?", "a": 2 * i + 1, "level": f"level {i % 2}"} for i in range(QUESTIONS))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return FileBenchmark(
        path=str(path), fields={"question": "q", "answer": "a", "stage": "level"}, answer_type="number"
    )


@pytest.fixture
def context(tmp_path):
    def make(name: str = "out", *inputs: str) -> StageContext:
        out = tmp_path / name
        out.mkdir()
        artifacts = {input: Artifact(tmp_path / input) for input in inputs or ("pretrain",)}
        return StageContext(out=out, work=tmp_path / "work" / name, inputs=artifacts, cache=tmp_path / "cache")

    return make


def accuracy(ctx: StageContext) -> dict[tuple[str, str], dict]:
    return {(row["model"], row["group"]): row for row in json.loads((ctx.out / "accuracy.json").read_text())}


def test_the_manifest_counts_stages_that_a_benchmark_does_not_ask(sums, context):
    class Partial(FileBenchmark):
        def unasked_stages(self):
            return ("college", "aime")

    partial = Partial(**vars(sums))
    ctx = context("out", "base")
    Evaluate(benchmarks={"sums": sums, "partial": partial}, engine=FakeEngine([], []), model=TINY).run(ctx)
    assert {name: n for name, n in ctx.summary.items() if "unasked" in name} == {"partial/unasked_stages": 2.0}


def test_the_student_stands_beside_its_base(sums, context):
    engine = FakeEngine([], [])
    stage = Evaluate(benchmarks={"sums": sums}, engine=engine, model=TINY)
    before = context("baseline", "base")
    stage.run(before)
    assert before.summary == {
        "sums/base": 1 / QUESTIONS,
        "prompt_tokens": 20 * QUESTIONS,
        "completion_tokens": 9 * QUESTIONS,
    }
    ctx = context("out", "pretrain", "baseline")
    stage.run(ctx)
    rows = accuracy(ctx)
    assert rows["student", "all"]["accuracy"] == 1.0
    assert rows["student", "all"]["low"] > 0.9
    assert rows["base", "all"]["accuracy"] == 1 / QUESTIONS
    assert rows["student", "stage:level 1"]["n"] == QUESTIONS // 2
    assert rows["student", "all"]["mean_tokens"] == 9
    assert ctx.summary["sums/base"] == 1 / QUESTIONS and ctx.summary["sums/accuracy"] == 1.0
    assert [Path(model).parent.name for model in engine.opened] == ["base", "pretrain"]
    ctx.tally.check()
    assert before.tally.kept == ctx.tally.kept == QUESTIONS
    predictions = list(Artifact(ctx.out).table("predictions", Prediction))
    assert [p.model for p in predictions] == ["base"] * QUESTIONS + ["student"] * QUESTIONS
    assert {s["model"] for s in json.loads((ctx.out / "samples.json").read_text())} == {"base", "student"}


def test_every_answer_is_on_record(sums, context):
    ctx = context()
    Evaluate(benchmarks={"sums": sums}, engine=FakeEngine([], [])).run(ctx)
    predictions = list(Artifact(ctx.out).table("predictions", Prediction))
    assert len({p.id for p in predictions}) == QUESTIONS
    first = predictions[0]
    assert first.prompt == "## Question\nWhat is 0 and 1 ?\n\n## Solution\n"
    assert (first.gold, first.extracted, first.verdict, first.reasons) == ("1", ["1"], [True], ["string"])
    shown = json.loads((ctx.out / "samples.json").read_text())
    assert {s["correct"] for s in shown} == {True}


def test_a_killed_evaluation_goes_on_and_ends_the_same(sums, context):
    stage = {"benchmarks": {"sums": sums}}
    whole = context("whole")
    Evaluate(engine=FakeEngine([], []), **stage).run(whole)
    ctx, asked = context("killed"), []
    with pytest.raises(KeyboardInterrupt):
        Evaluate(engine=FakeEngine(asked, [], fail_after=15), **stage).run(ctx)
    again: list[str] = []
    Evaluate(engine=FakeEngine(again, []), **stage).run(ctx)
    assert len(asked) + len(again) == QUESTIONS
    for path in (p for p in whole.out.rglob("*") if p.is_file() and p.name not in TIMED):
        assert path.read_bytes() == (ctx.out / path.relative_to(whole.out)).read_bytes(), path.name


def test_a_finished_model_starts_no_engine_again(sums, context):
    first, second = context("a"), context("b")
    second.work = first.work
    Evaluate(benchmarks={"sums": sums}, engine=FakeEngine([], [])).run(first)
    engine = FakeEngine([], [])
    Evaluate(benchmarks={"sums": sums}, engine=engine).run(second)
    assert engine.opened == []


def test_several_samples_give_pass_at_k_and_a_majority(sums, context):
    ctx = context()
    Evaluate(benchmarks={"sums": sums}, engine=FakeEngine([], []), samples=4, temperature=0.8).run(ctx)
    row = accuracy(ctx)["student", "all"]
    question_seeds = [[seed_from(0, question.id, sample) % 2 for sample in range(4)] for question in sums.questions()]
    expected = sum(map(sum, question_seeds)) / (4 * QUESTIONS)
    assert row["accuracy"] == pytest.approx(expected, abs=0.03)  # "3" is right by luck once
    assert row["accuracy"] < row["pass@2"] < row["pass@4"]
    assert "maj@4" in row


def test_a_model_that_comes_trained_is_examined_by_its_name(sums, context, tmp_path):
    folder = TINY.prepare(tmp_path / "named", lambda: ["some text 1 + 1"], seed=0)
    engine = FakeEngine([], [])
    Evaluate(benchmarks={"sums": sums}, engine=engine, model=Pretrained(folder)).run(context("baseline", "corpus"))
    assert engine.opened == [folder]


def test_a_failed_request_is_counted_and_wrong(sums, context):
    class Broken(FakeEngine):
        @contextmanager
        def open(self, model, cache):
            class Nothing(Session):
                def stream(self, requests):
                    for request in requests:
                        yield Completion(request.id, "", "error", error="boom")

            yield Nothing()

    ctx = context()
    Evaluate(benchmarks={"sums": sums}, engine=Broken([], [])).run(ctx)
    ctx.tally.check()
    assert ctx.tally.failed == {"the model gave no answer": QUESTIONS}
    assert accuracy(ctx)["student", "all"]["accuracy"] == 0


def test_answers_are_graded_again_without_a_model(sums, context):
    first = context("first")
    Evaluate(benchmarks={"sums": sums}, engine=FakeEngine([], []), samples=2, temperature=0.8).run(first)
    again = context("again", "pretrain")
    again.inputs = {"evaluation": Artifact(first.out)}
    Regrade(benchmarks={"sums": sums}).run(again)
    again.tally.check()
    assert again.tally.kept == 2 * QUESTIONS
    for name in ("accuracy.json", "samples.json", "predictions/00000.parquet", "costs.jsonl", "compute.json"):
        assert (first.out / name).read_bytes() == (again.out / name).read_bytes()


def test_a_line_separator_in_the_costs_of_answers_is_no_end_of_a_line(sums, context):
    first = context("first")
    Evaluate(benchmarks={"sums": sums}, engine=FakeEngine([], [])).run(first)
    costs = first.out / "costs.jsonl"
    rows = [json.loads(line) | {"note": "a\u2028b"} for line in costs.read_text().split("\n") if line]
    costs.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    again = context("again", "pretrain")
    again.inputs = {"evaluation": Artifact(first.out)}
    Regrade(benchmarks={"sums": sums}).run(again)
    assert again.tally.kept == QUESTIONS


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"benchmarks": {}}, "benchmarks"),
        ({"samples": 0}, "samples"),
        ({"samples": 2}, "temperature"),
        ({"shots": -1}, "shots"),
    ],
)
def test_senseless_options_are_refused(sums, options, match):
    with pytest.raises(ValueError, match=match):
        Evaluate(**{"benchmarks": {"sums": sums}, "engine": FakeEngine([], []), **options})


def test_an_error_names_the_benchmark(context, tmp_path):
    lost = FileBenchmark(path=str(tmp_path / "lost.jsonl"), fields={"question": "q", "answer": "a"})
    with pytest.raises(UserError, match=r"'sums'.*lost\.jsonl"):
        Evaluate(benchmarks={"sums": lost}, engine=FakeEngine([], [])).run(context())


@dataclass(frozen=True)
class Trusting(RewardModel):
    """Rewards an answer by the last digit of its last step."""

    def identity(self):
        return {}

    @contextmanager
    def open(self):
        class Digits(StepScorer):
            def score(self, partials):
                worth = [int("".join(c for c in p.steps[-1] if c.isdigit())[-1]) / 10 for p in partials]
                return [Scores((1.0,) * (len(p.steps) - 1) + (w,), 7) for p, w in zip(partials, worth, strict=True)]

        yield Digits()


DRAWN = {"samples": 2, "temperature": 0.8, "reward": Trusting("none")}


@pytest.mark.parametrize("kind", [Majority, BestOfN, WeightedMajority])
def test_a_decoding_gives_one_answer_a_question_and_tells_what_could_have_been(sums, context, kind):
    options = {} if kind is Majority else {"reward": Trusting("none")}
    decoding = kind(samples=4, temperature=0.8, **options)
    ctx = context()
    Evaluate(benchmarks={"sums": sums}, engine=FakeEngine([], []), decoding=decoding).run(ctx)
    row = accuracy(ctx)["student", "all"]
    assert (row["n"], row["samples"], row["mean_tokens"]) == (QUESTIONS, 1, 4 * 9)
    ctx.tally.check()
    lines = [json.loads(line) for line in (ctx.out / "candidates.jsonl").read_text().splitlines()]
    assert len(lines) == QUESTIONS and {len(line["candidates"]) for line in lines} == {4}
    oracle = sum(any(c["correct"] for c in line["candidates"]) for line in lines) / QUESTIONS
    right = sum(line["candidates"][line["chosen"]]["correct"] for line in lines) / QUESTIONS
    assert row["accuracy"] == right <= oracle == ctx.summary["sums/oracle"]
    (compute,) = json.loads((ctx.out / "compute.json").read_text())
    assert (compute["decoding"], compute["generated_tokens"]) == (kind.__name__, 4 * 9 * QUESTIONS)
    assert compute["prompt_tokens"] == 20 * QUESTIONS and (compute["scored_tokens"] > 0) == (kind is not Majority)


@pytest.mark.parametrize("kind", [Majority, BestOfN, WeightedMajority, Beam, Levin, Forest])
def test_what_was_chosen_is_graded_again_with_all_that_was_not(sums, context, kind):
    options = {} if kind is Majority else {"reward": Trusting("none")}
    decoding = kind(samples=4, temperature=0.8, **options)
    first, again = context("first"), context("again", "pretrain")
    Evaluate(benchmarks={"sums": sums}, engine=FakeEngine([], []), decoding=decoding).run(first)
    again.inputs = {"evaluation": Artifact(first.out)}
    Regrade(benchmarks={"sums": sums}, decoding=kind(samples=4, **options), temperature=0.8).run(again)
    files = ("accuracy.json", "samples.json", "predictions/00000.parquet", "costs.jsonl", "compute.json")
    for name in (*files, "candidates.jsonl"):
        assert (first.out / name).read_bytes() == (again.out / name).read_bytes()
    assert again.summary.items() <= first.summary.items() and "sums/oracle" in again.summary


@pytest.mark.parametrize(
    ("decoding", "told"),
    [
        (Levin(tokens=30, **DRAWN), "levin: 30 of 40 questions .* within decoding.tokens=30, max_tokens;"),
        (Beam(tokens=32, depth=9, **DRAWN), "beam: 30 .* within decoding.tokens=32, decoding.depth=9, max_tokens;"),
        (BestOfN(**DRAWN), "best_of_n: 30 of 40 .* within max_tokens;"),
        (Independent(), ""),  # whose table says how many of the answers were finished
    ],
)
def test_a_budget_too_small_for_one_answer_is_told_once(sums, context, caplog, decoding, told):
    class Cuts(FakeEngine):
        """Ends no answer to three questions of four."""

        @contextmanager
        def open(self, model, cache):
            class Ends(Session):
                def stream(self, requests):
                    for request in requests:
                        cut = int(request.prompt.partition("What is ")[2].split()[0]) % 4
                        tokens = min(9, request.sampling.max_tokens)
                        yield Completion(request.id, "3", "length" if cut else "stop", 20, tokens)

            yield Ends()

    ctx = context()
    Evaluate(benchmarks={"sums": sums}, engine=Cuts([], []), decoding=decoding).run(ctx)
    assert len(caplog.messages) == bool(told)
    assert re.search(told, " ".join(caplog.messages))
    (row,) = json.loads((ctx.out / "compute.json").read_text())
    assert row["cut_off"] == 30


def test_candidates_of_which_no_end_is_on_record_are_graded_again(sums, context):
    """As evaluations wrote them at first: the chosen answer's end is told by its costs, or by why it was wrong."""

    class Ending(FakeEngine):
        @contextmanager
        def open(self, model, cache):
            class Ends(Session):
                def stream(self, requests):
                    for i, request in enumerate(requests):
                        end = ("length", "error", "stop")[i // 4 % 3]
                        yield Completion(request.id, "" if end == "error" else "It is 3", end, 20, 9)

            yield Ends()

    options = {"decoding": BestOfN(samples=4, temperature=0.8, reward=Trusting("none"))}
    first, again = context("first"), context("again", "pretrain")
    Evaluate(benchmarks={"sums": sums}, engine=Ending([], []), **options).run(first)
    path = first.out / "candidates.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for candidate in (candidate for row in rows for candidate in row["candidates"]):
        del candidate["finish_reason"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    again.inputs = {"evaluation": Artifact(first.out)}
    Regrade(benchmarks={"sums": sums}, **options).run(again)
    for name in ("accuracy.json", "samples.json", "predictions/00000.parquet", "costs.jsonl", "compute.json"):
        assert (first.out / name).read_bytes() == (again.out / name).read_bytes()


def test_plain_sampling_has_the_key_that_it_had_and_another_decoding_its_own(sums):
    made = [
        Evaluate(benchmarks={"sums": sums}, engine=TransformersGenerator("m"), **options)
        for options in ({}, {"decoding": Independent()}, {"decoding": Majority(samples=4, temperature=0.5)})
    ]
    keys = [stage_key(stage, {}) for stage in made]
    assert keys[0] == keys[1] != keys[2]


def test_a_search_wants_a_reward_model_and_an_engine_that_tells_where_it_stopped(sums):
    options = {"benchmarks": {"sums": sums}, "decoding": Levin(samples=4, temperature=0.5)}
    local = Evaluate(engine=TransformersGenerator("m"), **options)
    with pytest.raises(UserError, match="none is named"):
        local.check_inputs({})
    local.check_inputs({"reward": Upstream(local, None)})
    served = Evaluate(engine=OpenAIGenerator(model="m", base_url="http://127.0.0.1:1/v1"), **options)
    with pytest.raises(UserError, match="server"):
        served.identity()
    by_program = replace(local, prompting="tool")
    with pytest.raises(UserError, match="goes on from steps of text"):
        by_program.identity()  # before anything is written


def test_a_model_may_reward_its_own_steps_and_a_server_cannot(sums, context, monkeypatch):
    monkeypatch.setattr(RewardModel, "open", lambda model: asked.append(model) or Trusting("none").open())
    asked = []
    decoding = BestOfN(samples=4, temperature=0.8, judge="likelihood")
    stage = Evaluate(benchmarks={"sums": sums}, engine=FakeEngine([], []), decoding=decoding)
    assert not stage.wants_reward and stage.check_inputs({}) is None
    ctx = context()
    stage.run(ctx)
    (model,) = asked
    assert model.judge == "likelihood" and model.place == str(ctx.inputs["pretrain"].path / "model")
    engine = OpenAIGenerator(model="m", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(UserError, match="a server answers"):
        Evaluate(benchmarks={"sums": sums}, engine=engine, decoding=decoding).identity()
    named = BestOfN(samples=4, temperature=0.8, judge="likelihood", reward="some/model")
    assert named.reward_model == RewardModel("some/model", judge="likelihood")

"""Step data and the reward model that learns from it, with an engine that adds, and slips."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from src.core.errors import UserError
from src.core.records import write_table
from src.core.stage import Artifact, StageContext
from src.evaluation.benchmark import FileBenchmark
from src.evaluation.decoding.rewards import RewardModel
from src.evaluation.step_labels import Step
from src.generation.base import Completion, Generator, Session
from src.generation.pool import Pool
from src.modeling.recipe import Recipe
from src.stages.reward import Reward
from src.stages.steps import StepData
from tests.modeling.tiny import CPU, TINY

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Slips(Generator):
    """Adds in two steps; by its seed it slips in the first one, or loses its way in the second."""

    @property
    def name(self):
        return "slips"

    @contextmanager
    def open(self, model, cache):
        class Adds(Session):
            def stream(self, requests):
                for request in requests:
                    question, _, written = request.prompt.partition("\n\n## Solution\n")
                    a, b = (int(word) for word in question.split() if word.isdigit())
                    steps = [
                        f"{a} + {b} = {a + b + (request.seed % 3 == 0)}.",
                        f"\\boxed{{{a + b + request.seed % 2}}}",
                    ]
                    text = "\n".join(steps[written.count("\n") :])
                    yield Completion(request.id, text, "stop", 10, 5)

        yield Adds()


@dataclass(frozen=True)
class Right(Slips):
    """Is always right, and ends its text itself; asked to go on behind its last line it says nothing more."""

    last: str = "The answer is {}."

    @contextmanager
    def open(self, model, cache):
        last = self.last

        class Adds(Session):
            def stream(self, requests):
                for request in requests:
                    question, _, written = request.prompt.partition("\n\n## Solution\n")
                    a, b = (int(word) for word in question.split() if word.isdigit())
                    steps = [f"{a} + {b} = {a + b}.", last.format(a + b)]
                    yield Completion(request.id, "\n".join(steps[written.count("\n") :]), "stop", 10, 5)

        yield Adds()


@pytest.fixture
def sums(tmp_path):
    for name, first in (("test", 100), ("dev", 0)):
        rows = ({"q": f"What is {i} and {i + 1} ?", "a": 2 * i + 1} for i in range(first, first + 40))
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fields = {"question": "q", "answer": "a"}
    dev = str(tmp_path / "dev.jsonl")
    return FileBenchmark(path=str(tmp_path / "test.jsonl"), dev_path=dev, fields=fields, answer_type="number")


def context(tmp_path, name, **inputs):
    (tmp_path / name).mkdir()
    return StageContext(tmp_path / name, tmp_path / "work" / name, inputs, tmp_path / "cache")


def test_steps_of_training_questions_alone_are_labelled(sums, tmp_path):
    ctx = context(tmp_path, "out")
    StepData(benchmarks={"sums": sums}, engine=Slips(), questions=30, solutions=4, rollouts=6).run(ctx)
    rows = list(Artifact(ctx.out).table("steps", Step))
    ctx.tally.check()
    assert ctx.tally.kept == len(rows) == sum(n for name, n in ctx.summary.items() if name.startswith("steps/"))
    assert {row.source for row in rows} == {"rollouts", "arithmetic", "planted"}
    assert len({row.question for row in rows}) == 30
    assert all(int(row.question.split()[2]) < 100 for row in rows)
    tested = {row.question_id for row in rows if row.tested}
    assert tested and not tested & {row.question_id for row in rows if not row.tested}
    for row in rows:
        a, b = (int(word) for word in row.question.split() if word.isdigit())
        if row.source == "arithmetic":
            assert row.share == 0 and f"= {a + b}." not in row.steps[0]
    true = [row.share for row in rows if row.source == "rollouts" and len(row.steps) == 1]
    assert any(0 < share < 1 for share in true)


@pytest.mark.parametrize("last", ["The answer is {}.", "\\boxed{{{}}}"])
def test_a_model_that_is_always_right_has_good_steps_alone_box_or_not(sums, tmp_path, last):
    ctx = context(tmp_path, "out")
    StepData(benchmarks={"sums": sums}, engine=Right(last), questions=10, solutions=1, planted=0.0).run(ctx)
    rows = list(Artifact(ctx.out).table("steps", Step))
    assert {(len(row.steps), row.share) for row in rows} == {(1, 1.0), (2, 1.0)}


def test_worked_solutions_are_good_steps_that_nobody_has_to_write(sums, tmp_path):
    rows = ({"q": f"What is {i} and 1 ?", "a": i + 1, "s": f"{i} + 1 = {i + 1}.\nSo {i + 1}."} for i in range(20))
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    worked = replace(sums, fields={"question": "q", "answer": "a", "solution": "s"})
    ctx = context(tmp_path, "out")
    options = {"questions": 5, "solutions": 2, "rollouts": 0, "references": 20}
    StepData(benchmarks={"sums": worked}, engine=Slips(), **options).run(ctx)
    found = list(Artifact(ctx.out).table("steps", Step))
    ctx.tally.check()
    assert sum(row.source == "reference" for row in found) == 40 and len({row.id for row in found}) == len(found)
    assert len({row.question_id for row in found if row.source in ("rollouts", "arithmetic")}) <= 5


def test_a_benchmark_without_a_training_part_is_refused(sums, tmp_path):
    bare = FileBenchmark(path=sums.path, fields=sums.fields, answer_type="number")
    with pytest.raises(UserError, match="training part"):
        StepData(benchmarks={"bare": bare}, engine=Slips()).run(context(tmp_path, "out"))


@pytest.mark.parametrize(("names", "asked"), [(["b"], {"b"}), (None, {"a", "b"})])
def test_questions_come_from_the_benchmarks_that_are_named(sums, names, asked):
    stage = StepData(benchmarks={"a": sums, "b": sums}, engine=Slips(), names=names)
    assert set(stage._learnt_from()) == asked


@pytest.mark.parametrize(("names", "told"), [(["lost"], "lost"), (["a", "lost"], "lost"), ([], "none")])
def test_names_of_no_benchmark_are_refused_with_those_there_are(sums, names, told):
    with pytest.raises(ValueError, match=f"names must be of the benchmarks a, b, not {told}"):
        StepData(benchmarks={"a": sums, "b": sums}, engine=Slips(), names=names)


def test_all_steps_kept_for_measuring_are_refused_before_any_is_written(sums):
    with pytest.raises(ValueError, match="tested must lie in"):
        StepData(benchmarks={"sums": sums}, engine=Slips(), tested=1.0)


def test_the_steps_do_not_hang_on_where_the_engine_runs(sums):
    ids = [
        {
            request.id
            for planned in StepData(benchmarks={"sums": sums}, engine=engine)._plan(None)
            for request in planned.requests
        }
        for engine in (Slips(), Pool(Slips()), Pool(Slips(), workers=4, address="127.0.0.1:9"))
    ]
    assert ids[0] and ids[0] == ids[1] == ids[2]


def test_a_reward_model_learns_which_steps_are_good(tmp_path):
    """ "yes" is a good step and "no" a bad one: what it says of others it has not seen."""
    rows = [
        Step(f"{word}{n}", f"q{n}", f"Is it {n}?", [word], float(word == "yes"), "rollouts", tested=n % 4 == 0)
        for n in range(60)
        for word in ("yes", "no")
    ]
    write_table(tmp_path / "steps" / "steps", Step, rows)
    model = TINY.prepare(tmp_path / "student" / "model", lambda: [f"Is it 1?\n{r.steps[0]} + -" for r in rows], 0)
    assert model == str(tmp_path / "student" / "model")
    inputs = {"steps": Artifact(tmp_path / "steps"), "pretrain": Artifact(tmp_path / "student")}
    ctx = context(tmp_path, "reward", **inputs)
    recipe = Recipe(lr=1e-2, epochs=6, sequence_length=128, batch_sequences=2)
    Reward(model=TINY, recipe=recipe, trainer=CPU).run(ctx)
    ctx.tally.check()
    assert ctx.tally.kept == 90
    report = json.loads((ctx.out / "report.json").read_text())
    assert report["own"]["n"] == 30 and report["own"]["auc"] == ctx.summary["own/auc"] > 0.99
    own = RewardModel(str(ctx.out))
    assert own.pinned() is own, "what the stage leaves is known as a reward model"
    assert report["own_by_likelihood"]["n"] == 30 and 0 <= ctx.summary["own_by_likelihood/auc"] <= 1

"""The whole method against an OpenAI-compatible server on loopback: all four kinds of asking, and embeddings."""

from collections import Counter

import pytest

from src.core.errors import UserError
from src.core.records import Problem, read_table
from src.core.store import Store
from src.core.tracking import NoTracker
from src.generation.budget import Ledger
from src.pipeline.launch import Local
from src.pipeline.runner import Runner
from tests.generation.tutor_server import task_of, tutoring
from tests.pipeline.composed import composed, nodes_of
from tests.stages.writers import table_bytes

pytestmark = pytest.mark.slow

EXAM = ("model", "base", "evaluate_base", "pretrain", "evaluate")
WORDS = (
    *("method=kpdds", "generator@teacher=compatible", "teacher.model=tutor", "teacher.api_key_env=null"),
    *("teacher.price={prompt: 1, completion: 2}", "teacher.timeout=120", "study=served"),
    *("embedder=openai", "embedder.server.api_key_env=null", "embedder.server.model=text-embedding-3-small"),
    *("benchmark@seeds.benchmarks=procedural_seen", "seeds.benchmarks.procedural_seen.n=40", "compositions.count=40"),
    *("answers.samples=5", "topics.threshold=0.8", "benchmark=[procedural_seen]", "clean.decontamination=null"),
)


def run(folder, server, *words):
    urls = (f"teacher.base_url={server.url}", f"embedder.server.base_url={server.url}")
    nodes = [node for name, node in nodes_of(composed(*WORDS, *urls, *words)).items() if name not in EXAM]
    tracker = NoTracker().start("s", "n", "i", {}, folder)
    runner = Runner(Store(folder / "store"), Local(isolate=False), tracker, folder / "cache", "test", lambda _: None)
    return runner.walk(nodes)


def kinds(server):
    """How often each kind of question was asked."""
    return Counter("embedding" if "input" in b else task_of(b["messages"][0]["content"]) for b in server.bodies)


def spent(folder):
    return Ledger(folder / "cache" / "ledger.sqlite").spent("served")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed: folder, artifacts and questions by kind."""
    folder = tmp_path_factory.mktemp("whole")
    with tutoring() as server:
        return folder, run(folder, server), kinds(server)


def test_each_kind_is_asked_as_often_as_the_stages_say_and_billed_to_one_account(whole):
    folder, made, asked = whole
    told = {name: artifact.manifest["metrics"] for name, artifact in made.items()}
    assert asked["key_points"] == told["key_points"]["calls"] == 40
    assert asked["question"] == told["questions"]["calls"] == 40
    assert asked["rating"] == told["rating"]["calls"] == made["questions"].count("questions")
    assert asked["answer"] == told["answers"]["calls"] == 5 * made["rating"].count("questions")
    assert asked["embedding"] == told["topics"]["key_points"]
    assert spent(folder).calls == asked.total()
    dollars = sum(metrics.get("dollars", 0) for metrics in told.values())
    assert spent(folder).dollars == pytest.approx(dollars + asked["embedding"] * 5 * 0.02e-6)


def test_problems_come_of_it(whole):
    problems = list(read_table(whole[1]["clean"].path / "problems", Problem))
    assert problems and all(problem.generator == "tutor" for problem in problems)
    assert "merged into another topic" in whole[1]["topics"].manifest["counts"]["rejected"]


def test_with_faults_and_a_fresh_store_nothing_is_paid_twice_and_the_data_are_the_same(whole, tmp_path):
    _, made, asked = whole
    with tutoring(lambda number, body: "hang up" if number % 7 == 3 else None) as server:
        again = run(tmp_path, server)
        assert kinds(server).total() > asked.total()
        delivered = len(server.bodies)
        (tmp_path / "store").rename(tmp_path / "before")
        third = run(tmp_path, server)
        assert len(server.bodies) == delivered
    for other in (again, third):
        assert table_bytes(other["consensus"].path / "generations") == table_bytes(
            made["consensus"].path / "generations"
        )


@pytest.mark.parametrize("percent", [7, 50, 90])  # of the calls: in key_points, in the middle, and in answers
def test_one_budget_holds_for_all_kinds_of_asking(whole, tmp_path, percent):
    limit = whole[2].total() * percent // 100
    bounds = (f"teacher.budget.max_calls={limit}", f"embedder.server.budget.max_calls={limit}")
    with tutoring() as server:
        with pytest.raises(UserError, match="The budget of served is used up"):
            run(tmp_path, server, *bounds)
        # What was booked and on its way when the budget ended stays booked, whether it has left or not.
        assert len(server.bodies) <= spent(tmp_path).calls == limit
        assert len(server.bodies) >= max(1, limit - 32)  # that many may be on their way
    assert not list((tmp_path / "store").glob("consensus/*/manifest.json"))

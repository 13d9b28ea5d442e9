"""The rating of the prover's statements against an OpenAI-compatible server on loopback."""

import shutil
from itertools import pairwise

import pytest

from src.core.errors import UserError
from src.core.store import Store
from src.core.tracking import NoTracker
from src.generation.budget import Ledger
from src.pipeline.launch import Local
from src.pipeline.runner import Runner
from src.theorems.posed import TRIVIAL, Posed
from tests.generation.tutor_server import task_of, tutoring
from tests.pipeline.composed import composed, nodes_of
from tests.stages.writers import table_bytes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("coqtop"), reason="Rocq is not installed: apt-get install coq"),
    pytest.mark.usefixtures("isolation"),
]
DATA = ("statements", "well_formed", "rating", "consistent")
WORDS = (
    *("method=prover", "generator@teacher=compatible", "teacher.model=judge", "teacher.api_key_env=null"),
    *("teacher.price={prompt: 1, completion: 2}", "teacher.timeout=120", "study=served", "theorems.n=40"),
    *("theorems.error_rate=0.6", "rating.raters=2"),
)


def run(folder, server, *words):
    nodes = nodes_of(composed(*WORDS, f"teacher.base_url={server.url}", *words))
    tracker = NoTracker().start("s", "n", "i", {}, folder)
    runner = Runner(Store(folder / "store"), Local(isolate=False), tracker, folder / "cache", "test", lambda _: None)
    return runner.walk([nodes[name] for name in DATA])


def spent(folder):
    return Ledger(folder / "cache" / "ledger.sqlite").spent("served")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    with tutoring() as server:
        return folder, run(folder, server), server.bodies


def test_each_statement_is_graded_by_each_rater_and_billed(whole):
    folder, made, bodies = whole
    metrics, entered = made["rating"].manifest["metrics"], made["well_formed"].count("statements")
    assert {task_of(body["messages"][0]["content"]) for body in bodies} == {"statement_rating"}
    assert len(bodies) == metrics["calls"] == 2 * entered
    assert spent(folder).calls == len(bodies) and spent(folder).dollars == pytest.approx(metrics["dollars"])
    assert metrics["dollars"] > 0


def test_every_arrow_reconciles_and_trivial_statements_go(whole):
    _, made, _ = whole
    counts = {name: made[name].manifest["counts"] for name in DATA}
    for before, after in pairwise(DATA):
        assert counts[after]["in"] == counts[before]["kept"]
    for each in counts.values():
        assert each["in"] == each["kept"] + sum(each["rejected"].values()) + sum(each["failed"].values())
    assert counts["rating"]["rejected"].keys() == {"rated below 0.5"}
    metrics = made["rating"].manifest["metrics"]
    assert metrics["rating/planted"] > 0 and metrics["rating/recall"] > 0.5
    trivial = [row for row in made["consistent"].table("statements", Posed) if row.fault == TRIVIAL]
    assert len(trivial) <= metrics["rating/planted"] - metrics["rating/hits"]


def test_a_budget_stops_it_and_with_more_the_same_command_pays_the_rest_alone(whole, tmp_path):
    _, made, bodies = whole
    limit = len(bodies) // 2
    with tutoring(lambda number, body: "hang up" if number % 7 == 3 else None) as server:
        with pytest.raises(UserError, match="The budget of served is used up"):
            run(tmp_path, server, f"teacher.budget.max_calls={limit}")
        assert not list((tmp_path / "store").glob("consistent/*/manifest.json"))
        again = run(tmp_path, server)
    assert table_bytes(again["consistent"].path / "statements") == table_bytes(made["consistent"].path / "statements")
    assert again["rating"].manifest["metrics"]["calls"] == len(bodies)
    assert spent(tmp_path).calls >= len(bodies)


def test_another_run_of_the_same_statements_pays_nothing(whole):
    folder, _, bodies = whole
    (folder / "store").rename(folder / "before")
    with tutoring() as server:
        rating = run(folder, server)["rating"]
        assert not server.bodies
    assert rating.manifest["metrics"]["calls"] == len(bodies)

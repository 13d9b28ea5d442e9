"""A method of one's own is one Python file and one option file; everything else works with it as it stands."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
METHOD = """
from src.pipeline.graph import Graph
from src.stages.corpus import Corpus
from src.stages.distil import Distil
from src.stages.prompts import Prompts


def asking(graph: Graph) -> None:
    texts = graph.add("texts", graph.stage(Corpus, "passages", reader="corpus"))
    lessons = graph.add("lessons", graph.stage(Prompts, "prompts", prompt_set="prompt_set"), passages=texts)
    graph.add("answers", graph.stage(Distil, "distil", "asking", teacher="teacher"), prompts=lessons)
"""
OPTIONS = """# @package _global_
# The teacher is asked, and that is all.
method: src.methods.asking.asking
asking: {calls: 20}
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "src/methods/asking.py").write_text(METHOD)
    (folder / "conf/method/asking.yaml").write_text(OPTIONS)
    return folder


def run(checkout, module, *words):
    command = [sys.executable, "-m", f"src.{module}", *words]
    environment = {**os.environ, "PYTHONPATH": "", "COLUMNS": "200"}
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


WORDS = ["method=asking", "study=mine", "passages.limit=60", "corpus.libraries=[mpmath]", "tracker.mode=offline"]


@pytest.fixture(scope="module")
def outputs(checkout):
    run(checkout, "train", *WORDS)
    return checkout / "outputs"


def problems(outputs):
    from src.core.records import Problem, read_table

    (folder,) = (outputs / "store/distil").glob("*/problems")
    return list(read_table(folder, Problem))


def test_a_plan_prices_it(checkout):
    plan = run(checkout, "train", *WORDS, "plan=true", "outputs=elsewhere")
    assert [line.split()[0] for line in plan.splitlines()[1:4]] == ["texts", "lessons", "answers"]
    assert "3 nodes: 0 reused, 3 to do. Estimate: 20 calls" in plan


def test_a_run_makes_every_node_once(checkout, outputs):
    record = json.loads((outputs / "runs/mine/main-s0/run.json").read_text())
    assert [(node["node"], node["kind"]) for node in record["nodes"]] == [
        ("texts", "corpus"),
        ("lessons", "prompts"),
        ("answers", "distil"),
    ]
    assert record["status"] == "complete"


def test_a_report_tells_of_it(checkout, outputs):
    run(checkout, "report", "study=mine")
    page = (outputs / "reports/mine/index.html").read_text()
    for part in ("texts", "lessons", "answers", "What was written", problems(outputs)[0].generator):
        assert part in page


def test_a_row_is_traced_through_it(checkout, outputs):
    problem = problems(outputs)[0]
    told = run(checkout, "trace", problem.id)
    for part in (f"problem of the teacher {problem.generator}", f"prompt {problem.prompt_id}", problem.passage_id):
        assert part in told


def test_its_curves_and_results_reach_weights_and_biases(outputs):
    (recorded,) = (outputs / "wandb").glob("offline-run-*/run-*.wandb")
    content = recorded.read_bytes()
    for metric in (b"answers/calls", b"lessons/kept", b"texts/seconds"):
        assert metric in content

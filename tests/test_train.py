"""The commands as a user types them: the whole method with real engines, on a corner of the data."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from src.reporting.collect import studies

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
BEFORE_SELECTION = ["corpus", "prompts", "distill_1", "evaluate_base", "synthesizer_1", "candidates", "select"]
NODES = [*BEFORE_SELECTION, "distill_2", "synthesizer_2", "generate", "clean", "pretrain", "evaluate"]
CORNER = [
    "tracker=none",
    "generator@synthesis=vllm",
    "passages.limit=150",
    "round_1.calls=50",
    "round_2.calls=15",
    "candidates.prompts=40",
    "generate.prompts=40",
    "sft.n=150",
    "synthesizer.recipe.epochs=8",  # enough to learn the format
    "pretrain.recipe.epochs=1",  # nobody asks what the student has learnt
    "benchmark=[procedural_seen]",
    "benchmark.procedural_seen.n=16",
    "selector.target_rows=16",
]


def train(outputs, *words):
    given = {word.partition("=")[0] for word in words}
    corner = [word for word in CORNER if word.partition("=")[0] not in given]
    command = [sys.executable, "-m", "src.train", *corner, f"outputs={outputs}", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})


def run_record(outputs, job):
    return json.loads((outputs / "runs" / job / "run.json").read_text())


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    done = train(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.vllm
class TestTheWholeMethod:
    def test_every_node_was_made_and_the_page_is_there(self, outputs):
        record = run_record(outputs, "demo/main-s0")
        assert record["status"] == "complete"
        assert [node["node"] for node in record["nodes"]] == NODES
        assert not any(node["reused"] for node in record["nodes"])
        page = (outputs / "reports/demo/index.html").read_text()
        assert "procedural seen" in page.lower()

    def test_every_stage_accounts_for_its_rows(self, outputs):
        for path in (outputs / "store").glob("*/*/manifest.json"):
            counts = json.loads(path.read_text())["counts"]
            left = counts["kept"] + sum(counts["rejected"].values()) + sum(counts["failed"].values())
            assert counts["in"] == left, path

    def test_typed_again_it_executes_nothing(self, outputs):
        done = train(outputs)
        assert done.returncode == 0, done.stderr
        assert all(node["reused"] for node in run_record(outputs, "demo/main-s0")["nodes"])

    def test_a_sweep_with_a_wrong_job_runs_none_and_names_it(self, outputs):
        done = train(outputs, "study=sweep", "name=n${sft.n}", "sft.n=0,150", "-m")
        assert done.returncode == 1
        assert "sft: n must be at least 1, not 0  [sft.n=0]" in done.stderr
        assert not (outputs / "runs/sweep").exists()


@pytest.mark.parametrize("words", [["--help"], ["--cfg", "job"], ["seed=1", "--cfg", "job"]])
def test_asking_what_there_is_loads_no_ml_library(words):
    command = [sys.executable, "-X", "importtime", "-m", "src.train", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "hydra" in loaded
    assert loaded.isdisjoint({"torch", "transformers", "vllm", "pytorch_lightning", "pyarrow", "sympy"})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["selectr=random", "sed=3"], ["selectr: no such option", "sed: no such option; did you mean 'seed'?"]),
        (["corpus=jsonl", "corpus.files=/nowhere.jsonl"], ["/nowhere.jsonl"]),
        (["study=a/b"], ["study=a/b names no folder of its own"]),
        (
            ["clean=basic,off", "plan=true", "-m"],
            ["2 jobs of this sweep are called main-s0"],
        ),
        (
            ["round_1.calls=0", "pretrain.recipe.lr=-1"],
            ["2 mistakes", "calls must be at least 1", "lr must be above 0"],
        ),
        (["model=hf", "model.name=./no_model"], ["no_model"]),
        (["synthesizer.recipe.lr=fast"], ["synthesizer.recipe.lr: 'fast' does not fit"]),
    ],
)
def test_a_mistake_ends_the_command_with_its_text_alone(words, expected, tmp_path):
    done = train(tmp_path, *words)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for part in expected:
        assert part in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_plan_runs_nothing(tmp_path):
    done = train(tmp_path, "plan=true")
    assert done.returncode == 0
    assert "13 nodes: 0 reused, 13 to do" in done.stdout
    assert not (tmp_path / "store").exists()


def test_a_plan_leaves_nothing_that_a_report_would_count(tmp_path):
    done = train(tmp_path, "clean=basic,off", "name=${choice:clean}", "plan=true", "-m")
    assert done.returncode == 0, done.stderr
    assert studies(tmp_path) == []

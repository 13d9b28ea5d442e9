"""Studies run by several processes at once: whatever jobs share is made once, and nothing is lost."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from src.config import resolvers, schema
from src.config.mistakes import Mistakes
from src.config.overrides import CONF, CommandLine, compose_command
from src.reporting.collect import collect
from tests.test_train import CORNER, ROOT, train

STUDY = ["study=race", "seed=0,1", "evaluate.baseline=false"]


def executions(outputs: Path) -> list[str]:
    """The nodes of all jobs that were made and not found."""
    records = [json.loads(path.read_text()) for path in (outputs / "runs" / "race").glob("*/run.json")]
    return sorted(
        f"{node['node']} {node['key']}" for record in records for node in record["nodes"] if not node["reused"]
    )


def check(outputs: Path, jobs: int) -> None:
    study = collect(outputs, "race")
    assert [job.status for job in study.jobs] == ["complete"] * jobs
    assert len(study.artifacts) == 11 + 2 * jobs, "seeds share all that comes before the student"
    assert not list((outputs / "store").glob("*/*.partial"))
    assert study.jobs[0].command.startswith("python -m src.train ")


@pytest.mark.long
@pytest.mark.vllm
def test_parallel_jobs_make_what_they_share_once(tmp_path):
    done = train(tmp_path, *STUDY, "hydra/launcher=parallel", "-m")
    assert done.returncode == 0, done.stderr
    check(tmp_path, 2)
    made = executions(tmp_path)
    assert len(made) == len(set(made)) == 15
    assert "another run is making it; waiting" in done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.vllm
def test_two_launches_of_one_study_at_the_same_time(tmp_path):
    command = [sys.executable, "-m", "src.train", *CORNER, f"outputs={tmp_path}", *STUDY, "-m"]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate()[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    check(tmp_path, 2)
    assert (
        json.loads(next((tmp_path / "store" / "pretrain").glob("*/manifest.json")).read_text())["stage"] == "pretrain"
    )


@pytest.mark.slow
def test_jobs_are_composed_in_the_processes_of_a_launcher(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    rows = tmp_path / "answers.jsonl"
    rows.write_text('{"gold": "3", "prediction": "So \\\\boxed{3}."}\n')
    words = ["evaluate", f"rows={rows}", f"outputs={tmp_path}", "study=race", "name=a,b", "tracker=none", "-m"]
    command = [sys.executable, "-m", "src.stage", *words, "hydra/launcher=parallel"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {job.name: job.status for job in collect(tmp_path, "race").jobs} == dict.fromkeys(
        ("a-s0", "b-s0"), "complete"
    )


@pytest.mark.parametrize(("preset", "plugin"), [("parallel", "joblib"), ("slurm", "submitit"), ("ray_tasks", "ray")])
def test_presets_are_the_plugins_launchers(preset, plugin):
    pytest.importorskip(f"hydra_plugins.hydra_{plugin}_launcher")
    schema.register()
    resolvers.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydra = compose("config", overrides=[f"hydra/launcher={preset}"], return_hydra_config=True).hydra
    assert f".hydra_{plugin}_launcher." in hydra.launcher._target_


def mistakes_in(words):
    mistakes = Mistakes()
    compose_command(CommandLine.parse(words), "config", mistakes)
    return mistakes


@pytest.mark.parametrize("words", [["hydra/launcher=joblib", "hydra.launcher.n_jobs=1"], ["hydra/launcher=parallel"]])
def test_launchers_of_plugins_may_be_typed(words):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    assert mistakes_in(words) == []


@pytest.mark.slow
def test_a_wrong_option_of_a_launcher_is_found():
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    (mistake,) = mistakes_in(["hydra/launcher=joblib", "hydra.launcher.njobs=1"])
    assert mistake == "hydra.launcher.njobs: no such option; did you mean 'n_jobs'?"


def test_resolvers_travel_with_a_job_to_another_process():
    code = "import pickle, sys; pickle.loads(sys.stdin.buffer.read()); from omegaconf import OmegaConf as o; "
    code += "print(o.has_resolver('choice'))"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(resolvers.Registered()), capture_output=True)
    assert done.stdout.strip() == b"True", done.stderr

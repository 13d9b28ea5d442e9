import os
import subprocess
import sys

import pytest
from hydra.errors import ConfigCompositionException

from src.config import resolvers, schema
from src.config.overrides import CONF
from src.pipeline.command import run_command, run_or_plan


@pytest.fixture(autouse=True)
def registered():
    schema.register()
    resolvers.register()


def never():
    raise AssertionError("ran")


def test_nothing_runs_after_a_mistake():
    with pytest.raises(SystemExit) as end:
        run_command(never, ["sed=1"], "evaluate")
    assert "sed: no such option" in str(end.value)


@pytest.mark.parametrize(
    ("config", "names", "told"),
    [
        ("evaluate", ["every"], "every = null\n      only each n-th question of every benchmark"),
        ("evaluate", ["engine.seed_"], "no such option of"),
        ("report", ["baseline"], "baseline = null\n      the arm that the others are compared with"),
        ("config", ["model=hf", "seed"], "seed = 0\n      of the student's training"),
        ("config", ["+experiment=ablation_rounds"], "Question: Does a second round of distillation"),
        ("config", ["+experiment=ablation_rounds"], "Sweep over rounds: 2,1"),
        ("config", ["method=direct"], "distil.pilot  int|null  = null"),
        ("config", ["teacher.budget"], "--help generator@teacher=anthropic teacher.budget"),
        ("config", ["generator@teacher=anthropic", "teacher.price"], "dollars for a million tokens of this model"),
    ],
)
def test_help_explains_what_is_named(config, names, told, capsys):
    run = run_or_plan if config == "config" else run_command
    try:
        run(never, ["--help", *names], config)
    except SystemExit as end:
        assert told in str(end)
    else:
        assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "told"),
    [("selectr=random", "selectr: no such option"), ("clean=basik", "clean=basik: no such option; did you mean")],
)
def test_a_question_with_a_mistake_is_answered_in_words_of_ours(word, told, monkeypatch):
    def fails():
        raise ConfigCompositionException("Could not override. To append to your config use +")

    monkeypatch.setattr(sys, "argv", ["x"])
    with pytest.raises(SystemExit) as end:
        run_or_plan(fails, ["--cfg", "job", word], "config")
    assert told in str(end.value) and "append" not in str(end.value)


A_JOB_FAILS = """
import hydra
from src.config.overrides import CommandLine
from src.core.errors import UserError
from src.pipeline.command import _start

@hydra.main(version_base="1.3", config_path=None)
def run(cfg):
    print("seed", cfg.seed)
    if cfg.seed == 1:
        raise UserError("No card.", "Ask for one.")

if __name__ == "__main__":
    _start(run, CommandLine(["-m"], ["+seed=1,2", "hydra.sweep.dir=sweep"], multirun=True, runs=True), "config")
"""


@pytest.mark.slow
def test_a_sweep_in_which_a_job_failed_ends_with_its_message_alone(tmp_path):
    (tmp_path / "sweep.py").write_text(A_JOB_FAILS)
    environment = {**os.environ, "PYTHONPATH": str(CONF.parent)}
    environment.pop("HYDRA_FULL_ERROR", None)
    command = [sys.executable, "sweep.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.endswith("No card.\n  -> Ask for one.\n")
    assert "seed 1\n" in done.stdout and "seed 2\n" in done.stdout
    assert "Traceback" not in done.stderr and "HYDRA_FULL_ERROR" not in done.stderr


def test_what_may_pass_its_budget_is_told_before_it_runs(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setattr(sys, "argv", ["train"])
    paid = ["generator@teacher=openai", "teacher.budget.max_dollars=0.01"]
    run_or_plan(lambda: None, [*paid, f"outputs={tmp_path}"], "config")
    assert "Over the budget: " in capsys.readouterr().err


def test_overrides_that_hang_on_the_jobs_are_handed_on(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x"])
    given = []
    run_or_plan(
        lambda: given.extend(sys.argv[1:]),
        ["tracker=none"],
        "config",
        lambda jobs: [f"name={len(jobs)}_{jobs[0].name}"],
    )
    assert given == ["tracker=none", "name=1_main"]


HYDRAS = [path.stem for path in sorted((CONF.parent / "src").glob("*.py")) if "@hydra.main" in path.read_text()]


@pytest.mark.slow
@pytest.mark.parametrize("name", HYDRAS)
def test_every_command_that_hydra_serves_has_its_own_help(name):
    command = [sys.executable, "-m", f"src.{name}", "--help"]
    done = subprocess.run(command, cwd=CONF.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"python -m src.{name} " in done.stdout

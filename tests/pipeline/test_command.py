import sys

import pytest

from src.config import resolvers, schema
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

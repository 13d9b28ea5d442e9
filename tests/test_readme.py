"""Every command that the pages print composes as printed."""

import re
import shlex
from pathlib import Path

import pytest

from src import evaluate, stage
from src.config import resolvers, schema
from src.config.mistakes import Mistakes
from src.config.overrides import CommandLine, compose_command

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "experiments/README.md")
PRINTED = re.compile(r"^ *python -m src\.(train|stage|evaluate|report) (.*?)(?:\s{2,}#.*)?$", re.MULTILINE)
COMMANDS = list(dict.fromkeys(found for page in PAGES for found in PRINTED.findall((ROOT / page).read_text())))
CONFIGS = {"train": "config"}  # others are called as their command
SPELLED_OUT = {"stage": stage.spelled_out, "evaluate": evaluate.spelled_out}


def test_there_are_commands_of_every_kind():
    assert {program for program, _ in COMMANDS} == {"train", "stage", "evaluate", "report"}
    assert len(COMMANDS) >= 20


@pytest.mark.parametrize("term", ["teacher", "synthesizer", "student", "base", "influence", "WSD", "arm"])
def test_a_term_of_this_project_is_defined_once(term):
    glossary = (ROOT / "README.md").read_text().split("| word | what it means here |")[1].split("\n\n")[0]
    assert glossary.count(f"\n| {term} | ") == 1


def test_the_selector_that_is_shown_is_the_one_that_runs():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    shown = dict(re.findall(r"^```(python|yaml)\n(@dataclass.*?|# .*?)^```", page, re.MULTILINE | re.DOTALL))
    assert shown["python"] in (ROOT / "src" / "selection" / "baselines.py").read_text()
    assert shown["yaml"] == (ROOT / "conf" / "selector" / "length.yaml").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("program", "command"), COMMANDS)
def test_the_options_of_a_printed_command_exist(program, command):
    schema.register()
    resolvers.register()
    mistakes = Mistakes()
    words = SPELLED_OUT.get(program, list)(shlex.split(command))
    sweeps = program in ("train", "stage")
    compose_command(CommandLine.parse(words), CONFIGS.get(program, program), mistakes, sweeps=sweeps)
    assert [line for line in mistakes if "is not installed" not in line] == []

"""Every command in the README composes and preflights as printed."""

import re
import shlex
from pathlib import Path

import pytest

from src.config import resolvers, schema
from src.config.mistakes import Mistakes
from src.config.overrides import CommandLine, compose_command

README = (Path(__file__).parents[1] / "README.md").read_text()
COMMANDS = re.findall(r"^python -m src\.train (.*?)(?:\s{2,}#.*)?$", README, re.MULTILINE)


def test_there_are_commands():
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_of_a_printed_command_exist(command):
    schema.register()
    resolvers.register()
    mistakes = Mistakes()
    compose_command(CommandLine.parse(shlex.split(command)), "config", mistakes)
    assert mistakes == []

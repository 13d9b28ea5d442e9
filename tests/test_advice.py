"""Every option that a message tells to set is one that can be set."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.config import resolvers, schema
from src.config.explain import _options_with, explain
from src.config.mistakes import Mistakes
from src.config.overrides import CONF, CommandLine, compose_command
from src.core.errors import UserError
from src.pipeline.graph import draw
from src.pipeline.sweep import _as_hydra_config, _plain_where_it_can_be

ROOT = Path(__file__).parents[1]
TELLS = {"UserError", "add", "warning", "error", "info"}  # calls whose texts a user reads
OPTION = re.compile(r"(?<![\w.{/<'\"=:-])([a-z_]+(?:@[a-z_]+)?(?:\.[a-z_]+)*)=(?=[\w\[{'\"/.])")
FILLED_BY = {"teacher": "generator", "synthesis": "generator", "engine": "generator"}
NO_OPTIONS = {  # what is written alike
    "key",  # "write key=value"
    "address",  # ray start --address=HEAD:6379
    "n", "class", "nodes", "processes", "rendezvous",
}  # fmt: skip


def advised() -> Iterator[str]:
    for path in sorted((ROOT / "src").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in TELLS:
                for text in _texts(call):
                    yield from OPTION.findall(text)


def _texts(call: ast.Call) -> Iterator[str]:
    """Each literal of the call; what an f-string fills in stands as X."""
    for node in (node for argument in (*call.args, *(k.value for k in call.keywords)) for node in ast.walk(argument)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def programs():
    """What can be typed: the configuration of each command, and what its sections feed."""
    schema.register()
    resolvers.register()
    stages = [("stage", [f"stage={path.stem}", "rows=x.jsonl"]) for path in sorted((CONF / "stage").glob("*.yaml"))]
    found = []
    for program, words in (("config", []), *stages, ("evaluate", ["model.name=x"]), ("report", ["study=x"])):
        (job,) = compose_command(CommandLine.parse(words), program, Mistakes()).jobs
        with _as_hydra_config(job):
            config = _plain_where_it_can_be(job)
        found.append((config, draw(config, Mistakes()).feeds if "method" in config else {}))
    return found


def _is_known(option: str, programs) -> bool:
    group, field = option.partition("@")[0].split(".")[0], option.rpartition(".")[2]
    if "@" in option or "." not in option:
        return (CONF / group).is_dir() or any(group in config for config, _ in programs) or _is_a_field(field)
    if _options_with(FILLED_BY.get(group, group), option.split(".")[1]):
        return True
    for config, feeds in programs:
        try:
            list(explain(option, config, feeds))
            return True
        except UserError:
            continue
    return False


def _is_a_field(name: str) -> bool:
    """Of a component: its message says beside the name whose option it is."""
    return any(_options_with(group.name, name) for group in CONF.iterdir() if group.is_dir())


@pytest.mark.slow
def test_every_advised_option_can_be_set(programs):
    found = set(advised()) - NO_OPTIONS
    assert {"pretrain.unchecked", "programs", "decoding.reward", "trainer.attention"} <= found
    assert {option for option in found if not _is_known(option, programs)} == set()

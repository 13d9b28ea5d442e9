"""Put benchmarks to any model: `python -m src.evaluate model=DIR benchmark=[gsm8k,math500]`.

Prints a table and leaves `accuracy.json`, `predictions/`, `samples.json`, `costs.jsonl` and `conditions.json` in
`outputs/evaluations/<name>-<key>/`, where the key says with which options: no evaluation replaces another. The same
command again goes on where it was, or shows what is there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from src.config import resolvers
from src.config.overrides import CONF, exit_on_user_error
from src.core import stopping
from src.core.command import command_line
from src.core.errors import UserError
from src.core.secrets import hide_secrets
from src.pipeline.command import run_command

MODEL, NAME = "model=", "model.name="

resolvers.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    """Evaluate `config.model`, or look at earlier evaluations."""
    with exit_on_user_error():
        run(config)


def run(config: DictConfig) -> None:
    """The command's work. Raises UserError for what the user can mend."""
    stopping.keep_open_pipes()
    from src.config.build import build
    from src.evaluation.compare import compare
    from src.evaluation.disagreements import disagreements
    from src.pipeline.evaluations import Evaluations, evaluation_node, model_label
    from src.reporting.evaluated import asked, table, write_leaderboard

    evaluations = Evaluations(Path(config.outputs).expanduser())
    if config.compare:
        pair = [(name, evaluations.find(name)[1]) for name in two(config.compare)]
        print(compare(*pair))
        print("", *(f"{name}: {asked(made)}" for name, made in pair), sep="\n")
    elif config.disagreements:
        print(disagreements(evaluations.find(config.disagreements)[1]))
    elif config.regrade:
        folder = evaluations.regrade(config.regrade, command_line(), print)
        print(f"{table(folder)}\n{folder}/")
    else:
        first: Any = OmegaConf.to_container(config)
        config.name = config.name or model_label(first)
        plain: Any = OmegaConf.to_container(config, resolve=True)
        compute = build(plain["compute"], "compute")
        folder = evaluations.evaluate(evaluation_node(plain), config.name, compute, command_line(), print)
        print(f"{table(folder)}\n{folder}/")
    if evaluations.all():
        print(f"All evaluations: {write_leaderboard(evaluations.folder, evaluations.all())}")


def two(names: Sequence[str]) -> Sequence[str]:
    """Raises UserError for any other number of names."""
    if len(names) != 2:
        raise UserError(f"compare takes two names, not {len(names)}.", "Write compare=[A,B].")
    return names


def spelled_out(words: Sequence[str]) -> list[str]:
    """The command line with model=DIR as model=hf model.name=DIR, for `model` is a group; its options stay. Raises
    UserError for a model.name beside it that is another."""
    options = {path.stem for path in (CONF / "model").glob("*.yaml")}
    spelled: list[str] = []
    for word in words:
        named = word.startswith(MODEL) and not set(word.removeprefix(MODEL).split(",")) <= options
        others = {word.removeprefix(NAME) for word in words if word.startswith(NAME)} - {word.removeprefix(MODEL)}
        if named and others:
            raise UserError(f"{word} and {NAME}{others.pop()}: two values of one option.", "Take one of them away.")
        spelled += ["model=hf", f"model.name={word.removeprefix(MODEL)}"] if named else [word]
    return spelled


if __name__ == "__main__":
    hide_secrets()
    with exit_on_user_error():
        sys.argv[1:] = spelled_out(sys.argv[1:])
    with stopping.command():
        run_command(main, sys.argv[1:], "evaluate")

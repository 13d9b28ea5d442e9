"""All jobs of a command, checked before the first of them runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from src.config.explain import comment_of, explain
from src.config.mistakes import ConfigError, Mistakes
from src.config.overrides import CONF, LOOK, CommandLine, compose_command
from src.core.errors import UserError
from src.pipeline.graph import draw
from src.pipeline.job import Job, plain_config
from src.pipeline.preflight import missing

ON_THIS_MACHINE = ("BasicLauncher", "JoblibLauncher")  # others' jobs look around themselves, where they are


def check_command(command: CommandLine, config_name: str) -> tuple[CommandLine, list[Job]]:
    """Compose and build every job; the command as Hydra is to be given it, and its jobs. Raises one `UserError` that
    lists all mistakes of all jobs; a mistake that not all of them share names those that have it."""
    mistakes = Mistakes()
    composed = compose_command(command, config_name, mistakes)
    found: dict[str, list[int]] = {}
    jobs = []
    for number, config in enumerate(composed.jobs):
        try:
            with _as_hydra_config(config):
                jobs.append(Job(config))
        except ConfigError as error:
            for line in error.mistakes:
                found.setdefault(line, []).append(number)
        except UserError as error:
            found.setdefault(str(error), []).append(number)
    names = _names(composed.jobs)
    for line, wrong in found.items():
        where = "" if len(wrong) == len(composed.jobs) else f"  [{'; '.join(names[number] for number in wrong)}]"
        if line not in mistakes:
            mistakes.append(f"{line}{where}")
    _check_folders(jobs, mistakes)
    mistakes.raise_if_any(LOOK)
    if not jobs[0].config["plan"] and composed.jobs[0].hydra.launcher._target_.rpartition(".")[2] in ON_THIS_MACHINE:
        _check_machine(jobs)
    return replace(command, overrides=composed.overrides or command.overrides), jobs


def explain_command(command: CommandLine, config_name: str) -> Iterator[str]:
    """Lines about each name behind `--help`; `group=option` is described as if it were chosen, and a method, a stage or
    an experiment by what it brings."""
    mistakes = Mistakes()
    chosen = [word for word in command.overrides if "=" in word]
    command_of_it = CommandLine([], chosen, multirun=False, runs=True)
    composed = compose_command(command_of_it, config_name, mistakes, at_most=1)  # arms are told from the sweep
    mistakes.raise_if_any(LOOK)
    config = composed.jobs[0]
    with _as_hydra_config(config):
        plain = _plain_where_it_can_be(config)
    feeds = draw(plain, Mistakes()).feeds if "method" in plain else {}
    chosen_from = {str(key).rpartition("@")[2]: str(key) for key in config.hydra.runtime.choices}
    for word in command.overrides:
        name, _, option = word.lstrip("+~").partition("=")
        if name == "experiment" and option:
            yield from _explain_experiment(option, plain, config)
            continue
        yield from explain(name, plain, feeds, chosen_from, config_name)
        if name in ("method", "stage") and option:
            for section in feeds:
                yield from ("", *explain(section, plain, feeds, chosen_from, config_name))


def _plain_where_it_can_be(config: DictConfig) -> dict[str, Any]:
    """As `plain_config`; a section that refers to an option without a value stays as it is written."""
    plain = plain_config(config, resolve=False)
    for section in plain:
        try:
            plain[section] = plain_config(config, only=section)[section]
        except UserError:
            continue
    return plain


def _explain_experiment(name: str, plain: Mapping[str, Any], config: DictConfig) -> Iterator[str]:
    """What it asks, and the arms of its sweep."""
    yield f"+experiment={name}"
    yield f"  {comment_of(CONF / 'experiment' / f'{name}.yaml')}"
    if plain.get("question"):
        yield f"  Question: {plain['question']}"
    for option, values in (config.hydra.sweeper.get("params") or {}).items():
        yield f"  Sweep over {option}: {values}"
    yield f"  Plan and cost: python -m src.train +experiment={name} plan=true"


def _check_machine(jobs: Sequence[Job]) -> None:
    """What any job misses here must not come to light when the jobs before it have run."""
    if absent := missing([node for job in jobs for node in job.nodes], jobs[0].store, jobs[0].compute):
        raise UserError("\n".join(absent), "Nothing was computed.")


def _check_folders(jobs: Sequence[Job], mistakes: Mistakes) -> None:
    """Two jobs of one name would overwrite each other's record."""
    folders = [job.folder for job in jobs]
    for folder in dict.fromkeys(folders):
        if (count := folders.count(folder)) > 1:
            mistakes.add(
                "name",
                f"{count} jobs of this sweep are called {folder.name}; name the arms by what they differ in, e.g. "
                "'name=${choice:prompt_set}' or 'name=${distil.share}'",
            )


def _names(configs: Sequence[DictConfig]) -> list[str]:
    """Each job by the overrides that not all jobs have."""
    overrides = [[str(word).removeprefix("++") for word in config.hydra.overrides.task] for config in configs]
    shared = set.intersection(*map(set, overrides)) if overrides else set[str]()
    return [" ".join(word for word in words if word not in shared) for words in overrides]


@contextmanager
def _as_hydra_config(config: DictConfig) -> Iterator[None]:
    """What a job asks Hydra about itself is answered from its composed configuration."""
    instance = HydraConfig.instance()
    instance.set_config(config)
    try:
        yield
    finally:
        instance.cfg = None

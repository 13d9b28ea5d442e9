"""A command that Hydra runs: it is checked, then explained, planned or run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from src.config.mistakes import Mistakes
from src.config.overrides import LOOK, CommandLine, compose_command, exit_on_user_error, start

if TYPE_CHECKING:
    from src.pipeline.job import Job


def run_command(run: Callable[[], Any], words: Sequence[str], config_name: str) -> None:
    """Run an entry point that has one job and no graph, after composing it once to name all mistakes."""
    command = CommandLine.parse(words)
    if command.explains:
        return _explain(command, config_name)
    with exit_on_user_error():
        if command.runs:
            mistakes = Mistakes()
            compose_command(command, config_name, mistakes, sweeps=False)
            mistakes.raise_if_any(LOOK)
    start(run, command)


def run_or_plan(
    run: Callable[[], Any],
    words: Sequence[str],
    config_name: str,
    further: Callable[[Sequence[Job]], list[str]] = lambda jobs: [],
) -> None:
    """Check every job that the words ask for; then print their plan, or have Hydra run them by `run`.

    further: overrides that hang on what the checked jobs are.
    """
    command = CommandLine.parse(words)
    if command.explains:
        return _explain(command, config_name)
    if command.runs:
        from src.pipeline.plan import plan_of_jobs
        from src.pipeline.sweep import check_command

        with exit_on_user_error():
            jobs = check_command(command, config_name)
            if jobs[0].config["plan"]:
                print(*plan_of_jobs(jobs), sep="\n")
                return
            command = replace(command, overrides=[*command.overrides, *further(jobs)])
    start(run, command)


def _explain(command: CommandLine, config_name: str) -> None:
    from src.pipeline.sweep import explain_command

    with exit_on_user_error():
        print(*explain_command(command, config_name), sep="\n")

"""A command that Hydra runs: it is checked, then explained, planned or run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hydra.core.utils import env_override
from hydra.errors import HydraException

from src.config.mistakes import Mistakes
from src.config.overrides import LOOK, CommandLine, compose_command, exit_on_user_error
from src.core.errors import UserError

if TYPE_CHECKING:
    from src.pipeline.job import Job


def run_command(run: Callable[[], Any], words: Sequence[str], config_name: str) -> None:
    """Run an entry point that has one job and no graph, after composing it once to name all mistakes."""
    command = CommandLine.parse(words)
    if command.explains:
        return _explain(command, config_name)
    with exit_on_user_error():
        if command.runs:
            _check_words(command, config_name, sweeps=False)
    _start(run, command, config_name, sweeps=False)


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
        from src.pipeline.plan import over_budget, plan_of_jobs
        from src.pipeline.sweep import check_command

        with exit_on_user_error():
            command, jobs = check_command(command, config_name)
            if jobs[0].config["plan"]:
                print(*plan_of_jobs(jobs), sep="\n")
                return
            for line in over_budget(jobs):
                print(line, file=sys.stderr)
            command = replace(command, overrides=[*command.overrides, *further(jobs)])
    _start(run, command, config_name)


def _start(run: Callable[[], Any], command: CommandLine, config_name: str, sweeps: bool = True) -> None:
    """Hand the command over to Hydra, whose own parser wants all overrides in one place, and tell its errors in words
    of ours: of a job of a sweep, when the others have run, and of a question such as --cfg."""
    sys.argv[1:] = [*command.flags, *command.overrides]
    try:
        with env_override({"HYDRA_FULL_ERROR": "1"}):  # passed on, not printed with a word about this variable
            run()
    except UserError as error:
        raise SystemExit(str(error)) from None
    except HydraException as error:
        with exit_on_user_error():
            _check_words(command, config_name, sweeps)
        raise SystemExit(str(error)) from None


def _check_words(command: CommandLine, config_name: str, sweeps: bool) -> None:
    """Compose what was typed. Raises one UserError that lists all mistakes."""
    mistakes = Mistakes()
    compose_command(command, config_name, mistakes, sweeps)
    mistakes.raise_if_any(LOOK)


def _explain(command: CommandLine, config_name: str) -> None:
    from src.pipeline.sweep import explain_command

    with exit_on_user_error():
        print(*explain_command(command, config_name), sep="\n")

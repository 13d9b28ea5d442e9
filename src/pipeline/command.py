"""A command that runs jobs: all of them are checked, then planned or run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from src.config.overrides import CommandLine, exit_on_user_error, start


def run_or_plan(run: Callable[[], Any], words: Sequence[str], config_name: str) -> None:
    """Check every job that the words ask for; then print their plan, or have Hydra run them by `run`."""
    command = CommandLine.parse(words)
    if command.runs:
        from src.pipeline.plan import plan_of_jobs
        from src.pipeline.sweep import check_command

        with exit_on_user_error():
            jobs = check_command(command, config_name)
            if jobs[0].config["plan"]:
                print(*plan_of_jobs(jobs), sep="\n")
                return
    if command.explains:
        from src.pipeline.sweep import explain_command

        with exit_on_user_error():
            print(*explain_command(command, config_name), sep="\n")
            return
    start(run, command)

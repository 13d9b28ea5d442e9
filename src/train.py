"""One run of a method, then its report: `python -m src.train`; or a study: `python -m src.train +experiment=X`.

What a method does, from its corpus to the examination of its student, stands in `src/methods`.
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from src.config import resolvers, schema
from src.config.overrides import exit_on_user_error
from src.core import stopping
from src.core.command import command_line
from src.core.secrets import hide_secrets
from src.pipeline.command import run_or_plan

schema.register()
resolvers.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def run(cfg: DictConfig) -> float | None:
    """One job. Returns the student's mean accuracy, which a sweeper may maximise."""
    from src.pipeline.job import Job

    with exit_on_user_error():
        return Job(cfg).run()


if __name__ == "__main__":
    hide_secrets()
    command_line()
    with stopping.command():
        run_or_plan(run, sys.argv[1:], "config")

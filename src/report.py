"""python -m src.report study=demo: a page, Markdown and CSV from what a study's runs left in outputs/."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from src.config.overrides import exit_on_user_error
from src.core import stopping
from src.core.errors import UserError
from src.pipeline.command import run_command
from src.reporting import summary_lines, write_report
from src.reporting.collect import collect, studies


@hydra.main(version_base=None, config_path="../conf", config_name="report")
def main(config: DictConfig) -> None:
    with exit_on_user_error():
        report(config)


def report(config: DictConfig) -> None:
    """Write the page and print where it is; with `record` also the study's Markdown, with `workspace` one on W&B.

    `quotes` writes the figures that a page quotes, and nothing else.
    """
    from src.core.store import write_text
    from src.core.workspace import build_workspace
    from src.reporting.outcomes import benchmarks
    from src.reporting.quotes import has_quotes, quoted
    from src.reporting.report import write_record

    outputs = Path(config.outputs).expanduser()
    if config.quotes:
        path = Path(config.quotes).expanduser()
        if not path.is_file():
            raise UserError(f"There is no file '{path}'.", "quotes takes a Markdown file: quotes=README.md")
        if not has_quotes(path.read_text(encoding="utf-8")):
            raise UserError(
                f"'{path}' quotes no record.",
                "Put two lines where a figure is to stand: <!-- from experiments/demo.md: Answer --> and <!-- end -->",
            )
        write_text(path, quoted(path.read_text(encoding="utf-8"), path.parent))
        return print(path)
    if OmegaConf.is_missing(config, "study"):
        known = ", ".join(studies(outputs))
        there = f"There are: {known}." if known else "There is none yet; run one first: python -m src.train"
        raise UserError("Which study? Say study=NAME.", there)
    page = write_report(outputs, str(config.study), config.baseline)
    print("\n".join(summary_lines(outputs, str(config.study), config.baseline)))
    print(f"\n{page}")
    if config.record:
        print(write_record(outputs, str(config.study), Path(config.record), config.baseline))
    if config.workspace:
        found = collect(outputs, str(config.study))
        print(build_workspace(config.workspace, found.name, found.question, benchmarks(found.complete), found.kinds))


if __name__ == "__main__":
    with stopping.command():
        run_command(main, sys.argv[1:], "report")

"""python -m src.report study=demo: a page, Markdown and CSV from what a study's runs left in outputs/."""

from __future__ import annotations

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from src.core.errors import UserError
from src.reporting import summary_lines, write_report
from src.reporting.collect import studies


@hydra.main(version_base=None, config_path="../conf", config_name="report")
def main(config: DictConfig) -> None:
    outputs = Path(config.outputs)
    if OmegaConf.is_missing(config, "study"):
        known = ", ".join(studies(outputs))
        there = f"There are: {known}." if known else "There is none yet; run one first: python -m src.train"
        raise UserError("Which study? Say study=NAME.", there)
    page = write_report(outputs, str(config.study), config.baseline)
    print("\n".join(summary_lines(outputs, str(config.study), config.baseline)))
    print(f"\n{page}")


if __name__ == "__main__":
    main()

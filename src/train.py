"""The whole method: `python -m src.train`, or a study of it: `python -m src.train +experiment=X`.

corpus -> prompts -> distill_1 -> synthesizer_1 -> candidates -> select -> distill_2 -> synthesizer_2
       -> generate -> clean -> pretrain -> evaluate, then a report.
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from src.config import schema

schema.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def run(cfg: DictConfig) -> float | None:
    """One job. Returns the student's mean accuracy, which a sweeper may maximise."""
    from src.pipeline.job import Job

    job = Job(cfg)
    if cfg.plan:
        return job.show_plan()
    return job.run()


def main() -> None:
    """Hydra's own error for an option that does not exist, followed by the right name."""
    try:
        run()
    except SystemExit as end:
        if end.code:
            from src.config.overrides import explain

            explain(sys.argv[1:])
        raise


if __name__ == "__main__":
    main()

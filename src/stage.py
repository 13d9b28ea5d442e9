"""One stage on rows of your own: `python -m src.stage clean rows=my.jsonl benchmark=[gsm8k]`.

The stage is a run like any other, with a store, a plan, a report and curves. When it ends, its results lie in
`outputs/stages/<study>/<name>/` as JSON Lines, each row with its place in the user's files.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
from omegaconf import DictConfig

from src.config import resolvers, schema
from src.config.overrides import CONF, checked_main, told_plainly
from src.core.command import command_line

log = logging.getLogger(__name__)

READERS = {".parquet": "parquet", ".arrow": "arrow"}

schema.register()
resolvers.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="stage")
def run(cfg: DictConfig) -> None:
    """One job."""
    from src.pipeline.job import Job

    with told_plainly():
        job = Job(cfg)
        if cfg.plan:
            job.show_plan()
            return
        job.run()
        from src.reporting.lines import write_lines

        made = [job.store.find(node.stage.kind, node.key) for node in job.nodes]
        for path in write_lines([each for each in made if each], job.outputs / "stages" / job.study / job.name):
            log.info(path)


def spelled_out(words: Sequence[str]) -> list[str]:
    """`clean rows=my.parquet` as `stage=clean rows=my.parquet reader=parquet name=my`, where these are not given."""
    first, *others = words or [""]
    stages = {path.stem for path in (CONF / "stage").glob("*.yaml")}
    spelled = [f"stage={first}", *others] if first in stages else list(words)
    given = dict(word.split("=", 1) for word in spelled if "=" in word)
    if rows := given.get("rows"):
        path = Path(rows.strip("[]'\"").split(",")[0])
        if path.is_dir() and (path / "dataset_info.json").exists():
            spelled[spelled.index(f"rows={rows}")] = f"rows='{path}/*.arrow'"
            path = path / "x.arrow"
        if "reader" not in given:
            spelled.append(f"reader={READERS.get(path.suffix, 'jsonl')}")
        if "name" not in given:
            name = path.parent.name if path.suffix == ".arrow" else path.name.partition(".")[0]
            spelled.append(f"name='{name.replace('*', '') or 'main'}'")
    return spelled


if __name__ == "__main__":
    command_line()
    sys.argv[1:] = spelled_out(sys.argv[1:])
    checked_main(run, sys.argv[1:], "stage")

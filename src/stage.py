"""One stage on rows of your own: `python -m src.stage clean rows=my.jsonl benchmark=[gsm8k]`.

The stage is a run like any other, with a store, a plan, a report and curves. When it ends, its results lie in
`outputs/stages/<study>/<name>/` as JSON Lines, each row with its place in the user's files.
"""

from __future__ import annotations

import glob
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
from omegaconf import DictConfig

from src.config import resolvers, schema
from src.config.overrides import CONF, exit_on_user_error
from src.core import stopping
from src.core.command import command_line
from src.core.errors import UserError
from src.pipeline.command import run_or_plan

log = logging.getLogger(__name__)

READERS = {".parquet": "parquet", ".arrow": "arrow"}

schema.register()
resolvers.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="stage")
def run(cfg: DictConfig) -> None:
    """One job."""
    from src.pipeline.job import Job

    with exit_on_user_error():
        job = Job(cfg)
        job.run()
        from src.reporting.lines import write_lines

        made = [job.store.find(node.stage.kind, node.key) for node in job.nodes]
        for path in write_lines([each for each in made if each], job.outputs / "stages" / job.study / job.name):
            log.info(path)


def spelled_out(words: Sequence[str]) -> list[str]:
    """`clean rows=my.parquet` as `stage=clean rows=my.parquet reader=parquet name=my`, where these are not given.

    Raises UserError for a stage that there is not.
    """
    stages = sorted(path.stem for path in (CONF / "stage").glob("*.yaml"))
    spelled = list(words)
    if spelled and "=" not in spelled[0] and not spelled[0].startswith("-"):
        if spelled[0] not in stages:
            raise UserError(f"There is no stage '{spelled[0]}' to run alone.", f"There are: {', '.join(stages)}.")
        spelled[0] = f"stage={spelled[0]}"
    given = dict(word.split("=", 1) for word in spelled if "=" in word)
    if "rows" not in given:
        return spelled
    path = Path(given["rows"].strip("[]'\"").split(",")[0])
    name = path.name.partition(".")[0]
    if (path / "dataset_info.json").exists():  # a folder that `datasets` saved
        spelled[spelled.index(f"rows={given['rows']}")] = f"rows='{path}/*.arrow'"
        path = path / "data.arrow"
    spelled += [f"reader={READERS.get(path.suffix, 'jsonl')}"] if "reader" not in given else []
    spelled += [f"name='{name}'"] if "name" not in given and not glob.has_magic(name) else []
    return spelled


def main(words: Sequence[str]) -> None:
    """Spell the command out, check it, and hand it to Hydra."""
    with exit_on_user_error():
        words = spelled_out(words)
    run_or_plan(run, words, "stage")


if __name__ == "__main__":
    command_line()
    with stopping.command():
        main(sys.argv[1:])

"""One stage on rows of your own: `python -m src.stage clean rows=my.jsonl benchmark=[gsm8k]`.

The stage is a run like any other, with a store, a plan, a report and curves. When it ends, its results lie in
`outputs/stages/<stage>/<name>-<key>/` as JSON Lines, each row with its place in the user's files. The key says of which
rows and with which options: no result replaces another, and none is compared with those of other files.
"""

from __future__ import annotations

import glob
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from src.config import resolvers, schema
from src.config.overrides import CONF, CommandLine, exit_on_user_error
from src.core import stopping
from src.core.command import command_line
from src.core.errors import UserError
from src.core.records import content_id
from src.corpus.files import format_of
from src.pipeline.command import run_or_plan

if TYPE_CHECKING:
    from src.pipeline.job import Job

log = logging.getLogger("src.stage")  # as a program it is __main__, which the configuration of logs knows nothing of

SHOWS_ALL = {"--cfg", "-c"}
KEY_DIGITS = 8  # of what a folder of results and a study are called

schema.register()
resolvers.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="stage")
def run(cfg: DictConfig) -> None:
    """One job."""
    from src.pipeline.job import Job

    with exit_on_user_error():
        job = Job(cfg)
        job.run()
        from src.reporting.lines import accuracy_lines, reason_lines, write_lines

        made = [found for node in job.nodes if (found := job.store.find(node.stage.kind, node.key))]
        folder = job.outputs / "stages" / HydraConfig.get().runtime.choices["stage"] / f"{job.name}-{_key([job])}"
        for line in (*accuracy_lines(made[-1]), *reason_lines(made[-1]), *write_lines(made, folder)):
            log.info(line)


def spelled_out(words: Sequence[str]) -> list[str]:
    """`clean rows=my.parquet` as `stage=clean rows=my.parquet reader=parquet name=my`, where these are not given.

    Raises UserError for a stage that there is not, and where the stage or the rows are not named.
    """
    stages = sorted(path.stem for path in (CONF / "stage").glob("*.yaml"))
    spelled, command = list(words), CommandLine.parse(words)
    bare = [word for word in command.overrides if "=" not in word and word[0] not in "+~"]
    given = dict(word.split("=", 1) for word in spelled if "=" in word)
    if "stage" not in given and bare and bare[0] in stages:
        given["stage"] = bare[0]
        spelled[spelled.index(bare[0])] = f"stage={bare[0]}"
    if command.runs or SHOWS_ALL & set(words):
        _check_named(given, bare, stages, command.runs)
    if "rows" not in given:
        return spelled
    path = Path(given["rows"].strip("[]'\"").split(",")[0].strip("'\" ")).expanduser()
    name = path.name.partition(".")[0]
    if (path / "dataset_dict.json").exists():
        splits = sorted(folder.name for folder in path.iterdir() if (folder / "dataset_info.json").exists())
        names = " or ".join(f"rows={path}/{split}" for split in splits)
        raise UserError(f"'{path}' holds a data set for each of its splits.", f"Name one of them: {names}")
    if (path / "dataset_info.json").exists():  # a folder that `datasets` saved
        spelled[spelled.index(f"rows={given['rows']}")] = f"rows='{path}/*.arrow'"
        path = path / "data.arrow"
    spelled += [f"reader={format_of(_first(path))}"] if "reader" not in given else []
    spelled += [f"name='{name}'"] if "name" not in given and not glob.has_magic(name) else []
    return spelled


def _first(path: Path) -> Path:
    """Of a glob, the first file that it finds."""
    return next((Path(found) for found in glob.iglob(str(path))), path)  # noqa: PTH207


def _check_named(given: Mapping[str, str], bare: Sequence[str], stages: Sequence[str], runs: bool) -> None:
    there = f"Stages: {', '.join(stages)}."
    rows = f"rows={given.get('rows', 'FILES')}"
    if "stage" not in given and bare:
        raise UserError(f"There is no stage '{bare[0]}' to run alone.", f"There are: {', '.join(stages)}.")
    if "stage" not in given:
        raise UserError("No stage is named.", f"Name one: python -m src.stage clean {rows}\n     {there}")
    if runs and not given.get("rows"):
        raise UserError(
            f"Which rows is the stage '{given['stage']}' to read?",
            f"Name a file or a glob: python -m src.stage {given['stage']} rows=my.jsonl",
        )


def own_study(jobs: Sequence[Job]) -> list[str]:
    """The override that gives what the jobs make of these rows a report of its own."""
    return [f"study='{jobs[0].study}-{_key(jobs)}'"]


def _key(jobs: Sequence[Job]) -> str:
    """Of what the jobs make: of one job's, the beginning of its key in the store."""
    keys = [job.nodes[-1].key for job in jobs]
    return (keys[0] if len(keys) == 1 else content_id(*keys))[:KEY_DIGITS]


def main(words: Sequence[str]) -> None:
    """Spell the command out, check it, and hand it to Hydra."""
    with exit_on_user_error():
        words = spelled_out(words)
    named = any(word.startswith("study=") for word in words)
    run_or_plan(run, words, "stage", (lambda jobs: []) if named else own_study)


if __name__ == "__main__":
    command_line()
    with stopping.command():
        main(sys.argv[1:])

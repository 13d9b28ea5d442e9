"""One job: a composed configuration, checked, walked and recorded."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.build import bind
from src.config.mistakes import Mistakes
from src.core import stopping
from src.core.command import command_line
from src.core.errors import UserError
from src.core.processes import CORES, cores
from src.core.records import content_id
from src.core.stage import Artifact
from src.core.store import Store, full_disk_explained, write_json
from src.pipeline.graph import Node, draw
from src.pipeline.preflight import missing
from src.pipeline.runner import Runner, Visit
from src.pipeline.sections import check_sections

log = logging.getLogger(__name__)

STAGES_ALONE = "src.methods.alone"

# Sections that are read for every run, whatever its method.
OF_EVERY_RUN = {
    "study",
    "question",
    "primary",
    "name",
    "method",
    "seed",
    "plan",
    "verbose",
    "outputs",
    "compute",
    "tracker",
}


EARLIER = "earlier"  # in a job's folder: records of complete jobs that had its name


class Job:
    """Checks the whole configuration when built: nothing runs before every mistake in it is mended."""

    def __init__(self, cfg: DictConfig):
        self.config = plain_config(cfg)
        mistakes = Mistakes()
        self.compute = bind(self.config["compute"], "compute", mistakes)
        self.tracker = bind(self.config["tracker"], "tracker", mistakes)
        self.nodes = self._draw(cfg, mistakes)
        self.outputs = Path(self.config["outputs"]).expanduser().absolute()
        self.store = Store(self.outputs / "store")
        self.study, self.name, self.seed = (self.config[k] for k in ("study", "name", "seed"))
        _check_folder_name("study", self.study)
        _check_folder_name("name", self.name)
        self.folder = self.outputs / "runs" / self.study / f"{self.name}-s{self.seed}"
        self.id = content_id(self.study, self.name, self.seed, *(node.key for node in self.nodes))

    def _draw(self, cfg: DictConfig, mistakes: Mistakes) -> list[Node]:
        """Raises a `UserError` that lists every mistake of the configuration."""
        graph = draw(self.config, mistakes)
        module, _, method = self.config["method"].rpartition(".")
        read, overrides = graph.sections | OF_EVERY_RUN, HydraConfig.get().overrides.task
        kind: Literal["method", "stage"] = "stage" if module == STAGES_ALONE else "method"
        check_sections(method, plain_config(cfg, resolve=False), read, overrides, mistakes, kind)
        mistakes.raise_if_any("Nothing was computed. `python -m src.train --cfg job` shows the whole configuration.")
        return list(graph.nodes.values())

    def run(self) -> float | None:
        """Walk the graph, record it, write the report; return the mean accuracy that the last node measured."""
        if absent := self.absent():
            raise UserError("\n".join(absent), "Nothing was computed.")
        stopping.listen(*stopping.SIGNALS)
        stopping.keep_open_pipes()
        _take_a_share_of_the_cores()
        label = f"{self.name}-s{self.seed}" if _in_parallel() else ""

        def say(line: str) -> None:
            log.info(f"{label}  {line}" if label else line)

        say(f"{self.study} / {self.name}, seed {self.seed}")
        record = _Record(self, say)
        tracker = self.tracker.start(self.study, f"{self.name}-s{self.seed}", self.id, self.config, self.outputs)
        runner = Runner(
            self.store, self.compute, tracker, self.outputs / "cache", record.command, say, record.visited, label
        )
        try:
            with full_disk_explained(self.outputs):
                made = runner.walk(self.nodes)
        except BaseException as error:
            record.end("failed" if isinstance(error, Exception) else "stopped", error)
            tracker.finish(failed=True)
            if HydraConfig.get().mode == RunMode.MULTIRUN and isinstance(error, Exception):
                log.error("%s-s%s failed: %s", self.name, self.seed, error)  # the other jobs of the sweep go on
            raise
        record.end("complete")
        tracker.finish(failed=False)
        self._report()
        self._name_what_serves(made)
        return _mean_accuracy(made[self.nodes[-1].name])

    def absent(self) -> list[str]:
        """What stages still to be made need and is not here (files, packages, cards, access, disk room)."""
        return missing(self.nodes, self.store, self.compute)

    def _report(self) -> None:
        """Tell and write what the study has found. A fault of the report is no fault of the job: it is logged."""
        try:
            from src.reporting import summary_lines, write_report

            page = write_report(self.outputs, self.study)
            for line in summary_lines(self.outputs, self.study):
                log.info(line)
            log.info("Report: %s", page)
        except Exception as error:
            log.error(
                "The job is complete, but its report could not be written (%s: %s). "
                "Once that is mended: python -m src.report study=%s",
                type(error).__name__,
                error,
                self.study,
                exc_info=not isinstance(error, UserError),
            )

    def _name_what_serves(self, made: Mapping[str, Artifact]) -> None:
        for node in self.nodes:
            if node.stage.serves:
                log.info("For other commands: %s=%s", node.stage.serves, made[node.name].path)


class _Record:
    """`run.json`, rewritten after every node, so that a report can tell what a killed run had done."""

    def __init__(self, job: Job, say: Callable[[str], None]):
        self.say = say
        self.path, self.visits, self.clock = job.folder / "run.json", list[Visit](), time.monotonic()
        self.command = command_line()
        self.base: dict[str, Any] = {
            "study": job.study,
            "name": job.name,
            "seed": job.seed,
            "question": job.config["question"],
            "number": _number(),
            "overrides": list(HydraConfig.get().overrides.task),
            "command": self.command,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "config": job.config,
            "planned": {node.name: node.key for node in job.nodes},
        }
        self._write("running", None)

    def visited(self, visit: Visit) -> None:
        self.visits.append(visit)
        self._write("running", None)

    def end(self, status: str, error: BaseException | None = None) -> None:
        self._write(status, None if error is None else f"{type(error).__name__}: {error}")

    def _write(self, status: str, error: str | None) -> None:
        seconds = round(time.monotonic() - self.clock, 2)
        nodes = [asdict(visit) for visit in self.visits]
        with full_disk_explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if earlier := set_aside(self.path, self.base["planned"]):  # another job may end while this one works
                self.say(
                    f"    Another job had this name; its record is kept: {earlier}. To have both in one report, give "
                    "one a name of its own: name=..."
                )
            write_json(self.path, {**self.base, "status": status, "error": error, "seconds": seconds, "nodes": nodes})


def set_aside(record: Path, planned: Mapping[str, str]) -> Path | None:
    """Move the record of a complete job that had other nodes to `earlier/`, and return where it lies now: two jobs of
    one name, launched apart, must not replace each other's."""
    if not record.exists():
        return None
    earlier = json.loads(record.read_text(encoding="utf-8"))
    if earlier.get("status") != "complete" or earlier.get("planned") == planned:
        return None
    kept = record.parent / EARLIER / f"{content_id(*earlier['planned'].values())}.json"
    kept.parent.mkdir(exist_ok=True)
    return record.replace(kept)


def _check_folder_name(option: str, value: Any) -> None:
    if not str(value) or str(value).startswith(".") or "/" in str(value):
        raise UserError(
            f"{option}={value} names no folder of its own under runs/.",
            f"Set {option} to one word: not empty, without a slash, not beginning with a dot.",
        )


def _in_parallel() -> bool:
    """Whether other jobs of this sweep may write to the same terminal: every launcher but Hydra's own."""
    hydra = HydraConfig.get()
    return hydra.mode == RunMode.MULTIRUN and not hydra.launcher._target_.endswith(".BasicLauncher")


def _take_a_share_of_the_cores() -> None:
    """Of jobs side by side none takes the whole machine: each would start as many writers as there are cores. What the
    environment says already, by the user or by the job before in this process, stays."""
    if not _in_parallel() or CORES in os.environ:
        return
    launcher = HydraConfig.get().launcher
    beside = int(launcher.get("n_jobs") or 1)  # joblib; a negative number leaves out so many less one
    mine = cores() // beside if beside > 0 else 1
    of_a_task = OmegaConf.select(launcher, "ray.remote.num_cpus")  # Ray says it, and enforces nothing
    os.environ[CORES] = str(max(1, int(of_a_task or mine)))


def _number() -> int:
    """Which job of a sweep this is, from 0."""
    job = HydraConfig.get().job
    return 0 if OmegaConf.is_missing(job, "num") else int(job.num)


def plain_config(cfg: DictConfig, resolve: bool = True, only: str | None = None) -> dict[str, Any]:
    """The configuration as plain values, every `${...}` resolved, or left as it is written. only: one section of it."""
    wanted = [str(key) for key in cfg if key != "hydra"] if only is None else [only]
    try:
        masked = OmegaConf.masked_copy(cfg, wanted)
        masked._set_parent(cfg._get_parent() if only is None else cfg)
        plain = OmegaConf.to_container(masked, resolve=resolve)
    except OmegaConfBaseException as error:
        if lacking := re.search(r"Missing mandatory value: (\S+)", str(error)):
            raise UserError(
                f"{lacking[1]} has no value, and others refer to it.", f"Give one: {lacking[1]}=..."
            ) from None
        raise UserError(f"The configuration does not resolve: {error}", "Look at it with --cfg job.") from None
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _mean_accuracy(last: Artifact) -> float | None:
    """Over benchmarks, unweighted; None where nothing was evaluated."""
    values = [v for k, v in last.manifest["metrics"].items() if k.endswith("/accuracy")]
    return sum(values) / len(values) if values else None

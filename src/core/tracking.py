"""Where curves and results go: Weights & Biases, or nowhere.

One tracker run per job, grouped by study. A stage that is reused logs its recorded metrics again, so that every
job's dashboard is complete. The HTML report needs none of this: it reads the store.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from src.core.errors import require
from src.core.records import Prediction, Problem, read_table
from src.core.stage import Artifact

MOST_SAMPLES, MOST_FLIPPED = 50, 500  # rows of a table


class TrackerRun(ABC):
    """A live run."""

    @abstractmethod
    def log_stage(self, node: str, artifact: Artifact, reused: bool) -> None:
        """Log a finished stage: its curves, its scalar results, its counts."""

    @abstractmethod
    def finish(self, failed: bool) -> None: ...


class Tracker(ABC):
    """Options of a tracker."""

    @abstractmethod
    def start(self, study: str, name: str, id: str, config: Mapping[str, Any], folder: Path) -> TrackerRun:
        """Begin a job's run. `id` is stable: the same job typed again continues the same run."""


@dataclass(frozen=True)
class NoTracker(Tracker):
    """Nothing is sent anywhere."""

    def start(self, study: str, name: str, id: str, config: Mapping[str, Any], folder: Path) -> TrackerRun:
        return _Silence()


class _Silence(TrackerRun):
    def log_stage(self, node: str, artifact: Artifact, reused: bool) -> None:
        """Nobody listens."""

    def finish(self, failed: bool) -> None:
        """Nobody listens."""


@dataclass(frozen=True)
class WandbTracker(Tracker):
    """Weights & Biases. `mode` auto: online when logged in (`wandb login` or WANDB_API_KEY), else offline in
    `outputs/wandb`, from where `wandb sync` sends it later."""

    project: str = "jiuzhang-lab"
    entity: str | None = None
    mode: Literal["auto", "online", "offline"] = "auto"

    def start(self, study: str, name: str, id: str, config: Mapping[str, Any], folder: Path) -> TrackerRun:
        require("wandb", "tracker=wandb")
        import wandb

        swept = "WANDB_SWEEP_ID" in os.environ  # then the agent has given the run its id
        mode = self.mode if self.mode != "auto" else ("online" if _logged_in() else "offline")
        folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            group=study,
            name=name,
            id=None if swept else id,
            resume="allow" if mode == "online" and not swept else None,
            config=dict(_flat(config)),
            dir=str(folder),
            mode=mode,
            settings=wandb.Settings(silent=True, disable_git=True, console="off"),
        )
        return _WandbRun(run, online=mode == "online")


class _WandbRun(TrackerRun):
    """Curves and results under `node/name`, tables of what was written and of the questions that changed sides, and
    the artifacts: one that was made is an output of this run, one that was reused an input, which gives the lineage.
    An artifact holds its manifest and a reference to its folder; the data stay where they are."""

    def __init__(self, run: Any, online: bool):
        self._run, self._online = run, online

    def log_stage(self, node: str, artifact: Artifact, reused: bool) -> None:
        step_name = f"{node}/step"
        self._run.define_metric(step_name, hidden=True)
        self._run.define_metric(f"{node}/*", step_metric=step_name)
        curves = artifact.path / "metrics.jsonl"
        if curves.exists():
            for line in curves.read_text().splitlines():
                self._run.log({f"{node}/{k}": v for k, v in json.loads(line).items()})
        manifest = artifact.manifest
        counts = manifest["counts"]
        results = {**manifest["metrics"], "seconds": manifest["seconds"], "in": counts["in"], "kept": counts["kept"]}
        self._run.summary.update({f"{node}/{k}": v for k, v in results.items()} | {f"{node}/reused": reused})
        self._log_tables(node, artifact.path)
        self._log_artifact(artifact, manifest, reused)

    def _log_tables(self, node: str, folder: Path) -> None:
        import wandb

        for name, rows in tracked_tables(folder).items():
            if rows:
                cells = [[str(value) for value in row.values()] for row in rows]
                self._run.log({f"{node}/{name}": wandb.Table(columns=list(rows[0]), data=cells)})

    def _log_artifact(self, artifact: Artifact, manifest: Mapping[str, Any], reused: bool) -> None:
        import wandb

        about = {k: manifest.get(k) for k in ("key", "inputs", "counts", "metrics", "command", "git")}
        logged = wandb.Artifact(f"{manifest['stage']}-{manifest['key']}", manifest["stage"], metadata=about)
        logged.add_file(str(artifact.path / "manifest.json"))
        logged.add_reference(artifact.path.absolute().as_uri(), name="folder", checksum=False)
        if not reused:
            self._run.log_artifact(logged)
        elif self._online:  # offline wandb knows no inputs; the keys of the metadata tell the lineage there
            self._run.use_artifact(logged)

    def finish(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


def tracked_tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What is worth looking at in an artifact: some problems; in an evaluation the questions that changed sides."""
    tables: dict[str, list[dict[str, Any]]] = {}
    if any((folder / "problems").glob("*.parquet")):
        problems = islice(read_table(folder / "problems", Problem), MOST_SAMPLES)
        tables["samples"] = [
            {"stage": p.stage, "kind": p.kind, "question": p.question, "solution": p.solution, "answer": p.answer}
            for p in problems
        ]
    if any((folder / "predictions").glob("*.parquet")):
        tables["flipped"] = list(islice(_flipped(folder), MOST_FLIPPED))
    return tables


def _flipped(folder: Path) -> Iterator[dict[str, Any]]:
    """Questions that the base model answered and the student did not, or the other way round."""
    before: dict[tuple[str, str], bool] = {}
    for row in read_table(folder / "predictions", Prediction):
        if row.model == "base":
            before[row.benchmark, row.question_id] = any(row.verdict)
    for row in read_table(folder / "predictions", Prediction):
        was = before.get((row.benchmark, row.question_id))
        if row.model == "student" and was is not None and was != any(row.verdict):
            yield {
                "benchmark": row.benchmark,
                "stage": row.stage,
                "change": "lost" if was else "won",
                "prompt": row.prompt,
                "gold": row.gold,
                "answer": row.extracted[0] if row.extracted else None,
                "text": row.samples[0] if row.samples else "",
            }


def _flat(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """`selector.top_k: 3` for nested options: a column each in W&B's table of runs."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _logged_in() -> bool:
    """Without importing wandb's client: it would ask the network."""
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    return bool(os.environ.get("WANDB_API_KEY")) or (netrc.exists() and "wandb" in netrc.read_text(errors="replace"))

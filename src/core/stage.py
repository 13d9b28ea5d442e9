"""What a stage is, and what it may see: its own options, its input artifacts, a folder to fill."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from src.core.progress import Progress
from src.core.records import count_table, read_table

Record = TypeVar("Record")
CURVES = "metrics.jsonl"  # in a stage's output folder: {step, name: value}
PROGRESS = "progress.jsonl"  # beside it while the stage runs: {unit, done, per_second}


@dataclass(frozen=True)
class Artifact:
    """A finished stage's folder."""

    path: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the stage recorded of itself: config, input keys, counts, metrics, seconds, versions. Read once."""
        found: dict[str, Any] = json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))
        return found

    def table(self, name: str, record: type[Record]) -> Iterator[Record]:
        """Stream the rows of one of its tables."""
        return read_table(self.path / name, record)

    def count(self, name: str) -> int:
        return count_table(self.path / name)


class Tally:
    """Every row that enters a stage leaves it kept, rejected for a reason, or failed. `check` proves it."""

    def __init__(self) -> None:
        self.entered = self.kept = 0
        self.rejected: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def enter(self, n: int = 1) -> None:
        self.entered += n

    def keep(self, n: int = 1) -> None:
        self.kept += n

    def reject(self, reason: str, n: int = 1) -> None:
        """A reason that no row was rejected for is not mentioned."""
        if n:
            self.rejected[reason] += n

    def fail(self, reason: str, n: int = 1) -> None:
        self.failed[reason] += n

    def check(self) -> None:
        """Raises AssertionError when rows were lost or invented: that is a bug in the stage."""
        left = self.kept + self.rejected.total() + self.failed.total()
        if self.entered != left:
            raise AssertionError(f"{self.entered} rows entered the stage, {left} left it: {self.as_dict()}")

    def as_dict(self) -> dict[str, Any]:
        return {
            "in": self.entered,
            "kept": self.kept,
            "rejected": dict(sorted(self.rejected.items())),
            "failed": dict(sorted(self.failed.items())),
        }


@dataclass(frozen=True)
class Upstream:
    """What feeds a stage, as far as it is known before the run: its options, and how many rows it leaves at most.

    counted: the rows are those, or nearly; otherwise the bound may be far above them.
    """

    stage: Stage
    rows: int | None
    counted: bool = False


def rows_together(counts: Iterable[int | None]) -> int | None:
    """The sum; None where nobody knows one of them."""
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)


@dataclass
class StageContext:
    """Handed to `Stage.run`.

    out: the folder to fill; it appears in the store only when the stage is complete.
    work: survives a kill and is there again at the next try (journals, checkpoints); deleted at the end.
    inputs: artifacts by the names that the graph gives them.
    cache: a folder that all runs share, for things keyed by their own content.
    tally: count rows here; the manifest records it and the report shows it.
    summary: scalar results for the manifest ("metrics").
    """

    out: Path
    work: Path
    inputs: Mapping[str, Artifact]
    cache: Path
    tally: Tally = field(default_factory=Tally)
    summary: dict[str, float] = field(default_factory=dict)
    progress: Callable[..., Progress] = Progress

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Append a point to the stage's curves (`metrics.jsonl`); the tracker shows them as `stage/name`."""
        with (self.out / CURVES).open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")


class Stage(ABC):
    """One step of the method. Subclasses are frozen dataclasses: the fields are the options in `conf/`.

    `kind` names the folder in the store. `version` is bumped when the meaning of the stage changes, so that old
    artifacts are no longer found. Modules that define stages import no ML library at the top: planning is instant.
    """

    kind: ClassVar[str]
    version: ClassVar[int]
    heavy: ClassVar[bool] = False  # loads torch or vLLM: runs in a process of its own
    counts_rows: ClassVar[bool] = False  # `rows_at_most` is nearly what it leaves
    serves: ClassVar[str] = ""  # the option of other commands that takes what it leaves; a run ends by naming both

    @abstractmethod
    def run(self, ctx: StageContext) -> None:
        """Fill `ctx.out`. Called again after a kill with the same `ctx.work`."""

    def expecting(self, inputs: Mapping[str, Upstream]) -> Stage:
        """The stage with guesses at what it will read, for a plan, where its inputs tell more than its options."""
        return self

    def estimate(self) -> dict[str, float]:
        """What running it costs, for `plan=true`: any of calls, tokens, dollars, gpu_hours, disk_gb. Empty: little."""
        return {}

    @property
    def uncounted(self) -> str:
        """What the estimate leaves out, because nobody can count it before the run; "" where that is nothing."""
        return ""

    def check_inputs(self, inputs: Mapping[str, Upstream]) -> None:  # noqa: B027  most stages take what they get
        """Raise UserError where it is known before the run that these inputs cannot serve this stage."""

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        """How many rows it leaves at most; None where nobody knows before the run."""
        return None

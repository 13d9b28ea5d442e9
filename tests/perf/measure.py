"""Ways of doing one thing, measured in turns, and what their figures come to.

A machine's speed drifts by more than the differences that matter here. So the sides take turns, A B A B, and a ratio
is only ever taken between neighbours; the table shows the median of the ratios and how far apart they lie.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeVar

from src.worker import peak_memory_mb

T = TypeVar("T")
Values = tuple[float, ...]


class Skip(Exception):  # noqa: N818  nothing went wrong
    """This bench cannot run here; the message says what it lacks."""


@dataclass(frozen=True)
class Options:
    """What the command line says. `scratch`: a folder of this bench's own, deleted after it."""

    quick: bool
    rounds: int
    model: Literal["tiny", "smollm2"]
    scratch: Path

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Aim:
    """A limit for the ratio or, `of="ours"`, for our own figure; from below, or from above with `at_most`."""

    limit: float
    of: Literal["ratio", "ours"] = "ratio"
    at_most: bool = False

    def met(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit


@dataclass(frozen=True)
class Comparison:
    """Our figures beside the alternative's, one of each a round, in `unit`."""

    what: str
    unit: str
    ours: Values
    other: Values
    against: str
    aim: Aim | None = None
    note: str = ""

    @property
    def ratios(self) -> Values:
        """Ours by the alternative's, round by round."""
        return tuple(a / b for a, b in zip(self.ours, self.other, strict=True))

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def met(self) -> bool | None:
        """None without an aim."""
        return self.aim and self.aim.met(self.ratio if self.aim.of == "ratio" else median(self.ours))


def run_bench(bench: str, options: Options) -> list[Comparison]:
    """What the module of that name finds."""
    found: list[Comparison] = import_module(f"tests.perf.{bench}").run(options)
    return found


def in_turns(rounds: int, sides: Mapping[str, Callable[[], float]], warm_up: bool = True) -> dict[str, Values]:
    """Every side's figures. A side does its work once and returns its figure; each is called in every round.

    `warm_up`: a round before the first that does not count.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(0 if warm_up else 1, rounds + 1):
        for name, side in sides.items():
            gc.collect()
            value = side()
            said = f"round {number} of {rounds}" if number else "warm-up"
            print(f"    {said}: {name} {value:,.4g}", file=sys.stderr, flush=True)
            if number:
                found[name].append(value)
    return {name: tuple(values) for name, values in found.items()}


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cycled(items: Iterable[T], count: int) -> list[T]:
    """So many items, beginning again where they run out."""
    there = list(items)
    return [there[i % len(there)] for i in range(count)]


def apart(work: Callable[..., T], *arguments: Any) -> T:
    """What the function returns in a process of its own, whose peak memory is then its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def peak_mib() -> float:
    """In MiB. What `getrusage` says begins with the size of the process that started this one, here the larger one."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = (int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    return next(own, peak_memory_mb())

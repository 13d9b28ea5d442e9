"""python -m src.store: what lies in the store, how large it is, which studies use it and
what none does; and what each study has paid for by API.

An artifact is used by a study when one of its jobs has made it, found it or planned it (`runs/*/*/run.json`), or by
"evaluations" when `src.evaluate` has (`evaluations/*`). `prune` shows what no study uses; `prune --yes` removes that.
What a job is making is never touched, and neither is the cache: its answers may have cost money.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout

from src.core import stopping
from src.core.store import MANIFEST
from src.generation.budget import LEDGER, Ledger

PARTIAL = ".partial"
REMOVED = ".removed"
EVALUATIONS = "evaluations"  # who uses what `src.evaluate` has made


@dataclass(frozen=True)
class Stored:
    """A folder of the store: an artifact, or what a stage or a removal that did not end has left."""

    path: Path
    bytes: int
    studies: tuple[str, ...]

    @property
    def stage(self) -> str:
        return self.path.parent.name

    @property
    def key(self) -> str:
        return self.path.name.removeprefix(".").removesuffix(REMOVED).removesuffix(PARTIAL)

    @property
    def is_rest(self) -> bool:
        """Whether nobody will ever use it: a `prune` that was stopped has left it, or a job that was killed when it had
        published what it made, and was about to remove its checkpoints."""
        published = self.path.parent / self.key / MANIFEST
        return self.path.suffix == REMOVED or (self.path.suffix == PARTIAL and published.exists())

    def line(self) -> str:
        left = "left over, " if self.is_rest else "unfinished, "
        what = {PARTIAL: left, REMOVED: "half removed, "}.get(self.path.suffix, "")
        users = ", ".join(self.studies) or "no study"
        return f"{self.stage:<14} {self.key[:8]} {size(self.bytes):>9}  {what}{users}"


def stored(outputs: Path) -> list[Stored]:
    """All that the store holds, by stage and key."""
    users = _users(outputs)
    folders = sorted(path for path in (outputs / "store").glob("*/*") if path.is_dir())
    found = [Stored(path, _bytes(path), ()) for path in folders]
    return [item if item.is_rest else replace(item, studies=tuple(sorted(users[item.key]))) for item in found]


def _users(outputs: Path) -> dict[str, set[str]]:
    """The studies that use each key. A damaged record raises: to guess would remove what it may name."""
    users: dict[str, set[str]] = defaultdict(set)
    for path in (*outputs.glob("runs/*/*/run.json"), *outputs.glob("runs/*/*/earlier/*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        for key in [*record["planned"].values(), *(node["key"] for node in record["nodes"])]:
            users[key].add(record["study"])
    for path in outputs.glob(f"evaluations/*/{MANIFEST}"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        for key in [manifest["key"], *manifest["inputs"].values()]:  # one that was graded again stands on the first
            users[key].add(EVALUATIONS)
    return users


def _bytes(folder: Path) -> int:
    """Of the files that are there to the end of the look: a job that is at work writes and removes some meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).lstat().st_size
    return total


def overview(found: Sequence[Stored]) -> Iterator[str]:
    """A line a stage, a line a study (with what it alone keeps), and what nothing uses."""
    for stage in dict.fromkeys(item.stage for item in found):
        here = [item for item in found if item.stage == stage]
        yield f"{stage:<14} {_count(here):>15} {_size(here):>9}"
    yield f"{'all':<14} {_count(found):>15} {_size(found):>9}"
    for study in sorted({study for item in found for study in item.studies}):
        used = [item for item in found if study in item.studies]
        alone = _size([item for item in used if len(item.studies) == 1])
        yield f"study {study}: {_count(used)}, {_size(used)}, of which {alone} it alone"
    if unused := [item for item in found if not item.studies]:
        yield f"no study uses {_count(unused)}, {_size(unused)}: python -m src.store prune"


def bills(outputs: Path) -> Iterator[str]:
    """A line a study that asked a model by API: its calls, tokens and dollars; none where nobody did."""
    if (file := outputs / "cache" / LEDGER).is_file():
        with closing(Ledger(file)) as ledger:
            for study, spent in ledger.by_study().items():
                yield f"study {study} asked by API: {spent}"


def prune(found: Sequence[Stored], really: bool) -> Iterator[str]:
    """Remove what no study uses, if `really`; the lines that say so."""
    unused = [item for item in found if not item.studies]
    for item in unused:
        yield item.line()
        if really and (reason := _remove(item)):
            yield f"  {reason}: kept"
    done = "removed" if really else "would be removed; add --yes to do it"
    yield f"{_count(unused)}, {_size(unused)}: {done}" if unused else "Every artifact is used by a study."


def _remove(item: Stored) -> str:
    """The reason where it must not be. It goes out of sight first: a folder of the store that is there is complete."""
    lock = FileLock(item.path.with_name(f".{item.key}.lock"))
    is_hidden = item.path.suffix == REMOVED
    hidden = item.path if is_hidden else item.path.with_name(f".{item.path.name}{REMOVED}")
    try:
        with lock.acquire(timeout=0):
            # A job may have begun while all were measured.
            if not item.is_rest and _users(item.path.parents[2])[item.key]:
                return "a job has come to use it"
            if not is_hidden:
                item.path.rename(hidden)
    except Timeout:
        return "a job is making it"
    shutil.rmtree(hidden)
    return ""


def _count(items: Sequence[Stored]) -> str:
    return f"{len(items):,} artifact{'s' * (len(items) != 1)}"


def _size(items: Sequence[Stored]) -> str:
    return size(sum(item.bytes for item in items))


def size(n: float) -> str:
    """Bytes, in the largest unit that leaves a figure above 1."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if n >= 10 or unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m src.store", description=__doc__.partition("\n\n")[0])
    parser.add_argument("what", nargs="?", choices=["overview", "list", "prune"], default="overview")
    parser.add_argument("--yes", action="store_true", help="prune: remove, not only show")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="outputs=DIR means the same")
    given = parser.parse_args([f"--{word}" if word.startswith("outputs=") else word for word in words])
    outputs = given.outputs.expanduser()
    found = stored(outputs)
    lines = {
        "overview": lambda: chain(overview(found), bills(outputs)),
        "list": lambda: (item.line() for item in sorted(found, key=lambda item: -item.bytes)),
        "prune": lambda: prune(found, given.yes),
    }
    for line in lines[given.what]():
        print(line)


if __name__ == "__main__":
    with stopping.command():
        main(sys.argv[1:])

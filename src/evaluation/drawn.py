"""Questions that the package reasoning-gym draws, kept for all processes of a user."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from src.core.records import content_id
from src.core.store import write_text

PACKAGE = "reasoning-gym"
KEPT = ("numbers", "target", "answer_cot")  # of what the package tells beside question and answer


@cache
def gym_version() -> str:
    return version(PACKAGE)  # reads a file each time


def cache_folder() -> Path:
    """Where a user's programs keep what can be made again; nothing breaks when it is emptied. Raises RuntimeError for a
    user without a home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jiuzhang-lab" / PACKAGE


@lru_cache(16)
def gym_entries(dataset: str, size: int, seed: int, options: str) -> Sequence[dict[str, Any]]:
    """The entries of a data set, options as JSON, each with what a question is made of.

    Every stage that looks for contamination asks for them, in a process of its own: drawn anew, those of the default
    benchmarks take 3 s of it, half for the import of a package that brings a plotting library. The package's version
    and what is kept are part of the name. What cannot be read or written is drawn."""
    name = f"{content_id(gym_version(), *KEPT, dataset, size, seed, options)}.json"
    with suppress(OSError, ValueError, RuntimeError):
        found = json.loads((cache_folder() / name).read_text(encoding="utf-8"))
        if isinstance(found, list) and len(found) == size and all(isinstance(entry, dict) for entry in found):
            return tuple(found)
    drawn = tuple(_draw(dataset, size, seed, options))
    with suppress(OSError, RuntimeError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        write_text(cache_folder() / name, json.dumps(drawn))
    return drawn


def _draw(dataset: str, size: int, seed: int, options: str) -> Iterator[dict[str, Any]]:
    import reasoning_gym

    for entry in reasoning_gym.create_dataset(dataset, size=size, seed=seed, **json.loads(options)):
        about = entry["metadata"]
        read = {name: about[name] for name in KEPT if name in about}
        yield {"question": entry["question"], "answer": str(entry["answer"]), **_plain(read)}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives them back, so that what is drawn and what is read are the same."""
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain

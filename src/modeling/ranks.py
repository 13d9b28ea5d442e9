"""Several processes that run one stage together (torchrun): who writes, and who waits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_first() -> bool:
    """Whether this process is the one that writes; true where there is only one."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """For work that leaves a complete folder at `path` or finds it there: the first to come does it, the others wait.

    Works between ranks before they are connected, and between runs that share a cache.
    """
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(path.name + ".lock")):
        yield

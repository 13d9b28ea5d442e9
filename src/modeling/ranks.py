"""Several processes that run one stage together (torchrun): who writes, who waits, who decides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

Decision = TypeVar("Decision")

PATIENCE = timedelta(days=7)
"""How long ranks wait for a decision of the first one, which may itself wait for another run."""


def is_first() -> bool:
    """Whether this process is the one that writes; true where there is only one."""
    return number() == 0


def number() -> int:
    """Which of the processes this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """How many processes torchrun has started, this one included; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def connect(device: str) -> None:
    """Join the processes of torchrun for work on `device` ("cpu" or "cuda"); Lightning uses a connection that is there.
    A build of torch that knows NCCL may run on a machine without a card, so the device decides."""
    import torch
    import torch.distributed as dist

    if count() > 1 and not dist.is_initialized():
        if device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo")


def decided_by_first(decide: Callable[[], Decision]) -> Decision:
    """What `decide` returns on the first rank, told to all, which must be connected. If it raises, torchrun ends the
    other ranks."""
    if count() == 1:
        return decide()
    import torch.distributed as dist

    group = dist.new_group(backend="gloo", timeout=PATIENCE)
    answer = [decide() if is_first() else None]
    dist.broadcast_object_list(answer, src=0, group=group)
    return answer[0]  # type: ignore[return-value]


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """For work that leaves a complete folder at `path` or finds it there: the first to come does it, the others wait.

    Works between ranks before they are connected, and between runs that share a cache.
    """
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(path.name + ".lock")):
        yield

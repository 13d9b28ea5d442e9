"""A checkpoint is read back by another number of ranks than wrote it. The ranks are processes."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from src.modeling import ranks
from src.modeling.checkpoints import CheckpointFolder
from tests.modeling.processes import fork_server


def module_of(world: int) -> tuple[Any, torch.optim.Optimizer]:
    """A model of which no dimension is a multiple of two, sharded where there are several ranks."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    if world > 1:
        fully_shard(model, mesh=init_device_mesh("cpu", (world,)))
    restored: dict[str, Any] = {}
    module = SimpleNamespace(model=model, progress=lambda: {}, restore_progress=restored.update)
    return module, torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)


def steps(module: Any, optimizer: torch.optim.Optimizer, numbers: range) -> None:
    """Every rank reads the same, so the average of their gradients is each one's own."""
    for number in numbers:
        rows = torch.randn(4, 7, generator=torch.Generator().manual_seed(number))
        module.model(rows).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def part(world: int, folder: Path, numbers: range) -> None:
    """The given steps, from the checkpoint of those before, to a checkpoint."""
    module, optimizer = module_of(world)
    checkpoints = CheckpointFolder(folder, "me")
    if numbers.start:
        checkpoints.restore(module, optimizer, checkpoints.path(numbers.start))
    steps(module, optimizer, numbers)
    checkpoints.save(module, optimizer, numbers.stop)


def one_rank(rank: int, world: int, port: int, folder: Path, numbers: range) -> None:
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    ranks.connect("cpu")
    part(world, folder, numbers)
    torch.distributed.destroy_process_group()


def in_two(folder: Path, numbers: range) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = fork_server()
    processes = [start.Process(target=one_rank, args=(rank, 2, port, folder, numbers)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


@pytest.mark.slow
def test_checkpoints_are_read_by_another_number_of_ranks(tmp_path: Path) -> None:
    whole = module_of(1)
    steps(*whole, range(6))
    part(1, tmp_path, range(2))
    in_two(tmp_path, range(2, 4))
    assert len(list((tmp_path / "step-00000004").glob("*.sha256"))) == 2, "each rank wrote its shard and its hash"
    part(1, tmp_path, range(4, 6))
    assert CheckpointFolder(tmp_path, "me").latest() == (tmp_path / "step-00000006", 6)
    after = module_of(1)
    CheckpointFolder(tmp_path, "me").restore(*after, tmp_path / "step-00000006")
    for mine, theirs in zip(whole[0].model.parameters(), after[0].model.parameters(), strict=True):
        torch.testing.assert_close(theirs, mine, rtol=1e-4, atol=1e-6)

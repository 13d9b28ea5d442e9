"""FSDP in one process. With one device there is nothing to spread, and training and transformers pass it over: here it
is done all the same, so that a single card, or none, runs the code of sharded models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh
from transformers.distributed import DistributedConfig
from transformers.distributed.mixin import DistributedMixin
from transformers.distributed.utils import TransformersDeviceMesh

from src.modeling import strategies, training


@contextmanager
def spread_over_one(device: str, scratch: Path) -> Iterator[None]:
    """Meanwhile training over "fsdp" spreads a model over this process alone, on `device`."""
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    place = f"file://{scratch}/rendezvous"
    torch.distributed.init_process_group(backend, init_method=place, rank=0, world_size=1)
    mesh = init_device_mesh(device, (1, 1, 1), mesh_dim_names=("pp", "fsdp", "tp"))

    def prepare(asked: DistributedConfig | None, device_map: Any = None) -> tuple[Any, Any, Any]:
        if asked is None:
            return None, device_map, None
        two = DistributedConfig(fsdp_size=2, fsdp_mixed_precision=asked.fsdp_mixed_precision)  # one is passed over
        return two, torch.device(device), TransformersDeviceMesh(mesh, mesh)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DistributedMixin, "prepare_distribute_model", prepare)
            for module in (strategies, training):
                patch.setattr(module, "is_spread", lambda trainer: trainer.strategy == "fsdp")
            yield
    finally:
        torch.distributed.destroy_process_group()

"""Models spread over several devices (FSDP 2), and their tensors made whole again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def shard(model: Any, mesh: DeviceMesh) -> None:
    """Spread every layer, and what is outside of them, over the devices of `mesh`, in place."""
    from torch.distributed.fsdp import fully_shard

    layers = set(getattr(model, "_no_split_modules", None) or ())
    for module in list(model.modules()):
        if type(module).__name__ in layers:
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """The full tensor of a sharded one (a call that every rank must make), or the tensor itself."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def is_sharded(model: Any) -> bool:
    return any(hasattr(p, "full_tensor") for p in model.parameters())


def whole_weights(model: Any) -> dict[str, torch.Tensor]:
    """All weights on the CPU of the first rank (elsewhere: empty). Every rank must call it."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    return {name: tensor for name, tensor in weights.items() if isinstance(tensor, torch.Tensor)}

"""What is particular to a model that is spread over several devices (FSDP 2; `loading.load_model` spreads it).

The weights of such a model are sharded tensors; adapters that were added to it afterwards are whole on every device.
"""

from __future__ import annotations

from typing import Any

import torch

from src.modeling import ranks


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """The full tensor of a sharded one (a call that every rank must make), or the tensor itself."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def is_sharded(model: Any) -> bool:
    return any(hasattr(p, "full_tensor") for p in model.parameters())


def computing_device(model: Any) -> torch.device:
    """Where a model computes: of offloaded shards, which wait on the host, that is the card of their mesh."""
    first = next(model.parameters())
    return torch.device(first.device_mesh.device_type) if hasattr(first, "device_mesh") else first.device


def average_whole_gradients(model: Any) -> None:
    """Average over all ranks the gradients of parameters that are whole on each: nobody else does it."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None and not hasattr(p, "full_tensor")]
    if gradients:
        flat = torch.cat([g.flatten() for g in gradients])
        torch.distributed.all_reduce(flat)
        flat /= ranks.count()
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


def whole_weights(model: Any, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """All weights in this type on the CPU of the first rank (elsewhere: empty), one at a time. Every rank must call it.
    Weights that are whole on every rank are left out: those are adapters."""
    found = {}
    for name, tensor in model.state_dict().items():
        if hasattr(tensor, "full_tensor"):
            full = whole(tensor).to(dtype)
            if ranks.is_first():
                found[name] = full.cpu()
    return found

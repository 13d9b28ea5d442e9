"""A model of Llama's kind moves and keeps fewer bytes when it computes in bfloat16 over float32 weights.

Transformers normalises in a dozen passes over float32 numbers, each of which every projection behind it then lowers for
itself, and turns queries and keys in float32. In a deep and narrow model that is most of a step's time: of SmolLM2-135M
(30 layers of width 576) about 130 KB a token and layer forward, of which 80 are left. The values are the same, but for
the angles, which are rounded to bfloat16 like queries and keys themselves.

The experts of a mixture multiply by a kernel that autocast does not know, in the type of their weights: nearly all of a
step of Mixtral would be computed in float32.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional


def move_fewer_bytes(model: Any) -> int:
    """Have the model's norms and rotary angles leave in the type that autocast asks for, and its experts multiply in
    it; returns how many modules of it do so. Modules that are not as Llama has them stay as they are."""
    found = 0
    for module in model.modules():
        if _is_norm(module):
            module.forward = partial(_normalised, module)
        elif type(module).__name__.endswith("RotaryEmbedding") and hasattr(module, "inv_freq"):
            module.forward = partial(_lowered, module.forward)
        elif type(module).__name__.endswith("Experts") and isinstance(getattr(module, "down_proj", None), nn.Parameter):
            module.forward = partial(_routed, module)
        else:
            continue
        found += 1
    return found


@torch.no_grad()
def _is_norm(module: Any) -> bool:
    """Llama's, found out by computing one both ways: others add one to the weight, or take a gate."""
    weight = getattr(module, "weight", None)
    if not type(module).__name__.endswith("RMSNorm") or not hasattr(module, "variance_epsilon") or weight is None:
        return False
    sample = torch.linspace(-1, 1, weight.numel(), device=weight.device, dtype=torch.float32)
    wanted = functional.rms_norm(sample, weight.shape, weight.float(), module.variance_epsilon)
    return torch.allclose(module(sample).float(), wanted, rtol=1e-2, atol=1e-4)


def _normalised(norm: Any, hidden_states: torch.Tensor) -> torch.Tensor:
    device = hidden_states.device.type
    with torch.autocast(device, enabled=False):
        weight = norm.weight.to(hidden_states.dtype)
        normal = functional.rms_norm(hidden_states, weight.shape, weight, norm.variance_epsilon)
    return _as_autocast_asks(normal, device)


def _lowered(angles: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    cos, sin = angles(x, *args, **kwargs)
    return _as_autocast_asks(cos, x.device.type), _as_autocast_asks(sin, x.device.type)


class _Lowered:
    """A module whose weights are read in another type, each lowered once."""

    def __init__(self, module: Any, kind: torch.dtype):
        self._module, self._kind = module, kind

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            value = value.to(self._kind)
            setattr(self, name, value)
        return value


def _routed(experts: Any, hidden_states: torch.Tensor, *routes: torch.Tensor) -> torch.Tensor:
    forward, device = type(experts).forward, hidden_states.device.type
    if torch.is_autocast_enabled(device):
        kind = torch.get_autocast_dtype(device)
        experts, hidden_states = _Lowered(experts, kind), hidden_states.to(kind)
    mixed: torch.Tensor = forward(experts, hidden_states, *routes)
    return mixed


def _as_autocast_asks(x: torch.Tensor, device: str) -> torch.Tensor:
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x

"""Models with a head of classes at each token, as published reward models have, without code from the hub.

What such a model adds to a base is in its weights: a linear layer "score" (transformers' own models of token classes),
or several of them with rectifiers between ("score.0", "score.2": Qwen2.5-Math-PRM, arXiv 2501.07301).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from src.core.errors import UserError
from src.modeling.loading import fetch, load_base

HEAD = "score."


class Classifier(nn.Module):
    """The hidden states of a base through a head. It is called as a causal model of transformers is."""

    def __init__(self, base: nn.Module, head: nn.Module):
        super().__init__()
        self.base, self.head = base, head

    def get_base_model(self) -> nn.Module:
        return self.base

    def forward(self, *, logits_to_keep: torch.Tensor, **inputs: Any) -> SimpleNamespace:
        """`logits`: (1, places, classes)."""
        return SimpleNamespace(logits=self.head(self.base(**inputs).last_hidden_state[:, logits_to_keep]))


def load_classifier(place: str, attention: str, dtype: torch.dtype, classes: int) -> Classifier:
    """`place`: a folder or a name on the hub. Raises UserError where it cannot be had, or has no such head."""
    folder = Path(place) if Path(place).is_dir() else Path(fetch(place, None))
    layers = _layers(_head_weights(folder, dtype))
    if not layers or layers[-1].out_features != classes:
        found = f"{layers[-1].out_features} classes" if layers else f"no weights named {HEAD}*"
        raise UserError(
            f"The model {place} has {found}, and must have {classes}.",
            "Name a reward model with a head, or judge=labels for one that writes its labels.",
        )
    between = [module for layer in layers for module in (nn.ReLU(), layer)][1:]
    return Classifier(load_base(folder, attention, dtype), nn.Sequential(*between))


def _head_weights(folder: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    from safetensors import safe_open

    found: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found |= {name: file.get_tensor(name).to(dtype) for name in file.keys() if name.startswith(HEAD)}  # noqa: SIM118  no mapping
    return found


def _layers(weights: dict[str, torch.Tensor]) -> list[nn.Linear]:
    """The linear layers in their order."""
    layers = []
    for name in sorted(name for name in weights if name.endswith("weight")):
        weight, bias = weights[name], weights.get(name.removesuffix("weight") + "bias")
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype)
        layer.load_state_dict({"weight": weight, **({} if bias is None else {"bias": bias})})
        layers.append(layer)
    assert all(one.out_features == other.in_features for one, other in pairwise(layers)), "the layers do not fit"
    return layers

r"""Which layers are tracked: the linear layers that match, and what of each sample's gradient they give.

For y = W x + b, the gradient of a sample is a sum of outer products over its positions t (Goodfellow 2015,
arXiv 1510.01799, extended over time as in Opacus):

    dL/dW = sum_t dy_t x_t^T        dL/db = sum_t dy_t

A LoRA layer y = W x + s B A x needs no hooks on its two factors: the x and dy of its W give

    dL/dA = s sum_t (B^T dy_t) x_t^T        dL/dB = s sum_t dy_t (A x_t)^T

In float32 B A is merged into W meanwhile, and the passes are those of the bare model, cheaper than a LoRA training
step's own; weights in bfloat16 have not the digits for that.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from src.core.errors import UserError

SLICE = 1 << 22  # numbers of a layer's gradients held at once: 16 MiB in float32

Sink = Callable[[str, int, Tensor], None]
"""Receives (parameter, first element, gradients): `gradients[s]` is a run of sample s's gradient of that flattened
parameter, beginning at `first element`. Shape (samples, elements), float32."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A weight (rows x columns) or a bias (rows x 1) whose per-sample gradient is taken."""

    name: str
    rows: int
    columns: int

    @property
    def size(self) -> int:
        return self.rows * self.columns


class TrackedLayer(Protocol):
    """A layer that is tracked."""

    @property
    def name(self) -> str: ...

    @property
    def module(self) -> nn.Linear:
        """The layer whose input x and output gradient dy are caught."""
        ...

    @property
    def parameters(self) -> list[Parameter]: ...

    def deliver(self, x: Tensor, dy: Tensor, lengths: list[int], sink: Sink) -> None:
        """Hand over every sample's gradients. x: tokens x inputs, dy: tokens x outputs; `lengths`: of the samples."""
        ...


@dataclass(frozen=True)
class Dense:
    """A linear layer whose own weight, and bias where it has one, are wanted."""

    name: str
    module: nn.Linear

    @property
    def parameters(self) -> list[Parameter]:
        named = self.module.named_parameters(recurse=False)
        return [Parameter(f"{self.name}.{part}", len(weight), weight[0].numel()) for part, weight in named]

    def deliver(self, x: Tensor, dy: Tensor, lengths: list[int], sink: Sink) -> None:
        _hand_over(f"{self.name}.weight", dy, x, lengths, sink)
        if self.module.bias is not None:
            sink(f"{self.name}.bias", 0, torch.stack([part.float().sum(0) for part in dy.split(lengths)]))


@dataclass(frozen=True)
class LowRank:
    """A LoRA layer. `down` and `up` (A and B): None where not wanted."""

    name: str
    lora: Any
    adapter: str
    down: str | None
    up: str | None

    @property
    def module(self) -> nn.Linear:
        layer: nn.Linear = self.lora.base_layer
        return layer

    @property
    def parameters(self) -> list[Parameter]:
        named = ((self.down, self.lora.lora_A), (self.up, self.lora.lora_B))
        weights = ((name, factors[self.adapter].weight) for name, factors in named if name)
        return [Parameter(f"{name}.weight", *weight.shape) for name, weight in weights]

    def deliver(self, x: Tensor, dy: Tensor, lengths: list[int], sink: Sink) -> None:
        scale = self.lora.scaling[self.adapter]
        if self.down:
            inner = dy @ self.lora.lora_B[self.adapter].weight.detach().to(dy.dtype)
            _hand_over(f"{self.down}.weight", inner.mul_(scale), x, lengths, sink)
        if self.up:
            inner = x @ self.lora.lora_A[self.adapter].weight.detach().T.to(x.dtype)
            _hand_over(f"{self.up}.weight", dy, inner.mul_(scale), lengths, sink)

    @property
    def may_merge(self) -> bool:
        """Whether W has the digits to take B A in."""
        return self.module.weight.dtype == self.lora.lora_B[self.adapter].weight.dtype == torch.float32


def _hand_over(parameter: str, dy: Tensor, x: Tensor, lengths: list[int], sink: Sink) -> None:
    """sum_t dy_t x_t^T of every sample, as many rows at a time as `SLICE` allows."""
    columns = x.shape[1]
    rows_at_once = max(1, SLICE // (len(lengths) * columns))
    for row in range(0, dy.shape[1], rows_at_once):
        sink(parameter, row * columns, outer(dy[:, row : row + rows_at_once], x, lengths))


def outer(dy: Tensor, x: Tensor, lengths: list[int]) -> Tensor:
    """For each sample sum_t dy_t x_t^T, flattened: samples x (dy's width * x's width), float32."""
    found = padded(dy, x, lengths) if dy.is_cuda else one_by_one(dy, x, lengths)
    return found.flatten(1).float()


def padded(dy: Tensor, x: Tensor, lengths: list[int]) -> Tensor:
    """One kernel for all samples, padded to the longest: for a GPU, where a kernel a sample would cost more."""
    pad = nn.utils.rnn.pad_sequence
    left, right = (pad(list(part.split(lengths)), batch_first=True) for part in (dy, x))
    return torch.bmm(left.mT, right)


def one_by_one(dy: Tensor, x: Tensor, lengths: list[int]) -> Tensor:
    found = x.new_empty(len(lengths), dy.shape[1], x.shape[1])
    for into, left, right in zip(found, dy.split(lengths), x.split(lengths), strict=True):
        torch.mm(left.T, right, out=into)
    return found


def tracked_layers(model: Any, patterns: Sequence[str]) -> list[TrackedLayer]:
    """What to track of all linear layers whose name matches any of the shell patterns, in the model's order.

    Only `nn.Linear` counts; the two factors of a LoRA layer are such layers. A plain LoRA layer is tracked as one;
    others (DoRA and the like) factor by factor.
    """
    chosen = matching_layers(model, patterns)
    found: dict[str, TrackedLayer] = {}
    for name, module in chosen.items():
        home, _, adapter = name.rpartition(".")
        home, _, factor = home.rpartition(".")
        if factor in ("lora_A", "lora_B") and _is_plain(lora := model.get_submodule(home), adapter):
            down, up = (f"{home}.{part}.{adapter}" for part in ("lora_A", "lora_B"))
            found[home] = LowRank(home, lora, adapter, down if down in chosen else None, up if up in chosen else None)
        else:
            found[name] = Dense(name, module)
    return list(found.values())


def _is_plain(lora: Any, adapter: str) -> bool:
    """Whether the layer computes W x + s B A x and nothing else."""
    return (
        isinstance(getattr(lora, "base_layer", None), nn.Linear)
        and list(lora.active_adapters) == [adapter]
        and adapter not in lora.lora_variant
        and not (lora.merged or lora.disable_adapters or lora.lora_bias[adapter] or lora.fan_in_fan_out)
    )


def matching_layers(model: Any, patterns: Sequence[str]) -> dict[str, nn.Linear]:
    """The linear layers whose name matches any of the shell patterns, in the model's order.

    A layer whose weight is shared with an embedding is refused: half of its gradient would be missing. Raises
    `UserError` when nothing matches, naming layers that could.
    """
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    chosen = {name: module for name, module in linear.items() if any(fnmatch.fnmatch(name, p) for p in patterns)}
    if not chosen:
        kinds = sorted({name.rsplit(".", 1)[-1] for name in linear})
        raise UserError(
            f"No linear layer of the model matches {', '.join(patterns)}.",
            f"Set selector.layers to patterns over its layers, e.g. {', '.join(f'*.{kind}' for kind in kinds[:8])}.",
        )
    embedding = model.get_input_embeddings().weight
    if tied := [name for name, module in chosen.items() if module.weight is embedding]:
        raise UserError(
            f"Layer {tied[0]} shares its weight with the input embedding: hooks on it would see half of the gradient.",
            "Leave it out of selector.layers.",
        )
    return chosen

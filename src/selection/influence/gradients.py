r"""Per-sample gradients of a causal language model, from ordinary batched, packed backward passes.

One forward pass that remembers the inputs x of the chosen layers and one backward pass that delivers their output
gradients dy hold everything for the whole batch (`layers` has the formulas). The loss that is differentiated is the
*sum* over the batch of each sample's loss on its response tokens; samples share no computation, hence the dy of a
sample's positions is the gradient of that sample's own loss. No weight gets a gradient of its own: autograd walks the
activations alone, and stops at the first layer that is tracked.

A layer's gradients (samples x rows x columns) exist for the moment that the backward pass visits the layer, in slices
of at most `SLICE` numbers, and are handed to a sink. Nothing of the size of the model is kept per sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import set_checkpoint_early_stop

from src.core.errors import UserError
from src.modeling.dropout import without_dropout
from src.selection.influence.layers import LowRank, Parameter, Sink, TrackedLayer, tracked_layers
from src.selection.packed import Encoded, ResponseLoss
from src.selection.products import fast_products

Reduction = Literal["mean", "sum"]


class PerSampleGradients:
    """Hooks on the matching linear layers of `model`; use as a context manager, the hooks go with it.

    reduction: a sample's loss is the mean over its response tokens or, not divided by their number, their sum.
    layers: shell patterns on module names ("*.q_proj", "*.lora_*"), see `layers.tracked_layers`. LoRA layers in float32
    are merged meanwhile; afterwards their weights are what they were, to the last digit but one.
    """

    def __init__(self, model: Any, layers: Sequence[str], reduction: Reduction = "mean"):
        self.model, self.reduction = model.eval(), reduction
        self.tracked_layers = tracked_layers(model, layers)
        self.parameters: list[Parameter] = [
            parameter for layer in self.tracked_layers for parameter in layer.parameters
        ]
        self._sink: Sink | None = None
        self._lengths: list[int] = []
        self._seen: set[str] = set()
        self._waiting: dict[str, Tensor] = {}
        self._way_back = self._checkpointed = False

    @property
    def size(self) -> int:
        """Length of one sample's gradient."""
        return sum(parameter.size for parameter in self.parameters)

    def __enter__(self) -> PerSampleGradients:
        with ExitStack() as stack:
            stack.enter_context(_frozen(self.model))
            for lora in [layer.lora for layer in self.tracked_layers if isinstance(layer, LowRank) and layer.may_merge]:
                lora.merge()
                stack.callback(lora.unmerge)
            stack.enter_context(fast_products(self.model))
            self._losses = ResponseLoss(self.model)
            for layer in self.tracked_layers:
                stack.callback(layer.module.register_forward_hook(self._track(layer)).remove)
            self._undo = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._undo.close()

    def run(self, batch: Sequence[Encoded], sink: Sink) -> Tensor:
        """One forward and one backward pass. Returns each row's mean loss over its response tokens, shape (batch,)."""
        self._sink, self._lengths, self._seen = sink, [len(row.tokens) for row in batch], set()
        # Asks every module: of SmolLM2, once for each tracked layer, that was a sixth of a pass.
        self._checkpointed = bool(getattr(self.model, "is_gradient_checkpointing", False))
        try:
            with self._computing():
                losses = self._losses(batch)
                self._check_all_seen()
                self._way_back = True
                (losses * self._weights(batch, losses)).sum().backward()
        finally:
            self._sink, self._way_back = None, False
            self._waiting.clear()
        return losses.detach()

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """In bfloat16 where the weights are, adapters included; with checkpointed activations, which a model keeps in
        training mode only, each layer is computed again to its end: its last product is tracked as well."""
        weight = next(self.model.parameters())
        lowered = torch.autocast(self.model.device.type, torch.bfloat16, enabled=weight.dtype == torch.bfloat16)
        with lowered, without_dropout(self.model), set_checkpoint_early_stop(False):
            self.model.train(self._checkpointed)
            yield

    def _weights(self, batch: Sequence[Encoded], losses: Tensor) -> Tensor:
        return losses.new_tensor([row.response_tokens if self.reduction == "sum" else 1 for row in batch])

    def _track(self, layer: TrackedLayer) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def forward_hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            x, sink, lengths = inputs[0].detach(), self._sink, self._lengths
            if sink is None or x.shape[:-1] != (1, sum(lengths)):  # DoRA also sends an identity matrix through
                return
            self._seen.add(layer.name)
            if not output.requires_grad:  # nothing below wants a gradient: backward ends here
                output.requires_grad_()
            if self._way_back:  # a checkpointed layer, computed again
                meet("x", x, sink, lengths)
            elif self._checkpointed:
                output.register_hook(lambda dy: meet("dy", dy, sink, lengths))
            else:
                output.register_hook(lambda dy: deliver(x, dy, sink, lengths))

        def meet(which: str, tensor: Tensor, sink: Sink, lengths: list[int]) -> None:
            """Of a checkpointed layer dy may come before x: nothing is computed again until it is asked for."""
            other = self._waiting.pop(layer.name, None)
            if other is None:
                self._waiting[layer.name] = tensor
            else:
                x, dy = (tensor, other) if which == "x" else (other, tensor)
                deliver(x, dy, sink, lengths)

        def deliver(x: Tensor, dy: Tensor, sink: Sink, lengths: list[int]) -> None:
            layer.deliver(x[0], dy[0].to(x.dtype), lengths, sink)

        return forward_hook

    def _check_all_seen(self) -> None:
        if unseen := [layer.name for layer in self.tracked_layers if layer.name not in self._seen]:
            raise UserError(
                f"Layer {unseen[0]} does not see all tokens of a text in their order: its gradient cannot be told "
                "apart by sample.",
                "Leave it out of selector.layers (routed experts and the like).",
            )


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)

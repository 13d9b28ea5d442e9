r"""Per-sample gradients of a causal language model, from ordinary batched backward passes.

For a linear layer y = W x + b, the gradient of sample s is the sum over its positions t of an outer product,

    dL_s/dW = sum_t  dL_s/dy_{s,t}  x_{s,t}^T        (rows x columns of W)
    dL_s/db = sum_t  dL_s/dy_{s,t}

so one forward pass that remembers x and one backward pass that delivers dL/dy hold everything for the whole batch
(Goodfellow 2015, arXiv 1510.01799, extended over time as in Opacus). The loss that is differentiated is the *sum* over
the batch of each sample's mean loss on its response tokens; samples share no computation, hence dL/dy of a row is the
gradient of that row's own loss. No weight gets a gradient of its own: autograd only walks the activations.

A layer's gradients (batch x rows x columns) exist for the moment that the backward pass visits the layer, in slices of
at most `SLICE` numbers, and are handed to a sink. Nothing of the size of the model is kept per sample.

Rows are padded on the right. A causal model's real tokens never see what comes after them and padding has no loss, so
no attention mask is needed, and padded positions add exact zeros.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from src.core.errors import UserError
from src.core.records import Example
from src.modeling.rows import encode_prompts

SLICE = 1 << 22  # numbers of a layer's gradients held at once: 16 MiB in float32

Sink = Callable[[str, int, Tensor], None]
"""Receives (parameter, first element, gradients): `gradients[s]` is a run of sample s's gradient of that flattened
parameter, beginning at `first element`. Shape (batch, elements), float32."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A candidate in tokens. The loss falls on `tokens[start:]`."""

    id: str
    tokens: list[int]
    start: int

    @property
    def response_tokens(self) -> int:
        return len(self.tokens) - self.start


@dataclass(frozen=True, slots=True)
class Parameter:
    """A weight (rows x columns) or a bias (rows x 1) whose per-sample gradient is taken."""

    name: str
    rows: int
    columns: int

    @property
    def size(self) -> int:
        return self.rows * self.columns


def encode(tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoded]:
    """Tokens as training sees them: prompt, response, end token; cut to `max_length`.

    A row may come out with no response tokens (an empty response, or a prompt that fills the window).
    """
    if not examples:
        return []
    prompts = encode_prompts(tokenizer, [example.prompt for example in examples])
    responses = tokenizer([example.response for example in examples], add_special_tokens=False).input_ids
    rows = []
    for example, prompt, response in zip(examples, prompts, responses, strict=True):
        tokens = [*prompt, *response, *([tokenizer.eos_token_id] if response else [])][:max_length]
        rows.append(Encoded(example.id, tokens, min(max(len(prompt), 1), len(tokens))))
    return rows


def batches(rows: Iterable[Encoded], batch_tokens: int) -> Iterator[list[Encoded]]:
    """Group rows of like length so that padded positions stay below `batch_tokens` (one row may exceed it)."""
    batch: list[Encoded] = []
    for row in sorted(rows, key=lambda row: (len(row.tokens), row.id)):
        if batch and (len(batch) + 1) * len(row.tokens) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


class PerSampleGradients:
    """Hooks on the matching linear layers of `model`; use as a context manager, the hooks go with it.

    layers: shell patterns on module names ("*.q_proj", "*lora_*"). Only `nn.Linear` counts (LoRA's two factors are
    such layers). A layer whose weight is shared with an embedding is refused: half of its gradient would be missing.

    Raises `UserError` when nothing matches, naming layers that could.
    """

    def __init__(self, model: Any, layers: Sequence[str]):
        self.model = model.eval()
        self.modules = matching_layers(model, layers)
        self.parameters = [
            Parameter(f"{name}.{part}", weight.shape[0], weight[0].numel())
            for name, module in self.modules.items()
            for part, weight in module.named_parameters(recurse=False)
        ]
        self._sink: Sink | None = None
        self._rows = 0

    @property
    def size(self) -> int:
        """Length of one sample's gradient."""
        return sum(parameter.size for parameter in self.parameters)

    def __enter__(self) -> PerSampleGradients:
        self._trainable = [p for p in self.model.parameters() if p.requires_grad]
        for parameter in self._trainable:
            parameter.requires_grad_(False)  # activations alone carry gradients: a third of the backward pass saved
        embedding = self.model.get_input_embeddings()
        self._handles = [embedding.register_forward_hook(lambda _module, _inputs, output: output.requires_grad_())]
        for name, module in self.modules.items():
            self._handles.append(module.register_forward_hook(self._remember(name, module)))
        return self

    def __exit__(self, *exc: object) -> None:
        for handle in self._handles:
            handle.remove()
        for parameter in self._trainable:
            parameter.requires_grad_(True)

    def run(self, batch: Sequence[Encoded], sink: Sink) -> Tensor:
        """One forward and one backward pass. Returns each row's mean loss over its response tokens, shape (batch,)."""
        self._sink, self._rows = sink, len(batch)
        losses = self.losses(batch)
        losses.sum().backward()
        self._sink = None
        return losses.detach()

    def losses(self, batch: Sequence[Encoded]) -> Tensor:
        """Each row's mean loss, shape (batch,). Logits are computed from the first response position on."""
        device = next(self.model.parameters()).device
        width, first = max(len(row.tokens) for row in batch), min(row.start for row in batch) - 1
        tokens = torch.zeros(len(batch), width, dtype=torch.long)
        labels = torch.full((len(batch), width), -100)
        for i, row in enumerate(batch):
            tokens[i, : len(row.tokens)] = torch.tensor(row.tokens)
            labels[i, row.start : len(row.tokens)] = tokens[i, row.start : len(row.tokens)]
        positions = torch.arange(first, width - 1, device=device)
        logits = self.model(input_ids=tokens.to(device), use_cache=False, logits_to_keep=positions).logits
        labels = labels[:, first + 1 :].to(device)
        flat = nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), reduction="none")
        return flat.view_as(labels).sum(1) / (labels != -100).sum(1)

    def _remember(self, name: str, module: nn.Linear) -> Callable[..., None]:
        def forward_hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if self._sink is None or not output.requires_grad:
                return
            x = inputs[0].detach()
            if x.dim() != 3 or len(x) != self._rows:
                raise UserError(
                    f"Layer {name} sees its input in shape {tuple(x.shape)}, not (samples, positions, features): its "
                    "gradient cannot be told apart by sample.",
                    "Leave it out of selector.layers (routed experts and the like).",
                )
            output.register_hook(lambda dy: self._deliver(name, module, x, dy.detach()))

        return forward_hook

    def _deliver(self, name: str, module: nn.Linear, x: Tensor, dy: Tensor) -> None:
        """Slices of sum_t dy_t x_t^T, a few rows of the weight at a time."""
        assert self._sink is not None
        samples, columns = len(x), x.shape[2]
        rows_at_once = max(1, SLICE // (samples * columns))
        for row in range(0, dy.shape[2], rows_at_once):
            part = dy[:, :, row : row + rows_at_once]
            gradient = torch.bmm(part.transpose(1, 2), x)  # (samples, rows, columns)
            self._sink(f"{name}.weight", row * columns, gradient.flatten(1).float())
        if module.bias is not None:
            self._sink(f"{name}.bias", 0, dy.float().sum(1))


def matching_layers(model: Any, patterns: Sequence[str]) -> dict[str, nn.Linear]:
    """The linear layers whose name matches any of the shell patterns, in the model's order."""
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

"""The loss of a causal language model on the trained tokens of packed documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from src.modeling.data import MicroBatch
from src.modeling.memory import WHOLE_LOGITS


def loss_sum(model: Any, batch: MicroBatch, attention: str, chunked: bool = False) -> Tensor:
    """Cross-entropy in nats, summed over the trained tokens (a scalar in float32).

    Only those tokens pass through the vocabulary matrix: most of the work of a small model lies there. No attention
    mask is passed, for an all-ones mask would let documents see each other. chunked: many logits are computed a part
    at a time, which only a model allows whose logits are a matrix product (see `head_is_a_matrix`).
    """
    return _losses(model, batch, attention, chunked)[0]


def objective(model: Any, batch: MicroBatch, attention: str, chunked: bool = False) -> tuple[Tensor, Tensor | float]:
    """(loss_sum, what a mixture of experts adds): its load-balancing loss (arXiv 2101.03961), with the weight that the
    model's configuration gives it, times the trained tokens, so that it too is averaged over them."""
    config = model.config.get_text_config()
    weight = getattr(config, "router_aux_loss_coef", 0) if hasattr(config, "output_router_logits") else 0
    if not weight:
        return loss_sum(model, batch, attention, chunked), 0.0
    loss, output = _losses(model, batch, attention, chunked, output_router_logits=True)
    return loss, weight * len(batch.targets) * output.aux_loss


def head_is_a_matrix(model: Any, batch: MicroBatch, attention: str) -> bool:
    """Whether the logits are the last hidden states times the vocabulary matrix and nothing more (no soft caps, no
    scales): found out by computing the loss both ways."""
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear) or head.bias is not None or not hasattr(functional, "linear_cross_entropy"):
        return False  # torch before 2.13 has no loss in chunks
    with torch.no_grad():
        whole, parts = (_losses(model, batch, attention, chunked, least=0)[0] for chunked in (False, True))
    return bool(torch.isclose(whole, parts, rtol=1e-2))


def _losses(
    model: Any, batch: MicroBatch, attention: str, chunked: bool, least: int | None = None, **options: Any
) -> tuple[Tensor, Any]:
    head = model.get_output_embeddings()
    in_chunks = chunked and len(batch.targets) * head.out_features > (WHOLE_LOGITS if least is None else least)
    with _loss_for_logits(head, batch.targets) if in_chunks else _unchanged():
        output = model(
            input_ids=batch.tokens,
            position_ids=batch.positions,
            logits_to_keep=batch.predicts,
            use_cache=False,
            **batch.documents.arguments(attention),
            **options,
        )
    if in_chunks:
        return output.logits.sum(), output
    return functional.cross_entropy(output.logits[0].float(), batch.targets, reduction="sum"), output


@contextmanager
def _unchanged() -> Iterator[None]:
    yield


@contextmanager
def _loss_for_logits(head: Any, targets: Tensor) -> Iterator[None]:
    """Meanwhile the output layer gives the summed loss in place of logits. Inside the model's own forward call, for a
    sharded model has its weights there and nowhere else."""
    head.forward = partial(_chunked, head, targets)
    try:
        yield
    finally:
        del head.forward


def _chunked(head: nn.Linear, targets: Tensor, hidden: Tensor) -> Tensor:
    """hidden: (1, trained tokens, width). The result has three dimensions, as logits have.

    The kernel gives the loss of each token, which is summed here: its own sum is rounded to the type of its input,
    in bfloat16 by up to a percent. Left to itself it cuts 1,433 tokens of SmolLM2 into 45 parts, each of which passes
    over the whole matrix: 11.6 s on a CPU core in bfloat16, against 2.0 s in five parts and 1.4 to 2.1 s undivided.
    """
    states, weight = hidden[0], head.weight
    device = states.device.type
    if torch.is_autocast_enabled(device):
        kind = torch.get_autocast_dtype(device)
        states, weight = states.to(kind), weight.to(kind)
    options = nn.LinearCrossEntropyOptions(
        batch_chunk_size=max(1, WHOLE_LOGITS // head.out_features),
        acc_policy="accurate" if device == "cpu" else "auto",  # others multiply slowly on processors without bfloat16
    )
    losses = functional.linear_cross_entropy(states, weight, targets, reduction="none", options=options)
    return losses.float().sum().view(1, 1, 1)

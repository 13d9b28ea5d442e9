"""Does this model keep packed documents apart? Asked of the model at hand before it is trained.

Some model or library version may ignore restarted positions, or read a mask differently; training would go on, a
little worse, and nobody would know. So a few documents are run side by side and one by one: the loss and the gradient
of every parameter must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from src.core.errors import UserError
from src.modeling.attention import Documents, attention_spans
from src.modeling.data import MicroBatch
from src.modeling.dropout import without_dropout
from src.modeling.loss import head_is_a_matrix, loss_sum
from src.modeling.sharding import computing_device, whole

LENGTHS = (5, 11, 3, 8)
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 6e-2, torch.float16: 2e-2}
"""Relative error of the gradient as a whole; a leak shows as 0.1 to 1, rounding in float32 as 1e-6."""


def documents(vocabulary: int, lengths: Sequence[int], seed: int = 0) -> MicroBatch:
    """Random documents of these lengths, every token but the first of each trained on."""
    tokens = torch.randint(0, vocabulary, (sum(lengths),), generator=torch.Generator().manual_seed(seed))
    positions = torch.cat([torch.arange(n) for n in lengths])
    targets = torch.nonzero(positions > 0)[:, 0]
    return MicroBatch(tokens[None], positions[None], targets - 1, tokens[targets], Documents.of(list(lengths)))


def one_by_one(batch: MicroBatch) -> list[MicroBatch]:
    """The same documents, each in a batch of its own."""
    parts = []
    for piece in batch.tokens[0].split(list(batch.documents.lengths)):
        n = len(piece)
        alone = Documents.of([n]).to(piece.device)
        places = torch.arange(n, device=piece.device)
        parts.append(MicroBatch(piece[None], places[None], places[:-1], piece[1:], alone))
    return parts


def difference(model: Any, attention: str, longest: int = 0) -> float:
    """The larger of the relative errors of loss and gradient, packed against one by one.

    The second gradient is subtracted from the first in the parameters' own `grad`, and of a sharded model each device
    looks at its shard: no copy of a gradient is kept. longest: a document of so many tokens is among them.
    """
    device = computing_device(model)
    lengths = (*LENGTHS, longest) if longest > max(LENGTHS) else LENGTHS
    batch = documents(model.config.get_text_config().vocab_size, lengths).to(device)
    with without_dropout(model):
        model.zero_grad(set_to_none=True)
        packed = _backward(model, batch, attention)
        size = _gradient_norm(model)
        alone = sum(_backward(model, one, attention, sign=-1) for one in one_by_one(batch))
        error = _gradient_norm(model)
        model.zero_grad(set_to_none=True)
    return max(abs(packed - alone) / abs(alone), error / max(size, 1e-12))


def _backward(model: Any, batch: MicroBatch, attention: str, sign: int = 1) -> float:
    loss = loss_sum(model, batch, attention)
    (sign * loss).backward()
    return float(loss.detach())


def _gradient_norm(model: Any) -> float:
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return float(whole(torch.nn.utils.get_total_norm(gradients)))


def reach(config: Any, limit: int) -> int:
    """A length that shows whether a model's window or chunk of attention is kept to its document: a little longer than
    that, where a document may be so long; else 0."""
    longest = max((size for size in attention_spans(config) if size + len(LENGTHS) <= limit), default=0)
    return longest + len(LENGTHS) if longest else 0


def check(model: Any, attention: str, dtype: torch.dtype = torch.float32, limit: int = 0) -> float:
    """Raises UserError when packed documents see each other; returns the relative error found. dtype: of the
    computation, which decides how much rounding is allowed. limit: the longest document that training may bring."""
    error = difference(model, attention, reach(model.config, limit))
    if not error < TOLERANCE[dtype]:
        kind = type(model).__name__
        raise UserError(
            f"{kind} with attention '{attention}' does not keep packed documents apart: loss and gradients differ by "
            f"{error:.1%} from those of the same documents alone.",
            "Set "
            + {"documents": "trainer.attention=sdpa (or eager), or ", "sdpa": "trainer.attention=eager, or "}.get(
                attention, ""
            )
            + "packing=false in the stage's recipe with trainer.rows_per_device=1, which models with convolutions or "
            "state spaces need; and check the transformers version.",
        )
    return error


def may_chunk(model: Any, attention: str) -> bool:
    """Whether the loss may be computed without holding all logits."""
    config = model.config.get_text_config()
    return head_is_a_matrix(model, documents(config.vocab_size, LENGTHS).to(computing_device(model)), attention)

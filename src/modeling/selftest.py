"""Does this model keep packed documents apart? Asked of the model at hand before it is trained, or reads.

Some model or library version may ignore restarted positions, or read a mask differently; training would go on, a
little worse, and nobody would know. So a few documents are run side by side and one by one: the loss and the gradient
of every parameter must agree (`check`), or, where a model only reads, what it makes of each token (`room`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

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


def room(model: Any, batch_tokens: int, longest: int) -> int:
    """How many tokens may go through a loaded model at once: `batch_tokens`, where it keeps packed rows apart; else 1,
    so that each row is read alone. Convolutions and state spaces carry what they hold from row to row, and what is said
    of a row would depend on which rows happen to meet. longest: a row may have so many tokens."""
    if keeps_rows_apart(model, longest):
        return batch_tokens
    _tell_of_leaks(type(_unwrapped(model)).__name__)
    return 1


@cache  # once, not at each checkpoint
def _tell_of_leaks(kind: str) -> None:
    print(f"    {kind} lets packed rows see each other: each is read in a pass of its own, slower", file=sys.stderr)


@torch.no_grad()
def keeps_rows_apart(model: Any, longest: int) -> bool:
    """Whether the last hidden states of a few rows are the same side by side and one by one, and those of the last row
    whatever stands before it. The second finds leaks that rounding to 16 bits would hide: what is computed is the same
    but for the leak, so that it may differ by a tenth of what the first may."""
    inner, weight = _unwrapped(model), next(model.parameters())
    config, tolerance = inner.config, TOLERANCE[weight.dtype]
    vocabulary, attention = config.get_text_config().vocab_size, str(config._attn_implementation)
    lengths = [n for n in (*LENGTHS, reach(config, longest)) if n]
    batch = documents(vocabulary, lengths).to(weight.device)
    before, last = batch.tokens.split([sum(lengths[:-1]), lengths[-1]], 1)
    others = replace(batch, tokens=torch.cat([(before + 1) % vocabulary, last], 1))
    packed, beside_others, *alone = (
        last_hidden_states(inner.get_decoder(), each, attention) for each in (batch, others, *one_by_one(batch))
    )
    at = -lengths[-1]
    return _is_like(packed, torch.cat(alone), tolerance) and _is_like(packed[at:], beside_others[at:], tolerance / 10)


def last_hidden_states(decoder: Any, batch: MicroBatch, attention: str) -> Tensor:
    """(tokens, width). decoder: a model without its head."""
    states: Tensor = decoder(
        input_ids=batch.tokens,
        position_ids=batch.positions,
        use_cache=False,
        **batch.documents.arguments(attention),
    ).last_hidden_state
    return states[0]


def _unwrapped(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _is_like(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    return bool((found - expected).float().norm() < tolerance * expected.float().norm())


def may_chunk(model: Any, attention: str) -> bool:
    """Whether the loss may be computed without holding all logits."""
    config = model.config.get_text_config()
    return head_is_a_matrix(model, documents(config.vocab_size, LENGTHS).to(computing_device(model)), attention)

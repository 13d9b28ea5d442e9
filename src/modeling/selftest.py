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
from src.modeling.attention import Documents
from src.modeling.data import MicroBatch
from src.modeling.module import loss_sum
from src.modeling.sharding import whole

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


def _gradient(model: Any, batches: Sequence[MicroBatch], attention: str) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad(set_to_none=True)
    total = 0.0
    for batch in batches:
        loss = loss_sum(model, batch, attention)
        loss.backward()
        total += float(loss.detach())
    gradient = {n: whole(p.grad.detach()).float().clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return total, gradient


def difference(model: Any, attention: str, lengths: Sequence[int] = LENGTHS) -> float:
    """The larger of the relative errors of loss and gradient, packed against one by one."""
    device = next(model.parameters()).device
    batch = documents(model.config.get_text_config().vocab_size, lengths).to(device)
    training = model.training
    model.eval()  # dropout would draw other masks
    packed_loss, packed = _gradient(model, [batch], attention)
    alone_loss, alone = _gradient(model, one_by_one(batch), attention)
    model.train(training)
    error = sum(float((packed[n] - alone[n]).square().sum()) for n in alone) ** 0.5
    size = sum(float(g.square().sum()) for g in alone.values()) ** 0.5
    return max(abs(packed_loss - alone_loss) / abs(alone_loss), error / max(size, 1e-12))


def check(model: Any, attention: str, dtype: torch.dtype = torch.float32) -> float:
    """Raises UserError when packed documents see each other; returns the relative error found. `dtype`: of the
    computation, which decides how much rounding is allowed."""
    error = difference(model, attention)
    if not error < TOLERANCE[dtype]:
        kind = type(model).__name__
        raise UserError(
            f"{kind} with attention '{attention}' does not keep packed documents apart: loss and gradients differ by "
            f"{error:.1%} from those of the same documents alone.",
            "Set trainer.attention=sdpa (or eager), or recipe.packing=false with trainer.rows_per_device=1; and check "
            "the transformers version.",
        )
    return error

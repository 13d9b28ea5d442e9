r"""The mean loss of each response of a batch, from one packed forward pass.

Rows lie one after another in a single row of tokens, without padding, and never see each other (see
`src.modeling.attention`). Only the places that predict a response token pass through the vocabulary matrix W, and there
the loss and its gradient towards the hidden state h are taken together, some places at a time:

    loss = log sum_v exp(w_v h) - w_y h,      dloss/dh = sum_v softmax_v w_v - w_y,

so the logits (places x vocabulary, often the largest tensor of a training step) are never whole in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from src.core.records import Example
from src.core.threads import use_threads
from src.modeling.attention import Documents, choose_kernel
from src.modeling.data import MicroBatch
from src.modeling.loading import load_config, load_model
from src.modeling.memory import RESPONSE_LOGITS as LOGITS
from src.modeling.rows import encode_prompts, encode_responses, together
from src.modeling.selftest import last_hidden_states
from src.modeling.trainer import Trainer
from src.selection.products import product

WINDOW = 2_048  # candidates held at once, in text and tokens, and sorted by length among themselves
NO_RESPONSE = "no response tokens"  # why a candidate has no score
TOGETHER = 256  # texts tokenized at once: the tokenizer's own account of a token takes some 100 bytes


@dataclass(frozen=True, slots=True)
class Encoded:
    """A candidate in tokens. The loss falls on `tokens[start:]`."""

    id: str
    tokens: list[int]
    start: int

    @property
    def response_tokens(self) -> int:
        return len(self.tokens) - self.start


def encode(tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoded]:
    """Tokens as training sees them: prompt, response, end token; cut to `max_length`.

    A row may come out with no response tokens (an empty response, or a prompt that fills the window).
    """
    return [row for block in together(examples, TOGETHER) for row in _encode(tokenizer, block, max_length)]


def _encode(tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoded]:
    prompts = encode_prompts(tokenizer, [example.prompt for example in examples])
    responses = encode_responses(tokenizer, [example.response for example in examples])
    rows = []
    for example, prompt, response in zip(examples, prompts, responses, strict=True):
        tokens = [*prompt, *response, *([tokenizer.eos_token_id] if response else [])][:max_length]
        rows.append(Encoded(example.id, tokens, min(max(len(prompt), 1), len(tokens))))
    return rows


def batches(rows: Iterable[Encoded], batch_tokens: int) -> Iterator[list[Encoded]]:
    """Group rows of like length so that a batch holds at most `batch_tokens` (one row alone may exceed it). The longest
    come first: where they do not fit, that shows at once, and the time left is told rather too long than too short."""
    batch: list[Encoded] = []
    held = 0
    for row in sorted(rows, key=lambda row: (-len(row.tokens), row.id)):
        if batch and held + len(row.tokens) > batch_tokens:
            yield batch
            batch, held = [], 0
        batch.append(row)
        held += len(row.tokens)
    if batch:
        yield batch


def pack(rows: Sequence[Encoded]) -> MicroBatch:
    """The rows side by side."""
    lengths = [len(row.tokens) for row in rows]
    documents = Documents.of(lengths)
    starts = documents.offsets.tolist()
    tokens = torch.tensor([token for row in rows for token in row.tokens])
    targets = torch.cat([torch.arange(at + row.start, at + len(row.tokens)) for at, row in zip(starts, rows)])
    positions = torch.cat([torch.arange(length) for length in lengths])
    return MicroBatch(tokens[None], positions[None], targets - 1, tokens[targets], documents)


def on_device(model: Path, trainer: Trainer, longest: int, precision: str = "float32") -> Any:
    """A model folder with weights of that precision ("float32" or "bf16"), ready to read packed rows of up to so many
    tokens; activations are checkpointed where the trainer says so."""
    use_threads(model, trainer.threads)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if trainer.device == "auto" else trainer.device
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    found = load_model(model, choose_kernel(load_config(model), trainer.attention, longest), dtype).to(device).eval()
    if trainer.activation_checkpointing:
        found.gradient_checkpointing_enable({"use_reentrant": False})
    return found


class ResponseLoss:
    """Call it with rows that have response tokens: each one's mean loss in nats, shape (rows,), differentiable.

    A model whose head is more than a matrix (soft caps, scales) is found out by trying, and goes through its own
    forward pass, logits and all.
    """

    def __init__(self, model: Any):
        self.model = model
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.attention = str(inner.config._attn_implementation)
        self._decoder, self._head = inner.get_decoder(), inner.get_output_embeddings()
        self._plain = self._head_is_a_matrix(inner)

    def __call__(self, rows: Sequence[Encoded]) -> Tensor:
        batch = pack(rows).to(self.model.device)
        if self._plain and not self._head.weight.requires_grad:
            each = MatrixLoss.apply(self.hidden(batch)[batch.predicts], self._head.weight, batch.targets)
        else:
            arguments = batch.documents.arguments(self.attention)
            logits = self.model(
                input_ids=batch.tokens,
                position_ids=batch.positions,
                logits_to_keep=batch.predicts,
                use_cache=False,
                **arguments,
            ).logits
            each = nn.functional.cross_entropy(logits[0].float(), batch.targets, reduction="none")
        return torch.stack([part.mean() for part in each.split([row.response_tokens for row in rows])])

    def hidden(self, batch: MicroBatch) -> Tensor:
        """The last hidden states, tokens x width."""
        return last_hidden_states(self._decoder, batch, self.attention)

    @torch.no_grad()
    def _head_is_a_matrix(self, inner: Any) -> bool:
        head = self._head
        if not isinstance(head, nn.Linear) or head.bias is not None:
            return False
        tokens = torch.arange(4, device=self.model.device)[None] % self._head.out_features
        logits = inner(input_ids=tokens, use_cache=False).logits
        ours = self._head(self._decoder(input_ids=tokens, use_cache=False).last_hidden_state)
        tolerance = 1e-4 if ours.dtype == torch.float32 else 2e-2
        return bool(torch.allclose(logits, ours, rtol=tolerance, atol=tolerance, equal_nan=True))


class MatrixLoss(torch.autograd.Function):
    """Cross-entropy of (places x width) hidden states under a frozen vocabulary matrix: (places,), float32."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        """The gradient is taken here as well: the logits are gone when backward is called."""
        losses = torch.empty(len(hidden), device=hidden.device)
        slopes = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        at_once = max(1, LOGITS // len(weight))
        for first in range(0, len(hidden), at_once):
            here = slice(first, first + at_once)
            logits = product(hidden[here], weight).float()
            said = logits.gather(1, targets[here, None])[:, 0]
            top = logits.amax(1, keepdim=True)
            powers = logits.sub_(top).exp_()
            total = powers.sum(1, keepdim=True)
            losses[here] = (total.log() + top)[:, 0] - said
            if slopes is not None:
                slopes[here] = product(powers.to(weight.dtype), weight.T).div_(total).sub_(weight[targets[here]])
        ctx.save_for_backward(slopes)
        return losses

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        (saved,) = ctx.saved_tensors
        return saved * slopes[0][:, None].to(saved), None, None

"""The one place that knows how packed documents are kept from seeing each other.

Transformers hands every attention layer the keyword arguments of the forward call; our own attention function,
registered under the name "documents", reads the documents' lengths from there. On a CPU it calls the causal kernel
once a document, which costs the sum of squared lengths instead of the square of the sum (on a 2-core machine a whole
training step of a 1.1M-parameter model with 1,024 packed tokens: 73 ms, against 120 ms with a mask). On a GPU it is
the variable-length flash kernel that torch brings along.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn import functional

from src.core.errors import UserError

NAME = "documents"
VARLEN_DEVICES = ("cuda",)
SHORT = 384
"""Up to so many tokens a CPU attends in float32 whatever the type: with nine heads of size 64, forward and backward of
a document of 128 tokens take 1.8 ms, and 4.4 ms in bfloat16; of 256 tokens 5.5 and 7.1, of 512 tokens 20 and 18."""


@dataclass(frozen=True)
class Documents:
    """The lengths of the documents that lie one after another in a row of tokens."""

    lengths: tuple[int, ...]
    offsets: torch.Tensor  # int32, on the tokens' device: where each begins, and where the last one ends

    @classmethod
    def of(cls, lengths: list[int]) -> Documents:
        return cls(tuple(lengths), torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32))

    def to(self, device: Any, **kwargs: Any) -> Documents:
        return Documents(self.lengths, self.offsets.to(device, **kwargs))

    def arguments(self, attention: str) -> dict[str, Any]:
        """What to hand to the model's forward call, besides position ids that restart."""
        if attention == NAME:
            return {"documents": self}
        if attention == "flash_attention_2":
            longest = max(self.lengths)
            bounds = {"cu_seq_lens_q": self.offsets, "cu_seq_lens_k": self.offsets}
            return {**bounds, "max_length_q": longest, "max_length_k": longest}
        return {}  # sdpa and eager read the documents from the position ids


def documents_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    documents: Documents | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each document. Shapes (1, heads, tokens, head size) -> (1, tokens, heads, head size).
    Raises NotImplementedError for what it would leave out: soft caps and sinks.

    Without `documents` every sequence of the batch is one, without padding; new tokens see all that is cached.
    """
    if beyond := [name for name in ("softcap", "s_aux") if kwargs.get(name) is not None]:
        raise NotImplementedError(f"attention '{NAME}' knows no {beyond[0]}")
    if documents is None:
        return _undivided(query, key, value, scaling), None
    query, key, value = _in_one_type(query, key, value)
    if query.device.type in VARLEN_DEVICES and query.dtype in (torch.bfloat16, torch.float16) and not dropout:
        return _varlen(query, key, value, scaling, documents), None
    if query.device.type == "cpu" and max(documents.lengths) <= SHORT:
        with torch.autocast("cpu", enabled=False):  # which would lower them again
            out = _one_by_one(query.float(), key.float(), value.float(), dropout, scaling, documents)
        return out.to(query.dtype), None
    return _one_by_one(query, key, value, dropout, scaling, documents), None


def _one_by_one(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    dropout: float,
    scaling: float | None,
    documents: Documents,
) -> torch.Tensor:
    key, value = _repeated(query, key, value)
    lengths = list(documents.lengths)
    parts = [
        functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True, scale=scaling)
        for q, k, v in zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    ]
    return torch.cat(parts, 2).transpose(1, 2)


def _in_one_type(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """In the type that autocast asks for, or that of the values: rotary embeddings return float32 whatever came in."""
    device = value.device.type
    kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else value.dtype
    return query.to(kind), key.to(kind), value.to(kind)


def _repeated(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values once for every query head (grouped-query attention)."""
    groups = query.shape[1] // key.shape[1]
    return (key, value) if groups == 1 else (key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1))


def _undivided(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None) -> torch.Tensor:
    new, seen = query.shape[2], key.shape[2]
    # The first of several new tokens sees what is cached and itself; `is_causal` would count from the first cached one.
    mask = torch.ones(new, seen, dtype=torch.bool, device=query.device).tril(seen - new) if 1 < new < seen else None
    key, value = _repeated(query, key, value)
    out = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=new == seen > 1, scale=scaling
    )
    return out.transpose(1, 2)


def _varlen(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None, documents: Documents
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    known = _parameters(varlen_attn)
    options: dict[str, Any] = {"scale": scaling} if "scale" in known else {}
    if not options and scaling is not None:
        query = query * (scaling * query.shape[-1] ** 0.5)
    # Any distance to the left, none to the right.
    options |= {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    if "enable_gqa" in known:
        options["enable_gqa"] = query.shape[1] != key.shape[1]
    else:
        key, value = _repeated(query, key, value)
    q, k, v = (x[0].transpose(0, 1).contiguous() for x in (query, key, value))
    bounds, longest = documents.offsets, max(documents.lengths)
    out = varlen_attn(q, k, v, bounds, bounds, longest, longest, **options)
    assert isinstance(out, torch.Tensor)
    return out.unsqueeze(0)


@cache
def _parameters(function: Any) -> frozenset[str]:
    """The names of its parameters: torch 2.10 to 2.13 differ in what the variable-length kernel takes."""
    return frozenset(inspect.signature(function).parameters)


def attention_spans(config: Any) -> list[int]:
    """How far the layers of a model look back where that is limited: windows (Mistral, Gemma) and chunks (Llama 4)."""
    text = config.get_text_config()
    found = [getattr(text, name, None) for name in ("sliding_window", "attention_chunk_size")]
    unused = getattr(text, "use_sliding_window", True) is False
    return [] if unused else [int(size) for size in found if size]


def choose_kernel(config: Any, wanted: str, longest: int, compiled: bool = False) -> str:
    """The implementation to load a model with. `config`: the model's; `longest`: the longest document. compiled: by
    torch.compile, which would take in the lengths of documents.

    Raises UserError where the one that is wanted would leave out part of what the model computes.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, documents_attention)
    able = _able(config)
    if wanted == "auto":
        limited = compiled or any(span < longest for span in attention_spans(config))
        return "sdpa" if limited and "sdpa" in able else able[0]
    if wanted in (NAME, "sdpa") and wanted not in able:
        raise UserError(
            f"A model of type {config.model_type} does not go with attention '{wanted}', which leaves out what its "
            "own does besides (soft caps, sinks, biases of position), or which it does not know.",
            f"Set trainer.attention=auto, which takes {able[0]} here.",
        )
    return wanted


def _able(config: Any) -> list[str]:
    """Those of "documents", "sdpa" and "eager" that compute what the model is made of, the fastest first.

    Soft caps on attention's logits (Gemma 2) are left out by the first two without a word; models with sinks (gpt-oss)
    or biases of their own declare that they have no sdpa, and those that choose their attention by themselves (Falcon,
    GPT-J) that they take none from outside.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING as CAUSAL

    kind = CAUSAL.get(type(config), None)
    capped = getattr(config.get_text_config(), "attn_logit_softcapping", None)
    sdpa = not capped and getattr(kind, "_supports_sdpa", True)
    ours = sdpa and getattr(kind, "_supports_attention_backend", True)
    return [*([NAME] if ours else []), *(["sdpa"] if sdpa else []), "eager"]

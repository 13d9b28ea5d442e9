"""Keys and values of texts that are written together, and attention of one new token on them.

Transformers' own cache copies all it holds for every token, and its attention repeats keys and values for each query
head that shares them, which for SmolLM2 (9 query heads, 3 of keys) is three times the cache, copied for every layer and
token.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

GROUPED = "grouped"
FIRST_ROOM, SPARE = 256, 1.25  # places beyond the prompt; when they are used up, there is a quarter more of all


class RoomyLayer(DynamicLayer):
    """One layer's keys and values: views of what is filled of two tensors that have room for more, (texts, heads,
    places, width)."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._rooms = [_room(new, new.shape[2] + FIRST_ROOM) for new in (key_states, value_states)]
        start = self.get_seq_length()
        end = start + key_states.shape[2]
        if end > self._rooms[0].shape[2]:
            self._rooms = [_grown(room, start, int(SPARE * end)) for room in self._rooms]
        for room, new in zip(self._rooms, (key_states, value_states), strict=True):
            room[:, :, start:end] = new
        self.keys, self.values = (room[:, :, :end] for room in self._rooms)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these texts, moved to the front of the same memory; in memory of their own where they become more."""
        filled = self.get_seq_length()
        for i, room in enumerate(self._rooms):
            more = len(indices) > len(room)
            kept = room.new_empty(len(indices), *room.shape[1:]) if more else room[: len(indices)]
            kept[:, :, :filled] = room[indices, :, :filled]
            self._rooms[i] = kept
        self.keys, self.values = (room[:, :, :filled] for room in self._rooms)


def _room(like: torch.Tensor, places: int) -> torch.Tensor:
    return like.new_empty(*like.shape[:2], places, like.shape[3])


def _grown(room: torch.Tensor, filled: int, places: int) -> torch.Tensor:
    grown = _room(room, places)
    grown[:, :, :filled] = room[:, :, :filled]
    return grown


def roomy_cache(config: Any) -> DynamicCache:
    """An empty cache for a model of this configuration; layers of another kind (windows, states) are transformers'."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def attend_in_groups(model: Any) -> None:
    """Have a model that computes attention by torch's `scaled_dot_product_attention` share keys and values while it
    writes; one with an attention of its own keeps it."""
    if model.config._attn_implementation == "sdpa":
        AttentionInterface.register(GROUPED, grouped_attention)
        AttentionMaskInterface.register(GROUPED, sdpa_mask)
        model.set_attn_implementation(GROUPED)


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """(texts, heads, 1, width) -> (texts, 1, heads, width): the query heads that share keys are as many queries of one
    head. Several new tokens, those of a prompt, are left to transformers.

    key, value: (texts, shared heads, places, width); attention_mask: (texts, 1, 1, places) or None.
    """
    texts, heads, new, width = query.shape
    if new > 1 or kwargs.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    grouped = query.reshape(texts, key.shape[1], heads // key.shape[1], width)
    out = functional.scaled_dot_product_attention(grouped, key, value, attn_mask=attention_mask, scale=scaling)
    return out.reshape(texts, 1, heads, value.shape[3]), None


def cache_bytes(config: Any, number: int) -> int:
    """Of one token of one text, in numbers of so many bytes; layers that look at a window are taken for whole ones."""
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return 2 * text.num_hidden_layers * heads * width * number

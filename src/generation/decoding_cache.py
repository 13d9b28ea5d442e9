"""Keys and values of texts that are written together, and attention of one new token on them.

Transformers' own cache copies all it holds for every token, and its attention repeats keys and values for each query
head that shares them, which for SmolLM2 (9 query heads, 3 of keys) is three times the cache, copied for every layer and
token.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    places, width). All texts end at the same place; what is in front of a shorter one is masked, but finite.

    room: places beyond the first tokens that are read.
    """

    def __init__(self, room: int):
        super().__init__()
        self._room = room

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            places = key_states.shape[2] + self._room
            self._rooms = [_empty(new, len(new), places) for new in (key_states, value_states)]
        texts, start = len(key_states), self.get_seq_length()
        end = start + key_states.shape[2]
        if end > self._rooms[0].shape[2]:
            kept = torch.arange(texts, device=key_states.device)
            self._rooms = [
                _moved(room, kept, start, start, _empty(room, texts, int(SPARE * end))) for room in self._rooms
            ]
        for room, new in zip(self._rooms, (key_states, value_states), strict=True):
            room[:texts, :, start:end] = new
        self._show(texts, end)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        self.arrange(indices, self.get_seq_length())

    def arrange(self, indices: torch.Tensor, places: int) -> None:
        """Keep these texts, each as often as it is named, and of each the last `places`; where they are more than are
        filled, there is nothing in front of them. In the same memory, if that has room for them."""
        filled, texts = self.get_seq_length(), len(indices)
        for i, room in enumerate(self._rooms):
            fits = texts <= len(room) and places <= room.shape[2]
            to = room if fits else _empty(room, max(texts, len(room)), int(SPARE * places) + self._room)
            self._rooms[i] = _moved(room, indices, filled, places, to)
        self._show(texts, places)

    def begin(self, beginnings: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Texts of which something is there: their first keys and values, (heads, tokens, width) each."""
        self.lazy_initialization(*beginnings[0])
        places = max(keys.shape[1] for keys, _ in beginnings)
        self._rooms = []
        for parts in zip(*beginnings, strict=True):
            heads, _, width = parts[0].shape
            room = parts[0].new_zeros(len(parts), heads, places + self._room, width)
            for text, part in enumerate(parts):
                room[text, :, places - part.shape[1] : places] = part
            self._rooms.append(room)
        self._show(len(beginnings), places)

    def copied(self, texts: torch.Tensor, room: int) -> RoomyLayer:
        """These texts, each as often as it is named, in memory of their own with room for more places."""
        copy, filled = RoomyLayer(room), self.get_seq_length()
        copy.lazy_initialization(self.keys, self.values)
        copy._rooms = [
            _moved(old, texts, filled, filled, _empty(old, len(texts), filled + room)) for old in self._rooms
        ]
        copy._show(len(texts), filled)
        return copy

    def put(self, texts: torch.Tensor, other: RoomyLayer, which: torch.Tensor) -> None:
        """In place of these texts, (texts,), those of another layer, `which`, with no more places than are filled."""
        end = self.get_seq_length()
        start = end - other.get_seq_length()
        for room, new in zip(self._rooms, (other.keys, other.values), strict=True):
            room[texts, :, start:end] = new[which]

    def _show(self, texts: int, places: int) -> None:
        self.keys, self.values = (room[:texts, :, :places] for room in self._rooms)


def _empty(like: torch.Tensor, texts: int, places: int) -> torch.Tensor:
    return like.new_empty(texts, like.shape[1], places, like.shape[3])


def _moved(room: torch.Tensor, texts: torch.Tensor, filled: int, places: int, to: torch.Tensor) -> torch.Tensor:
    """`to`, with the last `places` of `filled` ones of these texts; zeros in front, where there are fewer."""
    kept = min(filled, places)
    to[: len(texts), :, places - kept : places] = room[texts, :, filled - kept : filled]
    to[: len(texts), :, : places - kept] = 0
    return to


def roomy_cache(config: Any, room: int | None = None) -> DynamicCache:
    """An empty cache for a model of this configuration; layers of another kind (windows, states) are transformers'."""
    cache = DynamicCache(config=config)
    room = FIRST_ROOM if room is None else room
    cache.layers = [RoomyLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def cache_of(cache: DynamicCache, texts: torch.Tensor) -> DynamicCache:
    """These texts of a cache, each as often as it is named, with room for more. Roomy layers stay as they are; of
    others, which is seldom, it is the same cache."""
    if takes_others(cache):
        copy = DynamicCache()
        copy.layers = [layer.copied(texts, FIRST_ROOM) for layer in cache.layers]
        return copy
    cache.batch_select_indices(texts)
    return cache


def takes_others(cache: DynamicCache) -> bool:
    """Whether texts can join those of the cache: where each layer holds all places."""
    return all(isinstance(layer, RoomyLayer) for layer in cache.layers)


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

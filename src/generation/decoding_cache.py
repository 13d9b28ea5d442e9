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
        self._room, self._first, self._end = room, 0, 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        texts, new = len(key_states), key_states.shape[2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._rooms = [_empty(states, texts, new + self._room) for states in (key_states, value_states)]
        elif self._end + new > self._rooms[0].shape[2]:
            self._move(torch.arange(texts, device=key_states.device), self._end - self._first, new)
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[:texts, :, self._end : self._end + new] = states
        self._show(texts, self._first, self._end + new)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        self.arrange(indices, self.get_seq_length())

    def arrange(self, texts: torch.Tensor | None, places: int) -> None:
        """Keep these texts (None: all), each as often as it is named, and of each the last `places`; where they are
        more than are filled, there is nothing in front of them."""
        first = self._end - places
        if texts is not None or first < 0:
            kept = torch.arange(len(self.keys), device=self.keys.device) if texts is None else texts
            self._move(kept, places)
            return
        for room in self._rooms:
            room[: len(self.keys), :, first : self._first] = 0
        self._show(len(self.keys), first, self._end)

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
        self._show(len(beginnings), 0, places)

    def copied(self, texts: torch.Tensor, room: int) -> RoomyLayer:
        """These texts, each as often as it is named, in memory of their own with room for more places."""
        copy, places = RoomyLayer(room), self.get_seq_length()
        copy.lazy_initialization(self.keys, self.values)
        copy._rooms = [
            _last(old, texts, places, _empty(old, len(texts), places + room)) for old in (self.keys, self.values)
        ]
        copy._show(len(texts), 0, places)
        return copy

    def put(self, texts: Sequence[torch.Tensor], other: RoomyLayer) -> None:
        """Each text of another layer, which has no more places than are filled, in place of several of this one.

        On a CPU one after the other: twice as fast as all at once, which would copy them first.
        """
        start = self._end - other.get_seq_length()
        for room, new in zip(self._rooms, (other.keys, other.values), strict=True):
            filled = room[:, :, start : self._end]
            if room.device.type == "cpu":
                for rows, text in zip(texts, new, strict=True):
                    filled[rows] = text
            else:
                which = torch.arange(len(texts)).repeat_interleave(torch.tensor([len(rows) for rows in texts]))
                filled[torch.cat(list(texts))] = new[which.to(room.device)]

    def _move(self, texts: torch.Tensor, places: int, more: int = 0) -> None:
        """To the front of the memory, or where that has no room for `more` besides and a share of all, of another that
        is as large as that."""
        wanted = int(SPARE * (places + more))
        for i, (room, filled) in enumerate(zip(self._rooms, (self.keys, self.values), strict=True)):
            fits = len(texts) <= len(room) and wanted <= room.shape[2]
            to = room if fits else _empty(room, len(texts), max(wanted, FIRST_ROOM))
            self._rooms[i] = _last(filled, texts, places, to)
        self._show(len(texts), 0, places)

    def _show(self, texts: int, first: int, end: int) -> None:
        self._first, self._end = first, end
        self.keys, self.values = (room[:texts, :, first:end] for room in self._rooms)


def _empty(like: torch.Tensor, texts: int, places: int) -> torch.Tensor:
    return like.new_empty(texts, like.shape[1], places, like.shape[3])


def _last(filled: torch.Tensor, texts: torch.Tensor, places: int, to: torch.Tensor) -> torch.Tensor:
    """`to`, which may be the same memory, with the last `places` of these texts; zeros in front, where they have
    fewer."""
    kept = min(filled.shape[2], places)
    to[: len(texts), :, places - kept : places] = filled[texts, :, filled.shape[2] - kept :]
    to[: len(texts), :, : places - kept] = 0
    return to


def roomy_cache(config: Any, room: int) -> DynamicCache:
    """An empty cache for a model of this configuration; layers of another kind (windows, states) are transformers'."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def cache_of(cache: DynamicCache, texts: torch.Tensor, longest: int) -> DynamicCache:
    """These texts of a cache, each as often as it is named, with room for more, but hardly for more than the longest of
    them will have. Roomy layers stay as they are; of others, which is seldom, it is the same cache."""
    if takes_others(cache):
        room = min(FIRST_ROOM, max(FIRST_ROOM, longest) - cache.get_seq_length())
        copy = DynamicCache()
        copy.layers = [layer.copied(texts, room) for layer in cache.layers]
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

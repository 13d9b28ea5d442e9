"""Reading prompts of which others have read the beginning: few-shot examples, a question, the steps of a search so far.

Keys and values of a token depend on the tokens before it alone, so those of a common beginning are copied. What was
read lately is held for that, as it was read: tensors of one row a prompt.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch

from src.generation.decoding_cache import roomy_cache, takes_others

Tokens = tuple[int, ...]

BLOCK = 16  # beginnings are looked up by so many tokens, and by so many more
SHARE = 1 / 2  # of a prompt must be known, or it is read as a whole


@dataclass(frozen=True)
class ReadPrompts:
    """Prompts, each once, and what the model makes of them.

    tokens: (prompts, places), padded on the left with their first tokens; mask: alike. logits: (prompts, vocabulary),
    of the tokens to come. cache: keys and values.
    """

    prompts: Sequence[Tokens]
    tokens: torch.Tensor
    mask: torch.Tensor
    logits: torch.Tensor
    cache: Any


@dataclass(frozen=True)
class _Held:
    """A prompt that was read: the last places of a row of a cache."""

    prompt: Tokens
    cache: Any
    row: int

    def beginning(self, layer: int, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of its first tokens in one layer, (heads, tokens, width)."""
        held = self.cache.layers[layer]
        start = held.get_seq_length() - len(self.prompt)
        places = slice(start, start + tokens)
        return held.keys[self.row, :, places], held.values[self.row, :, places]


class PromptReader:
    """step(tokens, mask, cache): logits (texts, vocabulary) of the next tokens. memory: bytes, for what is held."""

    def __init__(
        self,
        step: Callable[[torch.Tensor, torch.Tensor, Any], torch.Tensor],
        config: Any,
        device: torch.device,
        memory: int,
    ):
        self._step, self._config, self._device, self._memory = step, config, device, memory
        self._caches: deque[tuple[Any, list[int]]] = deque()  # the oldest first, and the names of what is in them
        self._known: dict[int, _Held] = {}  # by the names of all its beginnings
        self._used = 0
        self._shares = takes_others(roomy_cache(config, room=0))

    def read(self, prompts: Sequence[Tokens]) -> Iterator[ReadPrompts]:
        """Read these, in one or two parts: those whose beginning is known, and others."""
        if not self._shares:
            yield self._whole(prompts)
            return
        if stems := self._stems(prompts):
            self._hold(self._whole(stems))
        known = {prompt: held for prompt in prompts if (held := self._beginning(prompt))}
        new = max((len(prompt) - _common(prompt, held.prompt) for prompt, held in known.items()), default=0)
        known = {prompt: held for prompt, held in known.items() if len(prompt) > new}
        if others := [prompt for prompt in prompts if prompt not in known]:
            yield self._hold(self._whole(others))
        if known:
            yield self._hold(self._rest(known, new))

    def forget(self) -> None:
        """Give up all that is held."""
        self._caches.clear()
        self._known.clear()
        self._used = 0

    def _whole(self, prompts: Sequence[Tokens]) -> ReadPrompts:
        tokens, mask = self._padded(prompts)
        cache = roomy_cache(self._config, room=0)
        return ReadPrompts(prompts, tokens, mask, self._step(tokens, mask, cache), cache)

    def _rest(self, known: Mapping[Tokens, _Held], new: int) -> ReadPrompts:
        """Read the last `new` tokens of each: the ones before are known."""
        prompts = list(known)
        tokens, mask = self._padded(prompts)
        cache = roomy_cache(self._config, room=new)
        for i, layer in enumerate(cache.layers):
            layer.begin([held.beginning(i, len(prompt) - new) for prompt, held in known.items()])
        return ReadPrompts(prompts, tokens, mask, self._step(tokens[:, -new:], mask, cache), cache)

    def _padded(self, prompts: Sequence[Tokens]) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(map(len, prompts))
        gaps = [width - len(prompt) for prompt in prompts]
        tokens = torch.tensor([[*prompt[:1] * gap, *prompt] for gap, prompt in zip(gaps, prompts, strict=True)])
        mask = torch.tensor([[0] * gap + [1] * (width - gap) for gap in gaps])
        return tokens.to(self._device), mask.to(self._device)

    def _stems(self, prompts: Sequence[Tokens]) -> list[Tokens]:
        """What several of these begin with, where it is as much as makes it worth while and is not known."""
        often = Counter(name for prompt in prompts for name in _names(prompt))
        stems: dict[Tokens, None] = {}
        for prompt in prompts:
            shared = BLOCK * sum(1 for _ in takewhile(lambda name: often[name] > 1, _names(prompt)))
            if shared and shared >= SHARE * len(prompt) and not self._beginning(prompt):
                stems[prompt[:shared]] = None
        return list(stems)

    def _beginning(self, prompt: Tokens) -> _Held | None:
        """What is held and begins as this prompt does, for as long as makes it worth while."""
        found = None
        for name in _names(prompt):
            if name not in self._known:
                break
            found = self._known[name]
        return found if found and _common(prompt, found.prompt) >= SHARE * len(prompt) else None

    def _hold(self, read: ReadPrompts) -> ReadPrompts:
        names = []
        for row, prompt in enumerate(read.prompts):
            held = _Held(prompt, read.cache, row)
            for name in _names(prompt):
                self._known[name] = held
                names.append(name)
        self._caches.append((read.cache, names))
        self._used += _bytes(read.cache)
        while self._used > self._memory:
            oldest, names = self._caches.popleft()
            self._used -= _bytes(oldest)
            for name in names:
                if name in self._known and self._known[name].cache is oldest:
                    del self._known[name]
        return read


def _names(prompt: Tokens) -> Iterator[int]:
    """Of its beginnings of one block, of two, and so on; the same for the same tokens."""
    name = 0
    for end in range(BLOCK, len(prompt) + 1, BLOCK):
        name = hash((name, prompt[end - BLOCK : end]))
        yield name


def _common(prompt: Tokens, other: Tokens) -> int:
    """Tokens that both begin with; the last of the prompt has to be read."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(prompt, other, strict=False)))
    return min(same, len(prompt) - 1)


def _bytes(cache: Any) -> int:
    return sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)

"""The texts that a transformers model writes together, and where each of them is.

All texts end at the same column of the tensors, so that one step writes the next token of each, whenever it has begun:
a text that joins is put where another one ended, with nothing but masked columns in front of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from src.generation.base import Request, Sampling
from src.generation.decoding_cache import cache_of, takes_others
from src.generation.prefixes import ReadPrompts
from src.generation.token_choice import choose_tokens

ENDED = 1 / 8  # of the rows: when so many texts have ended, others begin in their places, or the places are given up
LEFT_EMPTY = 1 / 4  # of the rows or columns that are needed: when more are left, all texts move together


@dataclass(frozen=True)
class Text:
    """A text to be written."""

    request: Request
    prompt: tuple[int, ...]
    limit: int

    @cached_property
    def drawn_by(self) -> Sampling:
        """What decides how its tokens are drawn: the same for texts that are drawn together."""
        return replace(self.request.sampling, max_tokens=1, stop=())

    @property
    def longest(self) -> int:
        """Prompt and text, in tokens."""
        return len(self.prompt) + self.limit


class RunningBatch:
    """Tensors of one row a text, on the device.

    texts: None where a row's text has ended. tokens: (rows, columns), prompts and what was written; in front of them
    their first tokens, and mask, alike, is 0 there. written: (rows,), how many of the tokens are each text's own.
    logits: (rows, vocabulary), of the tokens to come. cache: keys and values. ending: the tokens, (vocabulary,), bool,
    that may end a text with these stop strings.
    """

    def __init__(
        self, texts: Sequence[Text], read: ReadPrompts, ending: Callable[[tuple[str, ...], int], torch.Tensor]
    ):
        which = _rows_of(texts, read)
        self.texts: list[Text | None] = list(texts)
        self.cache, self._ending = cache_of(read.cache, which, max(text.longest for text in texts)), ending
        self.tokens, self.mask, self.logits = read.tokens[which], read.mask[which], read.logits[which]
        self.written = self.tokens.new_zeros(len(texts))
        self._describe()

    @property
    def live(self) -> list[Text]:
        return [text for text in self.texts if text]

    @property
    def has_room(self) -> bool:
        """Whether so many texts have ended that their places are worth a change."""
        return self.texts.count(None) >= ENDED * len(self.texts)

    def join(self, texts: Sequence[Text], read: ReadPrompts) -> None:
        """Take these in where others have ended: all texts of the prompts that were read, in their order."""
        width = read.tokens.shape[1]
        self._make_room(len(texts), width)
        free = [row for row, text in enumerate(self.texts) if text is None][: len(texts)]
        rows, which = torch.tensor(free).to(self.tokens.device), _rows_of(texts, read)
        of_prompt = rows.split(which.bincount().tolist())
        for layer, new in zip(self.cache.layers, read.cache.layers, strict=True):
            layer.put(of_prompt, new)
        start = self.tokens.shape[1] - width
        self.tokens[rows] = read.tokens[which, :1]
        self.tokens[rows, start:] = read.tokens[which]
        self.mask[rows] = 0
        self.mask[rows, start:] = read.mask[which]
        self.logits[rows], self.written[rows] = read.logits[which], 0
        for row, text in zip(free, texts, strict=True):
            self.texts[row] = text
        self._describe()

    def drop_ended(self) -> None:
        """Give up the rows of texts that have ended, where these are many, and the columns that no other needs."""
        if None not in self.texts:
            return
        rows = [row for row, text in enumerate(self.texts) if text] if self.has_room else None
        columns, needed = self.tokens.shape[1], self._columns_needed()
        keeps_columns = _fits(needed, columns) or not takes_others(self.cache)
        if rows is not None or not keeps_columns:
            self._arrange(rows, columns if keeps_columns else needed)
        if rows is not None:
            self._describe()

    def choose_tokens(self) -> None:
        """Write down the next token of each text."""
        chosen = self.tokens[:, -1].clone()
        for sampling, rows in self._groups:
            mine = slice(None) if rows is None else rows
            chosen[mine] = choose_tokens(
                self.logits[mine], self.tokens[mine], sampling, self._seeds[mine], self.written[mine]
            )
        self.tokens = torch.cat([self.tokens, chosen[:, None]], dim=1)
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.written += 1

    def perhaps_ended(self) -> list[tuple[int, Text, list[int]]]:
        """The rows and texts that may have ended with their last token, and all that these have written."""
        at_limit = self._limits <= self.written
        rows = torch.nonzero(self._may_end[self._kinds, self.tokens[:, -1]] | at_limit)[:, 0]
        found = torch.cat([rows[:, None], self.written[rows, None], self.tokens[rows]], dim=1).tolist()
        return [(row, text, tokens[-n:]) for row, n, *tokens in found if (text := self.texts[row])]

    def _make_room(self, new: int, width: int) -> None:
        """At least `new` free rows and `width` columns, and not many more than are needed."""
        live = [row for row, text in enumerate(self.texts) if text]
        rows, columns = len(self.texts), self.tokens.shape[1]
        needed = max(width, self._columns_needed())
        keeps_rows = _fits(len(live) + new, rows)
        keeps_columns = _fits(needed, columns)
        if keeps_rows and keeps_columns:
            return
        self._arrange(None if keeps_rows else live + live[:1] * new, columns if keeps_columns else needed)
        if not keeps_rows:
            self.texts[len(live) :] = [None] * new

    def _columns_needed(self) -> int:
        written = self.written.tolist()
        return max(len(text.prompt) + n for text, n in zip(self.texts, written, strict=True) if text)

    def _arrange(self, rows: Sequence[int] | None, columns: int) -> None:
        """Keep these rows (None: all), each as often as it is named, and so many of their last columns: empty ones in
        front, where there are fewer."""
        more = columns - self.tokens.shape[1]
        kept = None if rows is None else torch.tensor(rows).to(self.tokens.device)
        if more:
            for layer in self.cache.layers:
                layer.arrange(kept, columns)
        elif kept is not None:
            self.cache.batch_select_indices(kept)
        if rows is not None:
            for name in ("tokens", "mask", "logits", "written"):
                setattr(self, name, getattr(self, name)[kept])
            self.texts = [self.texts[row] for row in rows]
        first = self.tokens[:, :1].expand(-1, max(more, 0))
        self.tokens = torch.cat([first, self.tokens[:, max(-more, 0) :]], dim=1)
        self.mask = torch.cat([torch.zeros_like(first), self.mask[:, max(-more, 0) :]], dim=1)

    def _describe(self) -> None:
        """What each row is drawn by and ends with; a row whose text has ended goes on as any other."""
        device, others = self.tokens.device, self.live[0]
        texts = [text or others for text in self.texts]
        self._limits = torch.tensor([text.limit for text in texts]).to(device)
        self._seeds = torch.tensor([text.request.seed for text in texts]).to(device)
        stops = list(dict.fromkeys(text.request.sampling.stop for text in texts))
        self._may_end = torch.stack([self._ending(strings, self.logits.shape[-1]) for strings in stops])
        self._kinds = torch.tensor([stops.index(text.request.sampling.stop) for text in texts]).to(device)
        alike: dict[Sampling, list[int]] = {}
        for row, text in enumerate(texts):
            alike.setdefault(text.drawn_by, []).append(row)
        self._groups = [
            (sampling, None if len(alike) == 1 else torch.tensor(rows).to(device)) for sampling, rows in alike.items()
        ]


def _rows_of(texts: Sequence[Text], read: ReadPrompts) -> torch.Tensor:
    row_of = {prompt: row for row, prompt in enumerate(read.prompts)}
    return torch.tensor([row_of[text.prompt] for text in texts]).to(read.tokens.device)


def _fits(needed: int, there: int) -> bool:
    return needed <= there <= (1 + LEFT_EMPTY) * needed

"""Examples as tokens on disk: memory-mapped, so that millions of rows cost no memory. `tokenizing` writes them.

A folder holds `tokens.npy` (int32, all rows one after another), by row `lengths.npy` and `prompts.npy` (int32: its
tokens, and how many of them are its prompt), `corpus.npy` (uint8: number of its corpus), `held_out.npy` (bool) and
`digests.npy` (uint64: hash of tokens and prompt), `ids.txt` (one id a line) and `rows.json`, written last: the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from src.core.records import Example
from src.modeling.recipe import Order

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


LINE_END = "\n"

CHARACTERS = 1 << 22
"""In texts tokenized at once, whose tokens take some 50 bytes a character meanwhile: 200 MB."""


@dataclass(frozen=True)
class TokenCorpus:
    """Rows that are trained on together. Several are read one after the other; `order` null: the recipe's."""

    name: str
    examples: Callable[[], Iterable[Example]]
    order: Order | None = None


@dataclass(frozen=True)
class TokenRows:
    """The tokenized rows of all corpora. `counts`: rows, kept, held_out, truncated, split, dropped by reason, tokens.

    The pieces of a row that was split are rows here, with the id of the whole.
    """

    folder: Path
    corpora: tuple[str, ...]
    counts: dict[str, int]

    def _load(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy", mmap_mode="r" if name == "tokens" else None)

    @cached_property
    def tokens(self) -> np.ndarray:
        return self._load("tokens")

    @cached_property
    def lengths(self) -> np.ndarray:
        return self._load("lengths")

    @cached_property
    def prompts(self) -> np.ndarray:
        return self._load("prompts")

    @cached_property
    def corpus(self) -> np.ndarray:
        return self._load("corpus")

    @cached_property
    def held_out(self) -> np.ndarray:
        return self._load("held_out")

    @cached_property
    def digests(self) -> np.ndarray:
        return self._load("digests")

    def of(self, corpus: int, held_out: bool = False) -> np.ndarray:
        """The numbers of a corpus's rows: those to train on, or those held out."""
        return np.flatnonzero((self.corpus == corpus) & (self.held_out == held_out))

    @cached_property
    def offsets(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])

    def ids(self, rows: Iterable[int]) -> list[str]:
        """The example ids of these rows; reads the whole file: for error messages."""
        lines = (self.folder / "ids.txt").read_text(encoding="utf-8").split("\n")
        return [lines[row] for row in rows]

    def trained(self, loss_on: str) -> np.ndarray:
        """By row, the number of tokens that the loss falls on (the very first token is predicted from nothing)."""
        return self.lengths - (np.maximum(self.prompts, 1) if loss_on == "response" else 1)


def together(examples: Iterable[Example], most: int) -> Iterator[list[Example]]:
    """Those to tokenize at once: up to `most`, and of CHARACTERS characters in all; a longer one alone."""
    batch: list[Example] = []
    held = 0
    for example in examples:
        size = sum(len(text) for text in (example.prompt, example.response) if isinstance(text, str))
        if batch and (len(batch) == most or held + size > CHARACTERS):
            yield batch
            batch, held = [], 0
        batch.append(example)
        held += size
    if batch:
        yield batch


def encode_prompts(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """The tokens of a prompt just as an engine will see them at generation: with what the tokenizer puts first."""
    ids: list[list[int]] = tokenizer(texts).input_ids
    end = tokenizer.eos_token_id
    return [row[:-1] if row and row[-1] == end else row for row in ids]


def encode_responses(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """The tokens of responses as they follow a prompt. Tokenizers in the way of SentencePiece mark the beginning of
    every text as if a space stood there; behind a line end, with which prompts close, there is none."""
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False).input_ids
    if not _marks_beginnings(tokenizer):
        return ids
    line_end: list[int] = tokenizer(LINE_END, add_special_tokens=False).input_ids
    behind = tokenizer([LINE_END + text for text in texts], add_special_tokens=False).input_ids
    n = len(line_end)
    return [after[n:] if after[:n] == line_end else alone for after, alone in zip(behind, ids, strict=True)]


def _marks_beginnings(tokenizer: PreTrainedTokenizerBase) -> bool:
    alone, behind = (tokenizer(text, add_special_tokens=False).input_ids for text in ("1", LINE_END + "1"))
    return bool(behind[-len(alone) :] != alone)

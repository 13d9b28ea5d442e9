"""Examples as tokens on disk: written once, memory-mapped afterwards, so that millions of rows cost no memory.

A folder holds `tokens.npy` (int32, all rows one after another), `lengths.npy` and `prompts.npy` (int32: tokens of a
row, and how many of them are its prompt), `corpus.npy` (uint8: number of its corpus), `ids.txt` (one id a line) and
`rows.json`, written last: the counts. A folder without it is begun anew.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from src.core.errors import UserError
from src.core.progress import Progress
from src.core.records import Example
from src.modeling.ranks import one_at_a_time
from src.modeling.recipe import Order, Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH = 1_024


@dataclass(frozen=True)
class Corpus:
    """Rows that are trained on together. Several are read one after the other; `order` null: the recipe's."""

    name: str
    examples: Callable[[], Iterable[Example]]
    order: Order | None = None


@dataclass(frozen=True)
class Rows:
    """The tokenized rows of all corpora. `counts`: rows, kept, truncated, dropped by reason, tokens."""

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
    def offsets(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])

    def ids(self, rows: Iterable[int]) -> list[str]:
        """The example ids of these rows; reads the whole file: for error messages."""
        lines = (self.folder / "ids.txt").read_text(encoding="utf-8").split("\n")
        return [lines[row] for row in rows]

    def trained(self, loss_on: str) -> np.ndarray:
        """By row, the number of tokens that the loss falls on (the very first token is predicted from nothing)."""
        return self.lengths - (np.maximum(self.prompts, 1) if loss_on == "response" else 1)


@dataclass
class _Writer:
    folder: Path
    ends_with: int
    limit: int
    overlong: str
    counts: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)
    prompts: list[int] = field(default_factory=list)
    corpus: list[int] = field(default_factory=list)

    def row(self, example: Example, prompt: list[int], response: list[int], corpus: int, files: _Files) -> None:
        self.counts["rows"] += 1
        tokens = [*prompt, *response, self.ends_with]
        if not response:
            self.counts["dropped_empty_response"] += 1
            return
        if len(tokens) > self.limit:
            if self.overlong == "drop":
                self.counts["dropped_overlong"] += 1
                return
            if len(prompt) >= self.limit:
                self.counts["dropped_prompt_fills_sequence"] += 1
                return
            self.counts["truncated"] += 1
            tokens = tokens[: self.limit]
        self.counts["kept"] += 1
        self.counts["tokens"] += len(tokens)
        self.counts["response_tokens"] += len(tokens) - len(prompt)
        self.lengths.append(len(tokens))
        self.prompts.append(len(prompt))
        self.corpus.append(corpus)
        files.tokens.write(np.asarray(tokens, dtype=np.int32).tobytes())
        files.ids.write(example.id.replace("\n", " ").encode() + b"\n")


@dataclass
class _Files:
    tokens: BinaryIO
    ids: BinaryIO


def encode_prompts(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """The tokens of a prompt just as an engine will see them at generation: with what the tokenizer puts first."""
    ids: list[list[int]] = tokenizer(texts).input_ids
    end = tokenizer.eos_token_id
    return [row[:-1] if row and row[-1] == end else row for row in ids]


def _encoded(tokenizer: PreTrainedTokenizerBase, examples: Iterable[Example]) -> Iterator[tuple[Example, Any, Any]]:
    stream = iter(examples)
    while batch := list(islice(stream, BATCH)):
        prompts = encode_prompts(tokenizer, [e.prompt for e in batch])
        responses = tokenizer([e.response for e in batch], add_special_tokens=False).input_ids
        yield from zip(batch, prompts, responses, strict=True)


def tokenize(
    corpora: Iterable[Corpus], tokenizer: PreTrainedTokenizerBase, recipe: Recipe, limit: int, folder: Path
) -> Rows:
    """The rows of all corpora in `folder`, from there when they are complete. A row is prompt, response, end token.

    `limit`: the longest row in tokens. Raises UserError when no row is left, or when the tokenizer has no end token.
    """
    done = folder / "rows.json"
    with one_at_a_time(folder):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            made = _write(list(corpora), tokenizer, recipe, limit, folder)
            half = done.with_suffix(".half")
            half.write_text(json.dumps(made))
            half.replace(done)
    made = json.loads(done.read_text())
    if not made["counts"].get("kept"):
        why = ", ".join(f"{n} {reason}" for reason, n in made["counts"].items() if reason != "rows") or "none came in"
        raise UserError(
            f"No row is left to train on ({made['counts'].get('rows', 0)} rows: {why}).",
            f"Look at the stage before, or at the recipe's sequence_length (rows may have {limit} tokens).",
        )
    return Rows(folder, tuple(made["corpora"]), made["counts"])


def _write(
    corpora: list[Corpus], tokenizer: PreTrainedTokenizerBase, recipe: Recipe, limit: int, folder: Path
) -> dict[str, Any]:
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"The tokenizer of {tokenizer.name_or_path} has no end token, so a model could not learn to stop.",
            "Set eos_token in its tokenizer_config.json.",
        )
    writer = _Writer(folder, int(tokenizer.eos_token_id), limit, recipe.overlong)
    raw = folder / "tokens.raw"
    with raw.open("wb") as tokens, (folder / "ids.txt").open("wb") as ids, Progress("tokenizing") as bar:
        for number, corpus in enumerate(corpora):
            for example, prompt, response in _encoded(tokenizer, corpus.examples()):
                writer.row(example, prompt, response, number, _Files(tokens, ids))
                bar.advance()
    _as_npy(raw, folder / "tokens.npy", writer.counts["tokens"])
    np.save(folder / "lengths.npy", np.asarray(writer.lengths, dtype=np.int32))
    np.save(folder / "prompts.npy", np.asarray(writer.prompts, dtype=np.int32))
    np.save(folder / "corpus.npy", np.asarray(writer.corpus, dtype=np.uint8))
    return {"corpora": [c.name for c in corpora], "counts": dict(writer.counts)}


def _as_npy(raw: Path, path: Path, count: int) -> None:
    """Put NumPy's header before raw int32 values, without holding them."""
    with path.open("wb") as out, raw.open("rb") as source:
        header = {"descr": "<i4", "fortran_order": False, "shape": (count,)}
        np.lib.format.write_array_header_1_0(out, header)
        shutil.copyfileobj(source, out, 1 << 20)
    raw.unlink()

"""From examples to a folder of `TokenRows`: written once, by the first process to come, complete or begun anew."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from src.core.errors import UserError
from src.core.progress import Progress
from src.core.records import Example, seed_from
from src.modeling.ranks import one_at_a_time
from src.modeling.recipe import Recipe
from src.modeling.rows import TokenCorpus, TokenRows, encode_prompts, encode_responses, together

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH = 1_024

COLUMNS = {"lengths": "i4", "prompts": "i4", "corpus": "u1", "held_out": "?", "digests": "u8"}
"""Of each row, 18 bytes in all, and their types in NumPy."""

ROW = struct.Struct("<iiB?Q")


@dataclass
class _Writer:
    """Appends rows to open files; of each row 18 bytes are held."""

    end: int
    limit: int
    recipe: Recipe
    tokens: BinaryIO
    ids: BinaryIO
    counts: Counter[str] = field(default_factory=Counter)
    columns: bytearray = field(default_factory=bytearray)

    def row(self, example: Example, prompt: list[int], response: list[int], corpus: int) -> None:
        """One example: kept, whole or in pieces, or dropped for a reason."""
        tokens = [*prompt, *response, self.end]
        if reason := self._unfit(tokens, prompt, response):
            self.counts[f"dropped_{reason}"] += 1
            return
        held_out = is_held_out(example.id, self.recipe.held_out)
        self.counts["held_out" if held_out else "kept"] += 1
        if len(tokens) <= self.limit:
            pieces = [tokens]
        elif self.recipe.overlong == "split":
            self.counts["split"] += 1
            pieces = cut(tokens, self.limit)
        else:
            self.counts["truncated"] += 1
            pieces = [tokens[: self.limit]]
        for i, piece in enumerate(pieces):
            self._piece(example.id, piece, 0 if i else len(prompt), corpus, held_out)

    def _unfit(self, tokens: list[int], prompt: list[int], response: list[int]) -> str | None:
        if not response:
            return "empty_response"
        if len(tokens) > self.limit and self.recipe.overlong == "drop":
            return "overlong"
        return "prompt_fills_sequence" if len(prompt) >= self.limit else None

    def _piece(self, id: str, tokens: list[int], prompt: int, corpus: int, held_out: bool) -> None:
        self.counts["tokens"] += len(tokens)
        self.counts["response_tokens"] += len(tokens) - prompt
        raw = np.asarray(tokens, dtype=np.int32).tobytes()
        digest = hashlib.blake2b(raw, digest_size=8, salt=prompt.to_bytes(4, "little")).digest()
        self.columns += ROW.pack(len(tokens), prompt, corpus, held_out, int.from_bytes(digest, "little"))
        self.tokens.write(raw)
        self.ids.write(id.replace("\n", " ").encode() + b"\n")


def is_held_out(id: str, share: float) -> bool:
    """Decided by the content alone: a row that is in two corpora is held out of both."""
    return seed_from("held out", id) < share * 2**31


def cut(tokens: list[int], limit: int) -> list[list[int]]:
    """Pieces of at most `limit` tokens (2 or more), none of a single one: a model could learn nothing from it."""
    edges = [*range(0, len(tokens), limit), len(tokens)]
    if edges[-1] - edges[-2] == 1:
        edges[-2] -= 1
    return [tokens[start:end] for start, end in pairwise(edges)]


def _readable(example: Example) -> bool:
    try:
        for text in (example.prompt, example.response):
            text.encode()
    except (AttributeError, UnicodeEncodeError):  # no text, or half a character
        return False
    return True


def _encoded(
    tokenizer: PreTrainedTokenizerBase, examples: Iterable[Example], counts: Counter[str]
) -> Iterator[tuple[Example, list[int], list[int]]]:
    for batch in together(examples, BATCH):
        good = [example for example in batch if _readable(example)]
        counts["rows"] += len(batch)
        if len(good) < len(batch):
            counts["dropped_unreadable_text"] += len(batch) - len(good)
        if good:
            prompts = encode_prompts(tokenizer, [e.prompt for e in good])
            responses = encode_responses(tokenizer, [e.response for e in good])
            yield from zip(good, prompts, responses, strict=True)


def tokenize(
    corpora: Iterable[TokenCorpus], tokenizer: PreTrainedTokenizerBase, recipe: Recipe, limit: int, folder: Path
) -> TokenRows:
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
    return TokenRows(folder, tuple(made["corpora"]), made["counts"])


def _write(
    corpora: list[TokenCorpus], tokenizer: PreTrainedTokenizerBase, recipe: Recipe, limit: int, folder: Path
) -> dict[str, Any]:
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"The tokenizer of {tokenizer.name_or_path} has no end token, so a model could not learn to stop.",
            "Set eos_token in its tokenizer_config.json.",
        )
    raw = folder / "tokens.raw"
    with raw.open("wb") as tokens, (folder / "ids.txt").open("wb") as ids, Progress("tokenizing") as bar:
        writer = _Writer(int(tokenizer.eos_token_id), limit, recipe, tokens, ids)
        for number, corpus in enumerate(corpora):
            for example, prompt, response in _encoded(tokenizer, corpus.examples(), writer.counts):
                writer.row(example, prompt, response, number)
                bar.advance()
    _as_npy(raw, folder / "tokens.npy", writer.counts["tokens"])
    columns = np.frombuffer(writer.columns, dtype=list(COLUMNS.items()))
    for name in COLUMNS:
        np.save(folder / f"{name}.npy", np.ascontiguousarray(columns[name]))
    return {"corpora": [c.name for c in corpora], "counts": dict(writer.counts)}


def _as_npy(raw: Path, path: Path, count: int) -> None:
    """Put NumPy's header before raw int32 values, without holding them."""
    with path.open("wb") as out, raw.open("rb") as source:
        header = {"descr": "<i4", "fortran_order": False, "shape": (count,)}
        np.lib.format.write_array_header_1_0(out, header)
        shutil.copyfileobj(source, out, 1 << 20)
    raw.unlink()

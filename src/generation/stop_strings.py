"""Where a text ends at a stop string, found without decoding every text after every token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

UNFINISHED = "\ufffd"  # what a tokenizer makes of some of the bytes of a character


def completing(tokenizer: Any, stops: Sequence[str], size: int) -> torch.Tensor:
    """(size,), bool: the tokens with which a stop string may become complete; others cannot end a text.

    A stop string ends within its last token, so that token's text begins with an end of the stop string, or holds all
    of it. Tokenizers in the way of SentencePiece drop a space at the front of what they decode, so it is tried with one
    as well. Tokens that have no text of their own, or a part of a character, are among them.
    """
    import torch

    table = torch.zeros(size, dtype=torch.bool)
    if not stops:
        return table
    known = min(size, len(tokenizer))
    texts = tokenizer.batch_decode([[token] for token in range(known)])
    endings = tuple({stop[i:] for stop in stops for i in range(len(stop))})
    for token, text in enumerate(texts):
        table[token] = (
            not text
            or UNFINISHED in text
            or text.startswith(endings)
            or f" {text}".startswith(endings)
            or any(stop in f" {text}" for stop in stops)
        )
    return table


def cut(text: str, stops: Sequence[str]) -> tuple[str, str] | None:
    """The text before the first stop string, and that string; None where there is none."""
    found = [(at, stop) for stop in stops if (at := text.find(stop)) >= 0]
    if not found:
        return None
    at, stop = min(found)
    return text[:at], stop

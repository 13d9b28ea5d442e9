"""What one forward pass of the reference model says of each candidate: its loss, or where it lies among others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from src.core.records import Example
from src.modeling.loading import load_config, load_tokenizer, longest_row
from src.modeling.selftest import room
from src.selection.base import Reference
from src.selection.packed import NO_RESPONSE, WINDOW, Encoded, ResponseLoss, batches, encode, on_device, pack
from src.selection.products import fast_products

T = TypeVar("T")

NOT_FINITE = "loss is not finite"


def losses(
    examples: Iterable[Example], count: int, reference: Reference, max_length: int, batch_rows: int
) -> tuple[dict[str, float], dict[str, str]]:
    """Of `count` examples (mean loss of each response in nats, to six places; those without, and why), by id."""
    found: dict[str, float] = {}
    skipped: dict[str, str] = {}

    def read(model: ResponseLoss, batch: list[Encoded]) -> list[float]:
        return [float(value) for value in model(batch)]

    for row, value in _passes("losses", examples, count, reference, max_length, batch_rows, read):
        if value is None or not math.isfinite(value):
            skipped[row.id] = NO_RESPONSE if value is None else NOT_FINITE
        else:
            found[row.id] = round(value, 6)
    return dict(sorted(found.items())), dict(sorted(skipped.items()))


def mean_states(
    examples: Iterable[Example], count: int, reference: Reference, max_length: int, batch_rows: int
) -> Iterator[tuple[str, Tensor | None]]:
    """Each text's mean last hidden state, over prompt and response; None where there are no response tokens."""

    def read(model: ResponseLoss, batch: list[Encoded]) -> list[Tensor]:
        states = model.hidden(pack(batch).to(model.model.device))
        return [part.mean(0).float().cpu() for part in states.split([len(row.tokens) for row in batch])]

    for row, state in _passes("embeddings", examples, count, reference, max_length, batch_rows, read):
        yield row.id, state


def _passes(
    what: str,
    examples: Iterable[Example],
    count: int,
    reference: Reference,
    max_length: int,
    batch_rows: int,
    read: Callable[[ResponseLoss, list[Encoded]], list[T]],
) -> Iterator[tuple[Encoded, T | None]]:
    """What `read` finds in each row, a batch at a time; None for rows without response tokens. Texts are cut to what
    the model has positions for: beyond them a loss says nothing of the text."""
    max_length = longest_row(load_config(reference.model), max_length)
    network = on_device(reference.model, reference.trainer, max_length).requires_grad_(False)
    model, tokenizer = ResponseLoss(network), load_tokenizer(reference.model)
    at_once = room(network, batch_rows * max_length, max_length)
    with fast_products(network), reference.progress(what, total=count, unit="candidates") as bar:
        stream = iter(examples)
        while window := list(islice(stream, WINDOW)):
            rows = encode(tokenizer, window, max_length)
            yield from ((row, None) for row in rows if not row.response_tokens)
            for batch in batches((row for row in rows if row.response_tokens), at_once):
                with torch.no_grad():
                    found = read(model, batch)
                yield from zip(batch, found, strict=True)
            bar.advance(len(rows))

"""A model that draws no dropout masks, though it stays in training mode: checkpointed activations stay on, results
repeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """All probabilities of dropout are 0 meanwhile: those of dropout modules, which attention may hand to its kernel as
    numbers (GPT-2), and those that other modules hold as numbers themselves (OPT, Llama)."""
    found = [(module, name, p) for module in model.modules() for name, p in _probabilities(module) if p]
    for module, name, _ in found:
        setattr(module, name, 0.0)
    try:
        yield
    finally:
        for module, name, p in found:
            setattr(module, name, p)


def _probabilities(module: nn.Module) -> list[tuple[str, float]]:
    if isinstance(module, nn.Dropout):
        return [("p", module.p)]
    return [(name, p) for name, p in vars(module).items() if isinstance(p, float) and _names_dropout(name)]


def _names_dropout(name: str) -> bool:
    return "dropout" in name or name.endswith("pdrop")

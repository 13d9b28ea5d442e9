"""A model in training mode that draws no dropout masks: checkpointed activations stay on, results repeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """`training` of the modules that would draw a mask is False meanwhile; of all others it stays as it is."""
    drawing = [m for m in model.modules() if isinstance(m, nn.Dropout) or getattr(m, "attention_dropout", False)]
    before = [module.training for module in drawing]
    for module in drawing:
        module.training = False
    try:
        yield
    finally:
        for module, training in zip(drawing, before, strict=True):
            module.training = training

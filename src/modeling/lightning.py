"""PyTorch Lightning, without the package of metrics that it imports and this project does not use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from types import ModuleType

METRICS = "torchmetrics"


@contextmanager
def _placeholder() -> Iterator[None]:
    """Meanwhile torchmetrics is two empty classes, which Lightning looks for among a module's attributes. The package
    itself brings scipy's signals, matplotlib and a text model: 3 s of processor time at the start of each process that
    trains. Who imports it later gets it as it is."""
    if METRICS in sys.modules:
        yield
        return
    module = ModuleType(METRICS)
    module.__dict__.update(
        __version__=version(METRICS),
        __spec__=ModuleSpec(METRICS, None),
        Metric=type("Metric", (), {}),
        MetricCollection=type("MetricCollection", (), {}),
    )
    sys.modules[METRICS] = module
    try:
        yield
    finally:
        del sys.modules[METRICS]


with _placeholder():
    import pytorch_lightning as pl

__all__ = ["pl"]

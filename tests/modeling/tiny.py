"""A model small enough to train in a second, and rows that it can learn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from src.core.records import Example
from src.modeling.sources import TinyLlama
from src.modeling.trainer import Trainer

TINY = TinyLlama(hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=48, vocab_size=320, max_positions=128)
CPU = Trainer(device="cpu", threads=1, log_seconds=0.0)


def addition(i: int) -> Example:
    a, b = i % 13, i * 7 % 11
    steps = " ".join(["Count on."] * (i % 4))
    return Example(f"row-{i}", "test", f"What is {a} + {b}?\n", f"{steps}{a} + {b} = \\boxed{{{a + b}}}")


def toy(size: int = 4) -> tuple[Any, torch.optim.Optimizer]:
    """As much of a module as a checkpoint holds, with its optimizer."""
    model = torch.nn.Linear(size, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, size)).sum().backward()
    optimizer.step()
    restored: dict[str, Any] = {}
    return SimpleNamespace(
        model=model, progress=lambda: {"steps_done": 7}, restore_progress=restored.update, restored=restored
    ), optimizer

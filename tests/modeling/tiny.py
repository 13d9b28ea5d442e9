"""A model small enough to train in a second, and rows that it can learn."""

from __future__ import annotations

from src.core.records import Example
from src.modeling.sources import TinyLlama
from src.modeling.trainer import Trainer

TINY = TinyLlama(hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=48, vocab_size=320, max_positions=128)
CPU = Trainer(device="cpu", threads=1, log_seconds=0.0)


def addition(i: int) -> Example:
    a, b = i % 13, i * 7 % 11
    steps = " ".join(["Count on."] * (i % 4))
    return Example(f"row-{i}", "test", f"What is {a} + {b}?\n", f"{steps}{a} + {b} = \\boxed{{{a + b}}}")

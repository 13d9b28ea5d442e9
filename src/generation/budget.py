"""What texts cost."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from src.generation.base import Generator


@runtime_checkable
class Priced(Protocol):
    """A generator whose texts cost money."""

    def dollars(self, prompt_tokens: int, completion_tokens: int) -> float:
        """The price of so many tokens."""
        ...


def dollars(generator: Generator, prompt_tokens: int, completion_tokens: int) -> float:
    """The price of so many tokens; 0 for a generator that costs no money."""
    return generator.dollars(prompt_tokens, completion_tokens) if isinstance(generator, Priced) else 0.0

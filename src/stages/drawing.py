"""Drawing some of many rows, by their content alone."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from heapq import nsmallest
from itertools import islice

from src.core.records import Prompt, content_id

IN_HEAP = 10_000


def draw(prompts: Callable[[], Iterator[Prompt]], n: int | None, seed: int) -> Iterator[Prompt]:
    """Yield `n` of the prompts (None: all), in the order in which they come.

    Each prompt has a number that the seed and its id decide, and the `n` smallest are drawn. So a draw depends neither
    on order nor on shards, and a larger draw holds the smaller one. Reads the prompts twice; memory: 8 bytes a prompt.
    """
    if n is None:
        return prompts()
    numbers = array("Q", (_number(seed, prompt) for prompt in prompts()))
    if n >= len(numbers):
        return prompts()
    limit = nsmallest(n, numbers)[-1] if n <= IN_HEAP else sorted(numbers)[n - 1]
    return islice((prompt for prompt in prompts() if _number(seed, prompt) <= limit), n)


def _number(seed: int, prompt: Prompt) -> int:
    return int(content_id("draw", seed, prompt.id)[:16], 16)

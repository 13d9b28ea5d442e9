"""Drawing some of many rows, by their content alone."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from heapq import nsmallest
from itertools import islice

from src.core.errors import UserError
from src.core.records import Prompt, content_id

IN_HEAP = 10_000


FEW = 4  # times as many prompts as there are: no mistake that anybody makes on purpose


def check_enough(there: int | None, wanted: int, what: str) -> None:
    """Raises UserError where many more prompts are to be drawn than there can be. A few too many is no mistake: then
    all of them are taken, as with a small corpus of one's own."""
    if there is not None and wanted > FEW * there:
        raise UserError(
            f"{what} for {wanted:,} prompts, and the corpus gives {there:,} at most.",
            "Give a larger corpus or more prompts a passage (prompts.per_passage=8), or ask for fewer.",
        )


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

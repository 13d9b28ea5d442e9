"""Drawing some of many rows, by their content alone."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from heapq import nsmallest
from itertools import islice

from src.core.errors import UserError
from src.core.records import Prompt, content_id
from src.core.stage import Upstream
from src.stages.prompts import Prompts

IN_HEAP = 10_000
FEW = 4  # times as many prompts as there are: no mistake that anybody makes on purpose


def check_enough(prompts: Upstream, wanted: int, what: str, option: str) -> None:
    """`option`: what the stage calls their number.

    Raises UserError where many more prompts are to be drawn than there can be. A few too many is no mistake: then all
    of them are taken, as with a small corpus of one's own.
    """
    if prompts.rows is not None and wanted > FEW * prompts.rows:
        more = _enough_a_passage(prompts, wanted)
        raise too_few(
            prompts,
            f"{what} for {wanted:,} prompts",
            f"`{option}` of {FEW * prompts.rows:,} at most would take all of them"
            + (f", and prompts.per_passage={more} make enough" if more else ""),
        )


def too_few(prompts: Upstream, asked: str, spared: str) -> UserError:
    """Of a corpus that is too small. All stages that need more of it are told together, above one piece of advice.

    spared: what else than a larger corpus would do."""
    return UserError(
        f"{asked}, and the corpus gives {prompts.rows:,} at most: {spared}.", "Give a larger corpus, or ask for less."
    )


def _enough_a_passage(prompts: Upstream, wanted: int) -> int | None:
    """The least number of prompts a passage that would do; None where the prompt set has not so many stages."""
    stage, rows = prompts.stage, prompts.rows or 0
    if not isinstance(stage, Prompts) or not (passages := rows // stage.per_passage):
        return None
    needed = -(-wanted // (FEW * passages))
    return needed if needed <= len(stage.prompt_set.drawn_stages) else None


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

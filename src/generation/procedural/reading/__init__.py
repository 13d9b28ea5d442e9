"""The families that a base model reads: elementary skills that no teacher writes and no examination asks.

A base that has read them can copy the numbers of a question, reckon, and follow an English sentence, as the published
models can from which the method starts. What the method teaches is then a gain over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from src.core.records import seed_from
from src.generation.procedural.family import Family, Kind, SolvedProblem
from src.generation.procedural.reading import arithmetic, letters, measures, parts, signs, stories, whole

MODULES = (arithmetic, signs, parts, letters, whole, measures, stories)

FAMILIES: tuple[Family, ...] = tuple(f for m in MODULES for f in vars(m).values() if isinstance(f, Family))


def reading_problems(n: int, seed: int, tool_share: float = 0.0) -> Iterator[tuple[SolvedProblem, str]]:
    """`n` problems, a family drawn for each, with some of its topic words; a `tool_share` is solved by a program."""
    rng = Random(seed_from("reading", seed))
    for _ in range(n):
        family = rng.choice(FAMILIES)
        kind: Kind = "tool" if rng.random() < tool_share else "cot"
        instance = family.draw(rng, "train")
        topics = rng.sample(sorted(family.topics), 2)
        yield family.tell(instance, rng, stage="reading", kind=kind, cast="reading"), " ".join(topics)

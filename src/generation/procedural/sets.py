"""Sets of problems: what a student is trained on, and what it is examined with.

Balanced over stages, and over the families of a stage, by taking turns; so the first m of n problems are the m
problems that one gets by asking for m.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from typing import Literal

from src.core.errors import UserError
from src.core.records import seed_from
from src.generation.procedural.family import Family, Kind, Slice, SolvedProblem, Split
from src.generation.procedural.people import Cast
from src.generation.procedural.size import FULL, Size
from src.prompts.sets import STAGES

PATIENCE = 400  # repeats in a row after which a family's instances count as used up


def held_out_problems(
    split: Split,
    n: int,
    seed: int,
    kind: Kind = "cot",
    size: Size = FULL,
) -> list[SolvedProblem]:
    """A benchmark of `n` problems, no two with the same family and numbers, that no training set can contain.

    `split` "seen": families the teacher writes, with numbers and names it never uses; "unseen": families it
    never writes. Raises UserError when the families hold fewer than `n` such problems.
    """
    problems = _turns(split, "held_out", "held_out", seed, float(kind == "tool"), size)
    return _first(n, problems, f"held-out problems of split '{split}'")


def training_problems(
    n: int,
    seed: int,
    tool_share: float = 0.0,
    split: Literal["train", "dev"] = "train",
    size: Size = FULL,
) -> Iterator[SolvedProblem]:
    """`n` problems of the seen families with training names, a `tool_share` of them solved by a program.

    "train" draws where the teacher draws, and may tell an instance again in other words; "dev" (influence
    targets, tuning) is written neither by the teacher nor by the benchmark, and repeats nothing.
    """
    problems = _turns("seen", split, "training", seed, tool_share, size)
    return islice(problems, n) if split == "train" else iter(_first(n, problems, "dev problems"))


def _first(n: int, problems: Iterator[SolvedProblem], what: str) -> list[SolvedProblem]:
    found = list(islice(problems, n))
    if len(found) < n:
        raise UserError(
            f"Only {len(found)} of {n} {what} exist.",
            "Lower the set's option n, or widen `problems` (families, numbers, stages).",
        )
    return found


def _turns(
    split: Split,
    part: Slice,
    cast: Cast,
    seed: int,
    tool_share: float,
    size: Size,
) -> Iterator[SolvedProblem]:
    """Stage after stage, and in each stage family after family, in an order that the seed shuffles."""
    told: set[tuple[str, str]] | None = None if part == "train" else set()
    by_stage = []
    for stage in size.stages or STAGES:
        families = size.asked(stage, split)
        Random(seed_from("order", seed, stage)).shuffle(families)
        by_stage.append(
            _round_robin([_stream(f, stage, part, cast, seed, tool_share, told, size.numbers) for f in families])
        )
    return _round_robin(by_stage)


def _stream(
    family: Family,
    stage: str,
    part: Slice,
    cast: Cast,
    seed: int,
    tool_share: float,
    told: set[tuple[str, str]] | None,
    numbers: float,
) -> Iterator[SolvedProblem]:
    """One family's problems, without end; with `told`, the (family, signature) pairs told so far, each once."""
    rng = Random(seed_from("set", seed, family.name, stage, part))
    repeats = 0
    while repeats < PATIENCE:
        instance = family.draw(rng, part, numbers)
        if told is not None:
            if (family.name, instance.signature) in told:
                repeats += 1
                continue
            told.add((family.name, instance.signature))
            repeats = 0
        kind: Kind = "tool" if rng.random() < tool_share else "cot"
        yield family.tell(instance, rng, stage=stage, kind=kind, cast=cast)


def _round_robin(streams: Sequence[Iterator[SolvedProblem]]) -> Iterator[SolvedProblem]:
    """One of each in turn; a stream that ends leaves the round."""
    live = list(streams)
    while live:
        ended = []
        for stream in live:
            if (problem := next(stream, None)) is None:
                ended.append(stream)
            else:
                yield problem
        live = [s for s in live if s not in ended]

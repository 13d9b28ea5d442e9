"""Sets of problems: what a student is trained on, and what it is examined with.

Balanced over stages, and over the families of a stage, by taking turns; so the first m of n problems are the m
problems that one gets by asking for m. A set that repeats nothing asks as many questions of each stage as of any other
(within one), or is refused: no stage fills up for another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from typing import Literal

from src.core.errors import UserError
from src.core.records import seed_from
from src.generation.procedural import composed
from src.generation.procedural.family import Family, Instance, Kind, Slice, SolvedProblem, Split
from src.generation.procedural.people import Cast
from src.generation.procedural.size import FULL, Size

Told = set[tuple[str, str]]  # family and signature


def held_out_problems(
    split: Split,
    n: int,
    seed: int,
    kind: Kind = "cot",
    size: Size = FULL,
) -> list[SolvedProblem]:
    """A benchmark of `n` problems, no two with the same family and numbers, that no training set can contain.

    `split` "seen": families the teacher writes, with numbers and names it never uses; "unseen": families it
    never writes. Raises UserError when a stage holds too few such problems for its part.
    """
    turns = _turns(split, "held_out", "held_out", seed, float(kind == "tool"), size)
    return _balanced(n, turns, f"held-out problems of split '{split}'")


def training_problems(
    n: int,
    seed: int,
    tool_share: float = 0.0,
    split: Literal["train", "dev"] = "train",
    size: Size = FULL,
) -> Iterator[SolvedProblem]:
    """`n` problems of the seen families with training names, a `tool_share` of them solved by a program.

    "train" draws where the teacher draws, and tells an instance again, in other words, when its family has told all of
    them; "dev" (influence targets, tuning) is written neither by the teacher nor by the benchmark, and repeats nothing.
    """
    turns = _turns("seen", split, "training", seed, tool_share, size)
    if split == "dev":
        return iter(_balanced(n, turns, "dev problems"))
    if size.composed and composed.STAGE in turns:
        turns[composed.STAGE] = _with_composed(turns[composed.STAGE], seed, tool_share, size)
    return islice(_round_robin(list(turns.values())), n)


def _balanced(n: int, turns: dict[str, Iterator[SolvedProblem]], what: str) -> list[SolvedProblem]:
    """`n` problems, of each stage as many as of any other; those that are one too many go to the first stages."""
    parts = {stage: n // len(turns) + (place < n % len(turns)) for place, stage in enumerate(turns)}
    found = list(_round_robin([islice(stream, parts[stage]) for stage, stream in turns.items()]))
    held = Counter(problem.stage for problem in found)
    if short := [f"{stage} {held[stage]} of {part}" for stage, part in parts.items() if held[stage] < part]:
        most = len(turns) * min(held[stage] for stage in turns)
        raise UserError(
            f"There are too few of {n} {what} to ask as many of each education stage: {', '.join(short)}.",
            f"Lower the set's option n to {most}, or widen `problems` (families, numbers, fields, questions)."
            if most
            else "Widen `problems` (families, numbers, fields, questions).",
        )
    return found


def _turns(
    split: Split,
    part: Slice,
    cast: Cast,
    seed: int,
    tool_share: float,
    size: Size,
) -> dict[str, Iterator[SolvedProblem]]:
    """The problems of each stage, family after family in an order that the seed shuffles. Raises UserError where no
    stage has a family of the fields that are asked for."""
    told: Told | None = None if part == "train" else set()
    turns = {}
    for stage, families in size.asked_by_stage(split).items():
        Random(seed_from("order", seed, stage)).shuffle(families)
        turns[stage] = _round_robin([_stream(f, stage, part, cast, seed, tool_share, told, size) for f in families])
    if not turns:
        fields = f" about {' or '.join(size.fields)}" if size.fields else ""
        raise UserError(
            f"No family of split '{split}' is{fields} on the stages {', '.join(size.stages or ())}.",
            "Widen `problems` (families, stages, fields).",
        )
    return turns


def _stream(
    family: Family,
    stage: str,
    part: Slice,
    cast: Cast,
    seed: int,
    tool_share: float,
    told: Told | None,
    size: Size,
) -> Iterator[SolvedProblem]:
    """One family's problems: without `told` over and over; with it, the instances told so far, each once."""
    rng = Random(seed_from("set", seed, family.name, stage, part))
    for instance in _instances(family, part, rng, told, size):
        kind: Kind = "tool" if rng.random() < tool_share else "cot"
        yield family.tell(instance, rng, stage=stage, kind=kind, cast=cast)


def _with_composed(
    others: Iterator[SolvedProblem], seed: int, tool_share: float, size: Size
) -> Iterator[SolvedProblem]:
    """Stories put together from parts, none twice, among the others in the share that `size` wants."""
    rng = Random(seed_from("composed", seed))
    told: set[str] = set()
    while True:
        if rng.random() >= size.composed:
            yield next(others)
            continue
        family = composed.pick(rng)
        kind: Kind = "tool" if rng.random() < tool_share else "cot"
        problem = family.tell(family.draw(rng, "train"), rng, stage=composed.STAGE, kind=kind, cast="training")
        if problem.id not in told:
            told.add(problem.id)
            yield problem


def _instances(family: Family, part: Slice, rng: Random, told: Told | None, size: Size) -> Iterator[Instance]:
    ranges = size.ranges(family)
    while told is None:
        yield from family.instances(rng, part, ranges)
    for instance in family.instances(rng, part, ranges):
        if (family.name, instance.signature) not in told:
            told.add((family.name, instance.signature))
            yield instance


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

"""How much of the problem families' space is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from src.core.checks import at_least
from src.core.records import content_id
from src.prompts.sets import STAGES

if TYPE_CHECKING:
    from src.generation.procedural.family import Family, Ranges, Split


@dataclass(frozen=True)
class Size:
    """How much of the problem space: a model of half a million parameters learns a corner of it in a minute.

    families: the first so many of each education stage, easier ones first; None for all. numbers: the lower share, in
    (0, 1], of each range that a family draws its numbers from.
    stages, fields: the education stages and the fields of mathematics ("Number Theory") that sets of problems are drawn
    from, None for all; the teacher takes its stage from the prompt instead, and its topic from the passage.
    composed: the share, in [0, 1], of the grade-school problems to learn from that are stories put together from parts
    (`composed`), for real models. They are told whole, whatever `families` and `numbers` say, and no exam asks them.
    questions: of an exam with as many questions of each stage as of any other. Where a corner is too small for a
    family's part in it, the family draws from more of its ranges: the smallest share that will do.
    """

    families: int | None = None
    numbers: float = 1.0
    stages: tuple[str, ...] | None = None
    fields: tuple[str, ...] | None = None
    questions: int = 400
    composed: float = 0.0

    def __post_init__(self) -> None:
        given = STAGES if self.stages is None else self.stages
        at_least(self, 1, "families", "questions")
        unknown = sorted(set(given) - set(STAGES))
        if unknown or not given:
            raise ValueError(f"stages must name some of {', '.join(STAGES)}, not {', '.join(unknown) or 'none'}")
        object.__setattr__(self, "stages", tuple(stage for stage in STAGES if stage in given))
        if self.fields is not None:
            object.__setattr__(self, "fields", _known_fields(self.fields))
        if not 0 < self.numbers <= 1:
            raise ValueError(f"numbers must lie in (0, 1], not {self.numbers}")
        if not 0 <= self.composed <= 1:
            raise ValueError(f"composed must lie in [0, 1], not {self.composed}")
        if self.composed and self.fields is not None:
            raise ValueError("composed stories keep to no field: set fields=null, or composed=0")

    def taught(self, stage: str) -> tuple[Family, ...]:
        """The families that the teacher writes for a stage."""
        return self._first(stage, "seen")

    def asked(self, stage: str, split: Split) -> list[Family]:
        """Those of them, or of the families that are never taught, that sets of problems are drawn from."""
        from src.generation.procedural.topics import field_of

        return [f for f in self._first(stage, split) if self.fields is None or field_of(f) in self.fields]

    def asked_by_stage(self, split: Split) -> dict[str, list[Family]]:
        """The families that sets of problems are drawn from, of each stage that has any."""
        by_stage = {stage: self.asked(stage, split) for stage in self.stages or STAGES}
        return {stage: families for stage, families in by_stage.items() if families}

    def unasked(self, split: Split) -> list[str]:
        """The stages that have no family about the fields: no set holds a problem of theirs."""
        return [stage for stage in self.stages or STAGES if not self.asked(stage, split)]

    def ranges(self, family: Family) -> Ranges:
        """What the family draws its numbers from, whoever asks."""
        return family.numbers if self.numbers == 1 else _ranges(self, family)

    def _first(self, stage: str, split: Split) -> tuple[Family, ...]:
        from src.generation.procedural.families import families_of

        return families_of(stage, split)[: self.families]


FULL = Size()


@cache
def families_digest() -> str:
    """Of the families' own text, for keys: a reworded one writes other problems from the same options."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return content_id(*(source.read_text("utf-8") for source in sources))


@cache
def _ranges(size: Size, family: Family) -> Ranges:
    from src.generation.procedural.corner import corner

    return corner(family, size.numbers, _part(size, family))


def _part(size: Size, family: Family) -> int:
    """How many of `questions` fall to a family when its stages take turns, and in each stage its families do. One that
    the sets leave out for its field or stage takes its part of an exam without such limits."""
    for asking in (size, replace(size, stages=None, fields=None)):
        by_stage = asking.asked_by_stage(family.split).values()
        parts = [ceil(size.questions / len(by_stage) / len(some)) for some in by_stage if family in some]
        if parts:
            return sum(parts)
    return ceil(size.questions / len(STAGES))


def _known_fields(names: Sequence[str]) -> tuple[str, ...]:
    """In the topics' order. Raises ValueError for a field that no topic belongs to."""
    from src.generation.procedural.topics import FIELDS

    unknown = sorted(set(names) - set(FIELDS))
    if unknown or not names:
        raise ValueError(f"fields must name some of {', '.join(FIELDS)}, not {', '.join(unknown) or 'none'}")
    return tuple(field for field in FIELDS if field in names)

"""How much of the problem families' space is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from src.core.checks import at_least
from src.core.records import content_id
from src.prompts.sets import STAGES

if TYPE_CHECKING:
    from src.generation.procedural.family import Family, Slice, Split


@dataclass(frozen=True)
class Size:
    """How much of the problem space: a model of half a million parameters learns a corner of it in a minute.

    families: the first so many of each education stage, easier ones first; None for all. numbers: the lower share, in
    (0, 1], of each range that a family draws its numbers from; each family must keep problems to train on and to be
    examined in.
    stages, fields: the education stages and the fields of mathematics ("Number Theory") that sets of problems are drawn
    from, None for all; the teacher takes its stage from the prompt instead, and its topic from the passage.
    """

    families: int | None = None
    numbers: float = 1.0
    stages: tuple[str, ...] | None = None
    fields: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        given = STAGES if self.stages is None else self.stages
        at_least(self, 1, "families")
        unknown = sorted(set(given) - set(STAGES))
        if unknown or not given:
            raise ValueError(f"stages must name some of {', '.join(STAGES)}, not {', '.join(unknown) or 'none'}")
        object.__setattr__(self, "stages", tuple(stage for stage in STAGES if stage in given))
        if self.fields is not None:
            object.__setattr__(self, "fields", _known_fields(self.fields))
        if not 0 < self.numbers <= 1:
            raise ValueError(f"numbers must lie in (0, 1], not {self.numbers}")
        if self.numbers < 1 and (family := _emptied(self.families, self.numbers)):
            raise ValueError(
                f"numbers must leave each family problems of every split, and {self.numbers} leaves {family}"
            )

    def taught(self, stage: str) -> tuple[Family, ...]:
        """The families that the teacher writes for a stage."""
        return self._first(stage, "seen")

    def asked(self, stage: str, split: Split) -> list[Family]:
        """Those of them, or of the families that are never taught, that sets of problems are drawn from."""
        from src.generation.procedural.topics import field_of

        return [f for f in self._first(stage, split) if self.fields is None or field_of(f) in self.fields]

    def _first(self, stage: str, split: Split) -> tuple[Family, ...]:
        from src.generation.procedural.families import families_of

        return families_of(stage, split)[: self.families]


FULL = Size()


@cache
def families_digest() -> str:
    """Of the families' own text, for keys: a reworded one writes other problems from the same options."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return content_id(*(source.read_text("utf-8") for source in sources))


SLICES: tuple[tuple[Split, tuple[Slice, ...]], ...] = (
    ("seen", ("train", "dev", "held_out")),
    ("unseen", ("held_out",)),
)
"""What is drawn from families that are taught, and from those that are not."""


@cache
def _emptied(families: int | None, numbers: float) -> str | None:
    """The first family that such a share leaves without problems of some split, with the split; 10 ms where none is."""
    from src.generation.procedural.family import NoInstanceError

    size = Size(families)
    for stage in STAGES:
        for split, parts in SLICES:
            for family in size.asked(stage, split):
                for part in parts:
                    try:
                        family.draw(Random(0), part, numbers)
                    except NoInstanceError:
                        return f"{family.name} none of {part}"
    return None


def _known_fields(names: Sequence[str]) -> tuple[str, ...]:
    """In the topics' order. Raises ValueError for a field that no topic belongs to."""
    from src.generation.procedural.topics import FIELDS

    unknown = sorted(set(names) - set(FIELDS))
    if unknown or not names:
        raise ValueError(f"fields must name some of {', '.join(FIELDS)}, not {', '.join(unknown) or 'none'}")
    return tuple(field for field in FIELDS if field in names)

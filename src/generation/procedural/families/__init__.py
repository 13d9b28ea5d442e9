"""All families: a module for each education stage, and one for grade school's single steps."""

from __future__ import annotations

from src.generation.procedural.families import (
    aime,
    amc8,
    amc10,
    amc12,
    college,
    grade_school,
    high_school,
    middle_school,
    one_step,
)
from src.generation.procedural.family import Family, Split
from src.prompts.sets import STAGES

MODULES = (grade_school, one_step, middle_school, high_school, college, amc8, amc10, amc12, aime)

FAMILIES: tuple[Family, ...] = tuple(f for m in MODULES for f in vars(m).values() if isinstance(f, Family))


def families_of(stage: str, split: Split) -> tuple[Family, ...]:
    """The families of a stage, in the order of the files."""
    return _BY_STAGE[stage, split]


_BY_STAGE: dict[tuple[str, Split], tuple[Family, ...]] = {
    (stage, split): tuple(f for f in FAMILIES if stage in f.stages and f.split == split)
    for stage in STAGES
    for split in ("seen", "unseen")
}

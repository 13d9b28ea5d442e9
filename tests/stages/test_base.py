"""What a model that is made in the run reads before everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.core.stage import StageContext
from src.generation.procedural.families import families_of
from src.generation.procedural.sets import held_out_problems, training_problems
from src.generation.procedural.size import Size
from src.modeling.recipe import Recipe
from src.prompts.sets import STAGES
from src.stages.base import Base
from src.stages.sft import ProceduralSFT
from tests.modeling.tiny import CPU, TINY

RECIPE = Recipe(lr=1e-2, sequence_length=256, batch_sequences=2)
CORNER = Size(families=2, numbers=0.35)


@pytest.fixture
def ctx(tmp_path: Path) -> StageContext:
    for name in ("out", "work", "cache"):
        (tmp_path / name).mkdir()
    return StageContext(tmp_path / "out", tmp_path / "work", {}, tmp_path / "cache")


@pytest.mark.parametrize("untrained", [False, True])
def test_it_leaves_a_model_that_has_read_or_one_as_it_was_drawn(ctx: StageContext, untrained: bool) -> None:
    from src.modeling.loading import load_tokenizer

    Base(TINY, RECIPE, CPU, reading=ProceduralSFT(n=24), untrained=untrained).run(ctx)
    ctx.tally.check()
    assert ctx.tally.kept == (0 if untrained else 24)
    drawn = (ctx.work / "made" / "model.safetensors").read_bytes()
    assert ((ctx.out / "model" / "model.safetensors").read_bytes() == drawn) is untrained
    assert "olution" in "".join(load_tokenizer(ctx.out / "model").get_vocab())  # of what it was to read


def test_what_it_reads_is_of_families_that_the_corner_does_not_use() -> None:
    def families(**options: object) -> set[str]:
        return {problem.family for problem in training_problems(400, seed=0, **options)}  # type: ignore[arg-type]

    examined = {problem.family for problem in held_out_problems("seen", 100, seed=0, size=CORNER)}
    taught = families(size=CORNER)
    beside = families(besides=CORNER)
    assert examined <= taught and beside and not beside & taught
    known = {family.name for stage in STAGES for family in families_of(stage, "seen")}
    assert beside | taught == known == families()
    two = Size(stages=("grade_school", "middle_school"))
    assert not families(besides=two) & families(size=two)
    assert families(besides=Size()) == families(besides=Size(families=100)) == known  # they leave nothing out

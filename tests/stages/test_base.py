"""What a model that is made in the run reads before everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.core.stage import StageContext
from src.corpus.jsonl import JsonlReader
from src.modeling.recipe import Recipe
from src.stages.base import Base
from src.stages.sft import Reading
from tests.modeling.tiny import CPU, TINY

RECIPE = Recipe(lr=1e-2, sequence_length=256, batch_sequences=2)


@pytest.fixture
def ctx(tmp_path: Path) -> StageContext:
    for name in ("out", "work", "cache"):
        (tmp_path / name).mkdir()
    return StageContext(tmp_path / "out", tmp_path / "work", {}, tmp_path / "cache")


@pytest.mark.parametrize("untrained", [False, True])
def test_it_leaves_a_model_that_has_read_or_one_as_it_was_drawn(
    ctx: StageContext, tmp_path: Path, untrained: bool
) -> None:
    from src.modeling.loading import load_tokenizer

    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "A prime number has two divisors, itself and one."}\n' * 9)
    Base(TINY, RECIPE, CPU, reading=Reading(n=24), words=JsonlReader(str(texts)), untrained=untrained).run(ctx)
    ctx.tally.check()
    assert ctx.tally.kept == (0 if untrained else 24)
    drawn = (ctx.work / "made" / "model.safetensors").read_bytes()
    assert ((ctx.out / "model" / "model.safetensors").read_bytes() == drawn) is untrained
    assert "olution" in "".join(load_tokenizer(ctx.out / "model").get_vocab())  # of what it was to read

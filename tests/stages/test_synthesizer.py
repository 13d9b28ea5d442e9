from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from src.core.records import Problem, Prompt, write_table
from src.core.stage import Artifact, StageContext
from src.modeling.recipe import Recipe
from src.stages.synthesizer import Synthesizer
from tests.modeling.tiny import CPU, TINY

RECIPE = Recipe(lr=1e-2, sequence_length=128, batch_sequences=2, epochs=2)


def prompt(i: int) -> Prompt:
    return Prompt(f"p{i}", f"x{i}", "grade_school", "cot", f"Passage {i}. New problem:")


def problem(i: int, round: int) -> Problem:
    return Problem(
        f"q{i}", f"p{i}", f"x{i}", "grade_school", "cot", f"{i} + 1?", f"\\boxed{{{i + 1}}}", None, "t", round
    )


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Artifact]:
    write_table(tmp_path / "prompts" / "prompts", Prompt, [prompt(i) for i in range(12)])
    write_table(tmp_path / "one" / "problems", Problem, [problem(i, 1) for i in range(6)])
    write_table(tmp_path / "two" / "problems", Problem, [problem(i, 2) for i in range(6, 14)])  # 12, 13: no such prompt
    TINY.prepare(tmp_path / "base" / "model", lambda: ["some text 1 + 1"], seed=0)
    paths = {"base": "base", "prompts": "prompts", "distilled_1": "one", "distilled_2": "two"}
    return {name: Artifact(tmp_path / folder) for name, folder in paths.items()}


def context(tmp_path: Path, inputs: Any) -> StageContext:
    for name in ("out", "work", "cache"):
        (tmp_path / name).mkdir()
    return StageContext(tmp_path / "out", tmp_path / "work", inputs, tmp_path / "cache")


def test_it_learns_from_both_rounds(tmp_path: Path, inputs: dict[str, Artifact]) -> None:
    ctx = context(tmp_path, inputs)
    Synthesizer(TINY, RECIPE, CPU).run(ctx)
    ctx.tally.check()
    assert (ctx.tally.kept, dict(ctx.tally.rejected)) == (12, {"prompt_not_found": 2})
    assert ctx.summary["rows_kept"] == 12 and ctx.summary["final_loss"] < ctx.summary["first_loss"]
    assert (ctx.out / "model" / "model.safetensors").exists()
    assert (ctx.out / "metrics.jsonl").exists()


def test_a_row_is_the_prompt_and_what_the_teacher_wrote(tmp_path: Path, inputs: dict[str, Artifact]) -> None:
    rows = Synthesizer(TINY, RECIPE, CPU)._examples(context(tmp_path, inputs))
    assert rows[7].prompt == "Passage 7. New problem:\n\n"
    assert rows[7].response == "[Problem]\n7 + 1?\n\n[Solution]\n\\boxed{8}"
    assert (rows[0].source, rows[7].source) == ("round 1", "round 2")


def test_without_a_teacher_it_is_the_model_as_it_came(tmp_path: Path, inputs: dict[str, Artifact]) -> None:
    ctx = context(tmp_path, {name: inputs[name] for name in ("base", "prompts")})
    Synthesizer(TINY, RECIPE, CPU, seed=3).run(ctx)
    ctx.tally.check()
    base = inputs["base"].path / "model" / "model.safetensors"
    assert ctx.tally.entered == 0 and not (ctx.out / "metrics.jsonl").exists()
    assert (ctx.out / "model" / "model.safetensors").read_bytes() == base.read_bytes()

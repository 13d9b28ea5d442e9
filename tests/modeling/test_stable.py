"""Several decays from one stable run, each the same to the last bit as a run of its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from src.core.records import Example
from src.modeling.module import CausalLM
from src.modeling.recipe import Phase
from src.modeling.rows import TokenCorpus
from src.modeling.schedules import WSD
from src.modeling.training import train
from tests.modeling.tiny import CPU, addition

pytestmark = pytest.mark.slow

SHARING = dataclasses.replace(CPU, share_stable=True)
OTHER = [Example(f"other-{i}", "t", f"Double {i}?\n", f"\\boxed{{{2 * i}}}") for i in range(12)]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every step that is really computed."""
    done: list[int] = []
    step = CausalLM.training_step

    def counted(self: CausalLM, batch: Any, batch_idx: int) -> None:
        done.append(batch.step)
        step(self, batch, batch_idx)

    monkeypatch.setattr(CausalLM, "training_step", counted)
    return done


def settings(recipe: Any, **changes: Any) -> Any:
    """Ten steps, of which the first seven are stable and read `main` alone."""
    mix = changes.pop("mix", {"main": 1.0})
    schedule = WSD(warmup=0.1, stable_until=0.7, **changes)
    phases = (Phase({"main": 1.0}, 7 * 192), Phase(mix, 3 * 192))
    return recipe(schedule=schedule, phases=phases, epochs=None)


def run(base: Path, folder: Path, recipe: Any, trainer: Any = SHARING) -> tuple[bytes, list[str]]:
    corpora = [TokenCorpus("main", lambda: map(addition, range(60))), TokenCorpus("other", lambda: OTHER)]
    points = []
    cache = folder.parent / "stable"
    train(
        base, corpora, recipe, trainer, folder / "model", folder / "work", 0,
        log=lambda values, step: points.append(f"{step} {values['loss']!r}"), stable=cache,
    )  # fmt: skip
    return (folder / "model" / "model.safetensors").read_bytes(), points


def test_each_decay_pays_for_itself_only(base: Path, recipe: Any, tmp_path: Path, steps: list[int]) -> None:
    mix = {"main": 1.0, "other": 2.0}
    whole = run(base, tmp_path / "whole", settings(recipe, mix=mix), CPU)
    assert steps == list(range(10)) and not (tmp_path / "stable").exists()

    steps.clear()
    run(base, tmp_path / "first", settings(recipe, decay="sqrt"))
    assert steps == list(range(10))

    steps.clear()
    curve = next((tmp_path / "stable").glob("*/curve.jsonl"))
    shared = curve.read_bytes()
    assert run(base, tmp_path / "second", settings(recipe, mix=mix)) == whole, "weights and curve, to the last bit"
    assert curve.read_bytes() == shared, "the second run writes in a curve of its own"
    assert steps == [7, 8, 9]


def test_another_way_to_the_decay_is_not_shared(base: Path, recipe: Any, tmp_path: Path, steps: list[int]) -> None:
    run(base, tmp_path / "first", settings(recipe))
    for name, other in (
        ("rate", dataclasses.replace(settings(recipe), lr=1e-3)),
        ("loss", dataclasses.replace(settings(recipe), loss_on="all")),
        ("order", dataclasses.replace(settings(recipe), order="in_order")),
    ):
        steps.clear()
        run(base, tmp_path / name, other)
        assert steps == list(range(10)), name


def test_a_damaged_state_is_made_again(base: Path, recipe: Any, tmp_path: Path, steps: list[int]) -> None:
    first = run(base, tmp_path / "first", settings(recipe))
    state = next((tmp_path / "stable").rglob("*.distcp"))
    state.unlink()  # a link may be shared with the first run's own checkpoint
    state.write_bytes(b"half")
    steps.clear()
    assert run(base, tmp_path / "second", settings(recipe)) == first and len(steps) == 10
    steps.clear()
    assert run(base, tmp_path / "third", settings(recipe)) == first and len(steps) == 3


def test_a_run_that_fails_lets_others_try(base: Path, recipe: Any, tmp_path: Path) -> None:
    wild = dataclasses.replace(settings(recipe), lr=1e30, grad_clip=None)
    with pytest.raises(Exception, match="became"):
        run(base, tmp_path / "first", wild)
    lock = next((tmp_path / "stable").glob("*.lock"))
    FileLock(lock).acquire(timeout=0)

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.core.errors import UserError
from src.modeling.micro_batches import plan_micro_batches
from src.modeling.recipe import Recipe
from src.modeling.trainer import Trainer


def test_the_papers_batch_on_eight_cards() -> None:
    planned = plan_micro_batches(Recipe(lr=1e-5, batch_sequences=512), Trainer(devices=8, rows_per_device=4), "cuda")
    assert str(planned) == "4 rows x 16 passes x 8 devices = 512 sequences a step"


def test_what_does_not_divide_leaves_places_empty_and_the_batch_as_asked() -> None:
    planned = plan_micro_batches(Recipe(lr=1.0, batch_sequences=10), Trainer(devices=4, rows_per_device=2), "cpu")
    assert str(planned) == "2 rows x 2 passes x 4 devices - 6 empty places = 10 sequences a step"
    assert planned.idle == 6 / 16


@given(st.integers(1, 600), st.integers(1, 16), st.integers(1, 4), st.integers(1, 64) | st.none())
def test_the_effective_batch_is_the_requested_one(batch: int, devices: int, nodes: int, rows: int | None) -> None:
    recipe, trainer = Recipe(lr=1.0, batch_sequences=batch), Trainer(devices=devices, nodes=nodes, rows_per_device=rows)
    if batch < devices * nodes:
        with pytest.raises(UserError, match=f"{batch} sequences cannot be divided among {nodes} x {devices} = "):
            plan_micro_batches(recipe, trainer, "cpu")
        return
    planned = plan_micro_batches(recipe, trainer, "cpu")
    assert (
        planned.rows * (planned.passes - 1) * planned.devices < batch <= planned.rows * planned.passes * planned.devices
    )


@pytest.mark.parametrize(("strategy", "devices"), [("auto", 2), ("ddp", 2), ("fsdp", 1)])
def test_offloading_is_refused_where_no_model_is_spread(strategy: Any, devices: int) -> None:
    with pytest.raises(ValueError, match="it wants strategy=fsdp and two devices or more"):
        Trainer(strategy=strategy, devices=devices, offload=True)
    spread = Trainer(strategy="fsdp", devices=2, offload=True)
    assert spread.on_one_device() == Trainer()

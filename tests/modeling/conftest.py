from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from src.core.records import Example
from src.modeling.recipe import Recipe
from src.modeling.schedules import WSD
from tests.modeling.tiny import TINY, addition


@pytest.fixture(scope="session")
def rows() -> list[Example]:
    return [addition(i) for i in range(60)]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, rows: list[Example]) -> Path:
    folder = tmp_path_factory.mktemp("models") / "base"
    return Path(TINY.prepare(folder, lambda: (row.prompt + row.response for row in rows), seed=0))


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    def make(**changes: object) -> Recipe:
        options = {"lr": 1e-2, "schedule": WSD(), "sequence_length": 96, "batch_sequences": 2, **changes}
        return Recipe(**options)  # type: ignore[arg-type]

    return make

"""The points of a curve outlive whatever stops the one that writes them."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from src.core.progress import Progress
from src.modeling.curves import Curves

POINTS = [{"step": step, "loss": 9.0 - step} for step in range(1, 6)]


def curves(path: Path, start: int, seen: list[int]) -> Any:
    plan: Any = SimpleNamespace(boundaries=(), total_tokens=50, tokens=lambda step: 10)
    validation: Any = SimpleNamespace(last={}, steps=set())
    return Curves(path, lambda values, step: seen.append(step), Progress, plan, start, 1.0, validation)


def written(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "curve.jsonl"
    path.write_text("".join(json.dumps(point) + "\n" for point in POINTS) + '{"step": 6, "lo')
    return path


def test_points_up_to_where_it_goes_on_stay_and_are_told_again(path: Path) -> None:
    seen: list[int] = []
    made = curves(path, 3, seen)
    made._file.close()
    assert seen == written(path) == [1, 2, 3]
    assert (made.first_loss, made.final_loss) == (8.0, 6.0)


def test_a_full_disk_takes_no_point_that_is_there(path: Path) -> None:
    before, limit = path.read_text(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30, limit[1]))  # bytes of a file
    try:
        with pytest.raises(OSError, match="too large"):
            curves(path, 3, [])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_text() == before

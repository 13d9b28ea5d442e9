from pathlib import Path

import numpy as np
import pytest

from src.reporting.collect import Study, collect
from src.reporting.scaling import trend
from tests.reporting.fake_store import FakeJob, build


def study(folder: Path, skills: dict[str, float], seeds: int = 2) -> Study:
    jobs = [
        FakeJob(f"a{value}-s{seed}", seed, [f"distil.share={value}", f"seed={seed}"], skill)
        for value, skill in skills.items()
        for seed in range(seeds)
    ]
    build(folder, "s", jobs)
    return collect(folder, "s")


def test_the_curve_of_the_fixture_rises_along_the_rows_of_the_corpus(outputs: Path) -> None:
    found = trend(collect(outputs, "ablation_data_volume"))
    assert found is not None and found.label == "problems in the corpus"
    assert list(found.x) == sorted(found.x, reverse=True) and found.x[0] > 2000
    means = [estimate.mean for estimate in found.accuracies]
    slope, at_one = np.polyfit(np.log2(found.x), means, 1)
    assert found.slope.mean == pytest.approx(slope) and found.at_one == pytest.approx(at_one)
    assert found.slope.low > 0 and found.sentence.startswith("Accuracy rises with each doubling")


def test_equal_arms_give_no_trend(tmp_path: Path) -> None:
    values = {"1.0": 1.0, "0.5": 1.0, "0.25": 1.0}
    build(tmp_path, "s", [FakeJob(f"a{v}-s{s}", s, [f"x={v}", f"seed={s}"]) for v in values for s in (0, 1, 2)])
    found = trend(collect(tmp_path, "s"))
    assert found is not None and found.label == "x"
    assert "No trend along x can be claimed" in found.sentence


@pytest.mark.parametrize(
    "overrides",
    [
        [["x=1"], ["x=2"]],  # two points are no curve
        [["x=1"], ["x=2"], ["x=big"]],
        [["x=0"], ["x=1"], ["x=2"]],
        [["x=1", "y=1"], ["x=2", "y=1"], ["x=2", "y=2"]],
    ],
)
def test_arms_that_lie_on_no_curve_have_none(tmp_path: Path, overrides: list[list[str]]) -> None:
    build(tmp_path, "s", [FakeJob(f"a{i}-s0", 0, words) for i, words in enumerate(overrides)])
    assert trend(collect(tmp_path, "s")) is None


def test_a_benchmark_that_every_arm_took_out_bends_no_curve(tmp_path: Path) -> None:
    words = [[f"x={x}", "~benchmark.mawps"] for x in (1, 2, 4)]
    build(tmp_path, "s", [FakeJob(f"a{i}-s{seed}", seed, each) for i, each in enumerate(words) for seed in (0, 1)])
    found = trend(collect(tmp_path, "s"))
    assert found is not None and found.label == "x"

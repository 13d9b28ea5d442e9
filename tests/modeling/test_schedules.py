from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.modeling.schedules import WSD, Constant, Cosine, Linear, Schedule

ALL = [WSD(), WSD(decay="cosine"), WSD(decay="sqrt"), Cosine(0.1), Linear(0.03), Constant(0.2), WSD(0, 0, 0)]


@pytest.mark.parametrize("schedule", ALL, ids=repr)
@given(total=st.integers(1, 500))
def test_factors_lie_between_0_and_1_and_fall_after_the_warm_up(schedule: Schedule, total: int) -> None:
    factors = [schedule.factor(step, total) for step in range(total)]
    assert all(0 <= f <= 1 for f in factors)
    top = factors.index(max(factors))
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


def test_the_papers_wsd_has_its_corners_where_the_paper_says() -> None:
    factors = [WSD().factor(step, 1_000) for step in range(1_000)]
    assert factors[0] == pytest.approx(1 / 30) and factors[29] == 1.0
    assert factors[849] == 1.0 and factors[850] < 1.0
    assert factors[999] == pytest.approx(0.1)
    assert factors[924] == pytest.approx(0.55)


def test_cosine_and_linear_meet_at_the_middle() -> None:
    assert Cosine().factor(50, 100) == pytest.approx(0.5)
    assert Linear(floor=0.2).factor(50, 100) == pytest.approx(0.6)
    assert Cosine().factor(0, 100) == 1.0


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match="warmup must lie in"):
        Cosine(warmup=2)
    with pytest.raises(ValueError, match="before warmup ends"):
        WSD(warmup=0.5, stable_until=0.2)
    with pytest.raises(ValueError, match="decay must be one of"):
        WSD(decay="log")  # type: ignore[arg-type]

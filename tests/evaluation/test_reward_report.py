from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from src.evaluation.reward_report import auc, calibration, report, roc
from src.evaluation.step_labels import Step

scored = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30)


@given(scored)
def test_auc_is_the_share_of_pairs_in_order(given):
    good = [score for score, is_good in given if is_good]
    bad = [score for score, is_good in given if not is_good]
    pairs = [(g > b) + (g == b) / 2 for g in good for b in bad]
    assume(pairs)
    assert auc([s for s, _ in given], [g for _, g in given]) == pytest.approx(sum(pairs) / len(pairs))


@given(scored)
def test_the_roc_curve_rises_and_its_area_is_the_auc(given):
    scores, good = [s for s, _ in given], [g for _, g in given]
    curve = roc(scores, good, points=1_000)
    assert curve[0] == (0, 0) and curve[-1] == (1, 1) and curve == sorted(curve)
    area = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(curve))
    if any(good) and not all(good):
        assert area == pytest.approx(auc(scores, good))


def test_calibration_by_tenths():
    found = calibration([0.05, 0.05, 0.95, 1.0], [0.0, 0.1, 1.0, 0.9])
    assert [row["n"] for row in found["calibration"]] == [2, 2]
    assert found["ece"] == pytest.approx((2 * abs(0.05 - 0.05) + 2 * abs(0.975 - 0.95)) / 4)
    assert found["brier"] == pytest.approx((0.05**2 * 2 + 0.05**2 + 0.1**2) / 4)


def step(source, share, *steps):
    return Step("".join(steps), "q", "What?", list(steps), share, source, True)


def test_planted_errors_are_compared_with_the_good_steps_behind_the_same_steps():
    rows = [step("rollouts", 1.0, "a"), step("rollouts", 0.5, "a", "b"), step("rollouts", 0.0, "c")]
    wrong = [step("planted", 0.0, "x"), step("planted", 0.0, "a", "y")]
    found = report([*rows, *wrong], [0.9, 0.4, 0.1, 0.2, 0.6])
    assert found["planted"]["pairs"] == 0.5 and found["planted"]["pairs_n"] == 2
    assert found["planted"]["auc"] == 0.75 and found["own"]["auc"] == 1.0
    assert (found["own"]["n"], found["own"]["good"]) == (3, 2)


def test_nothing_to_measure_is_nothing():
    assert report([], []) == {}
    found = report([step("rollouts", 0.0, "a"), step("rollouts", 0.0, "b")], [0.2, 0.3])
    assert (found["own"]["n"], found["own"]["good"]) == (2, 0) and not {"auc", "roc", "pairs"} & found["own"].keys()

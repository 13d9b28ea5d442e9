import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.evaluation.metrics import Estimate, majority, mean_with_interval, pass_at_k, sign_test, wilson

scores = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(scores)
def test_the_interval_holds_the_mean_and_stays_in_the_unit_interval(values):
    estimate = mean_with_interval(values, resamples=200)
    assert -1e-9 <= estimate.low <= estimate.value <= estimate.high <= 1 + 1e-9


@given(scores, st.integers(0, 2**31))
def test_the_same_seed_gives_the_same_interval(values, seed):
    assert mean_with_interval(values, seed, 100) == mean_with_interval(values, seed, 100)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_agreement_is_not_certainty(value):
    estimate = mean_with_interval([value] * 20)
    assert estimate.high - estimate.low > 0.1
    assert estimate == wilson(value, 20)


def test_wilson_against_the_textbook():
    assert wilson(0.1, 100) == pytest.approx(Estimate(0.1, 0.0552, 0.1744), abs=1e-4)


def test_no_scores_give_no_number():
    assert all(map(math.isnan, mean_with_interval([])))


@pytest.mark.slow
def test_the_interval_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    hits = [
        (e := mean_with_interval(rng.random(200) < 0.3, seed=i, resamples=500)).low <= 0.3 <= e.high for i in range(400)
    ]
    assert 0.91 <= np.mean(hits) <= 0.98


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_counts_subsets(case):
    n, correct, k = case
    subsets = list(itertools.combinations([i < correct for i in range(n)], k))
    assert pass_at_k(n, correct, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_more_than_there_are_is_refused():
    with pytest.raises(ValueError, match="pass@5"):
        pass_at_k(4, 1, 5)


def test_the_majority():
    assert majority(["1", "2", "2", None, None, None]) == 1
    assert majority(["1", "2"]) == 0
    assert majority([None]) is None


def test_the_sign_test():
    assert sign_test(0, 0) == 1.0
    assert sign_test(5, 5) == 1.0
    assert sign_test(0, 10) == pytest.approx(2 / 1024)

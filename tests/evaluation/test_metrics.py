import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.evaluation.metrics import majority, pass_at_k, seed_interval, sign_test


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


def test_other_seeds_move_nothing_where_all_samples_agree():
    assert seed_interval([4, 0, 4, 4], 4) == (0.75, 0.75)
    low, high = seed_interval([2] * 100, 4)
    assert 0.4 < low < 0.5 < high < 0.6


def test_one_sample_says_nothing_about_other_seeds():
    with pytest.raises(ValueError, match="other seeds"):
        seed_interval([1, 0], 1)

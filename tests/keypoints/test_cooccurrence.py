from collections import Counter
from math import log10
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.keypoints.cooccurrence import cooccurrence, draw_topics, next_topic, weights

TOY = [{0: 2, 1: 6}, {0: 1, 1: 1}, {1: 3, 2: 7}, {3: 1}]  # four problems: topic -> number of key points
PROBLEMS = st.lists(st.dictionaries(st.integers(0, 5), st.integers(1, 9), max_size=4), max_size=30)


def test_a_toy_example_by_hand():
    two, one, no = log10(3), log10(2), 0.0
    expected = [[no, two, no, no], [two, one, one, no], [no, one, one, no], [no, no, no, no]]
    np.testing.assert_allclose(cooccurrence(TOY, 4), expected)


def test_five_key_points_of_a_topic_are_not_many():
    assert cooccurrence([{0: 5}], 1)[0, 0] == 0
    assert cooccurrence([{0: 6}], 1)[0, 0] == log10(2)


def test_the_weights_of_the_toy_example_by_hand():
    matrix, two, one = cooccurrence(TOY, 4), log10(3), log10(2)
    np.testing.assert_allclose(weights(matrix, []), [two, two + 2 * one, 2 * one, 0])
    np.testing.assert_allclose(weights(matrix, [0]), [0, two, 0, 0])
    np.testing.assert_allclose(weights(matrix, [0, 1]), [0, two * one, 0, 0])
    np.testing.assert_allclose(weights(matrix, [1, 2]), [0, one * one, one * one, 0])


@given(PROBLEMS)
def test_it_is_symmetric_and_counts_problems(problems):
    matrix = cooccurrence(problems, 6)
    np.testing.assert_array_equal(matrix, matrix.T)
    counts = 10**matrix - 1
    for i in range(6):
        assert round(counts[i, i]) == sum(problem.get(i, 0) > 5 for problem in problems)
        for j in set(range(6)) - {i}:
            assert round(counts[i, j]) == sum(i in problem and j in problem for problem in problems)


@given(PROBLEMS, st.integers(1, 3), st.integers(0, 99))
def test_no_topic_of_weight_0_is_drawn(problems, count, seed):
    matrix = cooccurrence(problems, 6)
    drawn = draw_topics(matrix, count, Random(seed))
    for n, topic in enumerate(drawn):
        assert weights(matrix, drawn[:n])[topic] > 0
    assert len(drawn) == count or not weights(matrix, drawn).any()


@pytest.mark.parametrize("given", [[], [1], [0, 1]])
def test_draws_are_in_proportion(given):
    """Pearson's chi-square over 20,000 draws, below the 99.9th percentile for as many degrees of freedom."""
    rng, draws = Random(0), 20_000
    values = np.array([[4.0, 1, 2, 3], [1, 2, 5, 1], [2, 5, 0, 4], [3, 1, 4, 1]])
    wanted = weights(values, given)
    found = Counter(next_topic(values, given, rng) for _ in range(draws))
    expected = wanted / wanted.sum() * draws
    chi_square = sum((found[n] - expected[n]) ** 2 / expected[n] for n in range(4) if expected[n])
    assert chi_square < 16.27  # three degrees of freedom

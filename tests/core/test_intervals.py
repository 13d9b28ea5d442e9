import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.core.intervals import accuracy_over_seeds, holm, paired_difference, t_quantile, t_tail

tables = st.tuples(st.integers(1, 4), st.integers(2, 30), st.integers(0, 2**31)).map(
    lambda shape: (np.random.default_rng(shape[2]).random(shape[:2]) < 0.3).astype(float)
)


@pytest.mark.parametrize(("dof", "expected"), [(1, 12.706), (2, 4.303), (10, 2.228), (119, 1.980), (1e6, 1.960)])
def test_quantiles_are_those_of_the_printed_tables(dof: float, expected: float) -> None:
    assert t_quantile(dof) == pytest.approx(expected, abs=6e-4)
    assert t_tail(t_quantile(dof), dof) == pytest.approx(0.05, abs=1e-6)


def test_one_seed_gives_wilsons_interval() -> None:
    scores = np.array([[1.0] * 30 + [0.0] * 970])
    found = accuracy_over_seeds([scores])
    assert (found.mean, found.seeds, found.questions) == (0.03, 1, 1000)
    assert (found.low, found.high) == pytest.approx((0.02109, 0.04251), abs=2e-4)  # Wilson's for 30 of 1000


def test_nothing_solved_is_not_certainty() -> None:
    found = accuracy_over_seeds([np.zeros((3, 100))])
    assert found.low == 0 and 0.02 < found.high < 0.06


@pytest.mark.parametrize(("solved", "of"), [(396, 1319), (0, 1319)])
def test_a_benchmark_that_nothing_of_is_solved_keeps_its_width_beside_a_long_one(solved: int, of: int) -> None:
    long, short = np.arange(of)[None] < solved, np.zeros((1, 30))
    alone, both = accuracy_over_seeds([short]), accuracy_over_seeds([long.astype(float), short])
    assert alone.high / 2 <= both.high - both.mean <= alone.high / 2 * 1.1


@pytest.mark.parametrize("truth", [(0.3, 0.05), (0.0005, 0.03)])
def test_the_interval_over_benchmarks_of_many_lengths_covers_the_truth(truth: tuple[float, float]) -> None:
    rng, hits = np.random.default_rng(0), 0
    for _ in range(400):
        strata = [(rng.random((1, n)) < p).astype(float) for n, p in zip((1319, 30), truth, strict=True)]
        found = accuracy_over_seeds(strata)
        hits += found.low <= sum(truth) / 2 <= found.high
    assert hits / 400 >= 0.92


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        easy = rng.normal(-1.2, 1.5, (1, 120)) + rng.normal(0, 0.15, (3, 1))
        hits += _covers((rng.random((3, 120)) < 1 / (1 + np.exp(-easy))).astype(float), truth=0.2855)
    assert 0.91 <= hits / 300 <= 0.995


def _covers(scores: np.ndarray, truth: float) -> bool:
    found = accuracy_over_seeds([scores])
    return found.low <= truth <= found.high


def test_seeds_that_agree_by_construction_do_not_narrow_the_interval() -> None:
    once = (np.random.default_rng(0).random((1, 200)) < 0.4).astype(float)
    alone, copied = accuracy_over_seeds([once]), accuracy_over_seeds([np.repeat(once, 5, axis=0)])
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.02)


@given(tables)
@settings(max_examples=50, deadline=None)
def test_an_interval_holds_its_mean_and_stays_a_share(scores: np.ndarray) -> None:
    found = accuracy_over_seeds([scores])
    assert 0 <= found.low <= found.mean + 1e-12 and found.mean <= found.high + 1e-12 <= 1 + 1e-9


@given(tables)
@settings(max_examples=50, deadline=None)
def test_a_difference_turned_round_is_its_mirror_image(scores: np.ndarray) -> None:
    other = 1 - scores
    there, back = paired_difference([scores], [other]), paired_difference([other], [scores])
    assert (there.mean, there.low, there.high, there.p) == pytest.approx((-back.mean, -back.high, -back.low, back.p))
    assert there.excludes_zero == (there.p < 0.05) or math.isclose(there.p, 0.05, rel_tol=1e-3)


def test_models_that_never_disagree_may_still_differ() -> None:
    same = np.ones((1, 100))
    found = paired_difference([same], [same])
    assert found.mean == 0 and found.p == 1 and 0.01 < found.high < 0.03


def test_pairing_finds_what_two_separate_intervals_hide() -> None:
    weak = (np.arange(400) % 2 == 0).astype(float)[None]
    strong = weak.copy()
    strong[0, 1:40:2] = 1  # solves all the weak one solves, and twenty more
    assert paired_difference([strong], [weak]).excludes_zero
    assert accuracy_over_seeds([strong]).low < accuracy_over_seeds([weak]).high


def test_benchmarks_weigh_the_same_however_long() -> None:
    found = accuracy_over_seeds([np.ones((1, 10)), np.zeros((1, 1000))])
    assert found.mean == 0.5 and found.questions == 1010


def test_one_question_decides_nothing() -> None:
    assert (accuracy_over_seeds([np.ones((1, 1))]).low, paired_difference([np.ones((1, 1))], [np.zeros((1, 1))]).p) == (
        0,
        1,
    )


def test_holm_corrects_as_in_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_one_seed_allows_no_claim_between_arms() -> None:
    found = paired_difference([np.ones((1, 200))], [np.zeros((1, 200))], trained_apart=True)
    assert (found.mean, found.low, found.high, found.p) == (1.0, -1.0, 1.0, 1.0)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_studies_without_a_difference_claim_one_in_at_most_five_of_a_hundred(seeds: int) -> None:
    """The luck of a training has a deviation of 0.3 logits: without the t over seeds 8 % of two-seed studies claim."""
    rng, claims = np.random.default_rng(seeds), 0
    for _ in range(200):
        hard = rng.normal(-1.4, 1.5, (1, 120))
        ours, theirs = (
            (rng.random((seeds, 120)) < 1 / (1 + np.exp(-hard - rng.normal(0, 0.3, (seeds, 1))))).astype(float)
            for _ in range(2)
        )
        claims += paired_difference([ours], [theirs], trained_apart=True).excludes_zero
    assert claims <= 0.05 * 200


def test_three_seeds_find_a_difference_that_is_there() -> None:
    rng = np.random.default_rng(0)
    strong, weak = (rng.random((3, 200)) < 0.6).astype(float), (rng.random((3, 200)) < 0.2).astype(float)
    assert paired_difference([strong], [weak], trained_apart=True).excludes_zero

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.modeling.packing import Bins, best_fit, fill, one_per_bin, pack, pack_in_order, pack_shuffled
from tests.watchdog import ends

CAPACITY = 64
lengths_of_rows = st.lists(st.integers(1, CAPACITY), min_size=1, max_size=300).map(np.array)


def check(bins: Bins, lengths: np.ndarray) -> None:
    assert sorted(bins.rows) == list(range(len(lengths))), "every row once"
    assert all(0 < lengths[bins[i]].sum() <= CAPACITY for i in range(len(bins))), "no bin overfull, none empty"


@given(lengths_of_rows, st.integers(0, 3))
def test_shuffled_packing_keeps_every_row_once(lengths: np.ndarray, seed: int) -> None:
    rows = np.arange(len(lengths))
    bins = pack_shuffled(lengths, rows, CAPACITY, np.random.default_rng(seed))
    check(bins, lengths)
    again = pack_shuffled(lengths, rows, CAPACITY, np.random.default_rng(seed))
    assert np.array_equal(bins.rows, again.rows)


@given(lengths_of_rows, st.integers(1, 50))
def test_ordered_packing_keeps_every_row_once(lengths: np.ndarray, window: int) -> None:
    check(pack_in_order(lengths, np.arange(len(lengths)), CAPACITY, window), lengths)


@given(lengths_of_rows)
def test_no_bin_is_opened_while_a_row_fits_into_another(lengths: np.ndarray) -> None:
    """The law of every any-fit rule, which next-fit breaks: no two bins would fit into one."""
    bins = pack(lengths, np.arange(len(lengths)), CAPACITY)
    emptiest = sorted(int(lengths[bins[i]].sum()) for i in range(len(bins)))[:2]
    assert len(emptiest) < 2 or sum(emptiest) > CAPACITY


def test_long_rows_are_packed_before_short_ones() -> None:
    """In the given order 24, 24, 40, 40 any-fit takes three bins of 64; longest first it takes two."""
    assert len(pack(np.array([24, 24, 40, 40]), np.arange(4), CAPACITY)) == 2


def test_equal_rows_fill_a_bin_before_the_next_is_opened() -> None:
    assert best_fit(np.bincount([10] * 13, minlength=CAPACITY + 1), CAPACITY) == [((10,) * 6, 2), ((10,), 1)]


def test_a_row_longer_than_a_bin_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than the capacity"):
        best_fit(np.bincount([CAPACITY + 1]), CAPACITY)


def test_order_is_kept_up_to_a_window() -> None:
    lengths = np.random.default_rng(0).integers(5, 30, 3_000)
    bins = pack_in_order(lengths, np.arange(3_000), CAPACITY, window=200)
    assert np.abs(np.arange(3_000) - bins.rows).max() < 2 * 200 + 50
    assert fill(bins, lengths, CAPACITY) > 0.98


def test_rows_that_fit_badly_by_nature_do_not_pile_up() -> None:
    lengths = np.full(2_000, CAPACITY // 2 + 1)
    bins = pack_in_order(lengths, np.arange(2_000), CAPACITY, window=100)
    assert np.array_equal(bins.rows, np.arange(2_000))


@settings(max_examples=1)
@given(st.integers(0, 10))
def test_a_million_rows_leave_hardly_a_slot(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(5.8, 0.6, 1_000_000), 20, 2_048).astype(np.int32)
    with ends():
        bins = pack_shuffled(lengths, np.arange(len(lengths)), 2_048, rng)
    assert fill(bins, lengths, 2_048) > 0.995


def test_taking_bins_keeps_their_content() -> None:
    bins = Bins(np.arange(6), np.array([0, 1, 3, 6]))
    taken = bins.take(np.array([2, 0]))
    assert [list(taken[i]) for i in range(2)] == [[3, 4, 5], [0]]
    assert len(Bins.join([bins, taken])) == 5
    assert len(one_per_bin(np.arange(4))) == 4

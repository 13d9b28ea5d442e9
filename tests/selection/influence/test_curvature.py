from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from src.selection.influence.curvature import Whitening


@pytest.fixture
def rows():
    """Gradients of length one that all pull at one direction, each also at one of its own."""
    torch.manual_seed(0)
    shared = torch.zeros(300, 24)
    shared[:, 0] = 3.0
    return functional.normalize(shared + torch.randn(300, 24))


def test_whitened_cosines_are_those_of_the_inverse_of_the_autocorrelation(rows):
    damping = 0.5
    matrix = (rows.double().T @ rows.double()) / len(rows)
    matrix += damping * matrix.trace() / 24 * torch.eye(24, dtype=torch.float64)
    products = rows.double() @ torch.linalg.inv(matrix) @ rows.double().T
    lengths = products.diagonal().sqrt()
    found = Whitening([rows], damping)(rows)
    torch.testing.assert_close((found @ found.T).double(), products / lengths[:, None] / lengths, atol=1e-4, rtol=1e-4)


def test_what_all_share_counts_for_less(rows):
    plain, white = rows @ rows.T, (found := Whitening([rows], 0.1)(rows)) @ found.T
    others = ~torch.eye(len(rows), dtype=torch.bool)
    assert white[others].mean().abs() < plain[others].mean() / 4


def test_much_damping_changes_nothing(rows):
    found = Whitening([rows], 1e9)(rows)
    torch.testing.assert_close(found @ found.T, rows @ rows.T, atol=1e-4, rtol=0)


def test_blocks_and_their_order_do_not_matter(rows):
    whole = Whitening([rows], 10.0)(rows)
    apart = Whitening([rows[200:], rows[:7], rows[7:200]], 10.0)(rows)
    torch.testing.assert_close(whole @ whole.T, apart @ apart.T, atol=1e-5, rtol=0)


def test_fewer_rows_than_numbers_are_enough(rows):
    few = rows[:5]
    assert Whitening([few], 10.0)(few).isfinite().all()

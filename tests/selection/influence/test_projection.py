from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from src.selection.influence.layers import Parameter
from src.selection.influence.projection import Sketch


def sketch(rows: Tensor, dimension: int, seed: int = 0, name: str = "w", cuts: tuple[int, ...] = ()) -> Tensor:
    """Project rows as one parameter, handed over in the given cuts."""
    into = torch.zeros(len(rows), dimension)
    projector, edges = Sketch(dimension, seed), [0, *sorted(cuts), rows.shape[1]]
    for first, stop in itertools.pairwise(edges):
        if first < stop:
            projector.add(into, Parameter(name, 1, rows.shape[1]), first, rows[:, first:stop])
    return into


def dense(rows: Tensor, dimension: int, seed: int = 0) -> Tensor:
    """The reference: a Rademacher matrix."""
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (rows.shape[1], dimension), generator=generator).float() * 2 - 1
    return rows @ signs / dimension**0.5


def cosines(rows: Tensor) -> Tensor:
    unit = torch.nn.functional.normalize(rows, dim=1)
    return (unit @ unit.T)[*torch.triu_indices(len(rows), len(rows), 1)]


def gradient_like(samples: int, size: int) -> Tensor:
    """Rows with common directions and a heavy tail, as gradients have."""
    generator = torch.Generator().manual_seed(1)
    base = torch.randn(3, size, generator=generator)
    noise = torch.randn(samples, size, generator=generator) ** 3
    return torch.randn(samples, 3, generator=generator) @ base * 2 + noise


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 64), st.lists(st.integers(0, 300), max_size=4), st.integers(0, 2**31 - 1))
def test_any_cut_gives_the_same_sketch(size, dimension, cuts, seed):
    rows = torch.randn(3, size, generator=torch.Generator().manual_seed(size))
    whole = sketch(rows, dimension, seed)
    parts = sketch(rows, dimension, seed, cuts=tuple(cut for cut in cuts if cut < size))
    torch.testing.assert_close(whole, parts, rtol=1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 2**31 - 1))
def test_every_element_lands_once_with_a_sign(size, dimension, seed):
    spread = sketch(torch.eye(size), dimension, seed)
    assert (spread.abs().sum(1) == 1).all() and ((spread == 0) | (spread.abs() == 1)).all()
    for first in range(0, size, dimension):  # a block is only rotated: its elements never collide
        assert spread[first : first + dimension].abs().sum(0).max() <= 1


def test_inner_products_are_unbiased_and_as_spread_as_the_bound_says():
    x, y = gradient_like(2, 3_000)
    true, d, draws = float(x @ y), 64, 400
    found = torch.tensor([float(torch.dot(*sketch(torch.stack([x, y]), d, seed))) for seed in range(draws)])
    bound = float((x.square().sum() * y.square().sum() + true**2) / d) ** 0.5
    assert abs(float(found.mean()) - true) < 4 * bound / draws**0.5
    assert (
        0.85 * bound < float(found.std()) < 1.1 * bound
    )  # the bound is nearly reached: blocks are few collisions less


def test_structured_gradients_are_no_worse_off():
    """A weight with one loud input column, whose width divides d: a fixed hash (j mod d) would pile that column up."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(24, 512, 64, generator=generator)
    weight[:, :, 5] *= 100
    rows = weight.flatten(1)
    error = (cosines(sketch(rows, 1024)) - cosines(rows)).pow(2).mean().sqrt()
    assert error < 1.5 * (1 / 1024) ** 0.5


def test_fidelity_matches_a_dense_rademacher_projection():
    rows = gradient_like(40, 20_000)
    true = cosines(rows)
    ours, reference = ((cosines(p(rows, 2048)) - true).pow(2).mean().sqrt() for p in (sketch, dense))
    assert ours < 1.3 * reference
    assert ours < 2 * (1 / 2048) ** 0.5


def test_parameters_and_seeds_draw_their_own_signs():
    rows = torch.ones(1, 500)
    drawn = [sketch(rows, 32, seed, name) for seed in (0, 1) for name in ("a", "b")]
    assert len({tuple(row.flatten().tolist()) for row in drawn}) == 4


def test_the_draw_is_fixed_for_ever():
    """Stored gradients of one version must mean the same in the next."""
    assert sketch(torch.arange(1.0, 13.0)[None], 4, seed=7).tolist() == [[20.0, -17.0, 0.0, -15.0]]


def test_a_dimension_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Sketch(0, 0)

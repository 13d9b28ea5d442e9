from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from src.core.errors import UserError
from src.modeling.recipe import Recipe
from src.selection.influence.adam import Moments
from src.selection.influence.layers import Parameter

PARAMETER = Parameter("w", 4, 5)


def trained(steps: int) -> tuple[torch.nn.Parameter, torch.optim.AdamW, Moments]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(4, 5, generator=generator))
    optimizer = torch.optim.AdamW([weight], lr=1e-2, weight_decay=0.0)
    for _ in range(steps):
        weight.grad = torch.randn(4, 5, generator=generator)
        optimizer.step()
    state = optimizer.state[weight]
    mean, square = state["exp_avg"].flatten().clone(), state["exp_avg_sq"].flatten().clone()
    return weight, optimizer, Moments(steps, {"w": mean}, {"w": square})


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_direction_is_the_step_that_adamw_takes_next(steps):
    weight, optimizer, moments = trained(steps)
    gradient, before = torch.randn(4, 5), weight.detach().clone()
    weight.grad = gradient
    optimizer.step()
    direction = moments.direction("adam", "w", 0, gradient.flatten()[None].clone())
    torch.testing.assert_close(before - 1e-2 * direction.view(4, 5), weight.detach(), rtol=1e-5, atol=1e-7)


def test_less_variant_is_its_formula():
    _, _, moments = trained(5)
    g = torch.randn(20)
    m, v = moments.mean["w"], moments.square["w"]
    expected = (0.9 * m + 0.1 * g) / torch.sqrt(0.999 * v + 0.001 * g**2 + 1e-8)
    torch.testing.assert_close(moments.direction("less", "w", 0, g[None].clone())[0], expected)


def test_preconditioned_direction_is_linear_in_the_gradient():
    _, _, moments = trained(5)
    a, b = torch.randn(2, 20)

    def direction(g):
        return moments.direction("preconditioned", "w", 0, g[None].clone())[0]

    torch.testing.assert_close(direction(a + 2 * b), direction(a) + 2 * direction(b), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["adam", "less", "preconditioned", "sgd"])
def test_a_slice_is_the_slice_of_the_whole(kind):
    _, _, moments = trained(5)
    g = torch.randn(3, 20)
    whole = moments.direction(kind, "w", 0, g.clone())
    torch.testing.assert_close(moments.direction(kind, "w", 7, g[:, 7:12].clone()), whole[:, 7:12])


def test_moments_survive_a_file(tmp_path):
    _, _, moments = trained(5)
    path = tmp_path / "adam.safetensors"
    save_file({"m.w": moments.mean["w"].view(4, 5), "v.w": moments.square["w"].view(4, 5)}, path)
    read = Moments.load(path, 5, [PARAMETER], Recipe(lr=1.0))
    assert read.step == 5 and torch.equal(read.mean["w"], moments.mean["w"])


def test_moments_of_another_model_are_refused(tmp_path):
    path = tmp_path / "adam.safetensors"
    save_file({"m.w": torch.zeros(4, 4), "v.w": torch.zeros(4, 4)}, path)
    with pytest.raises(UserError, match=r"m\.w has 16 numbers, not 20"):
        Moments.load(path, 1, [PARAMETER], Recipe(lr=1.0))
    with pytest.raises(UserError, match=r"m\.other is missing"):
        Moments.load(path, 1, [Parameter("other", 4, 5)], Recipe(lr=1.0))


def test_moments_of_another_checkpoint_are_refused(tmp_path):
    path = tmp_path / "adam.safetensors"
    with pytest.raises(UserError, match=r"has no Adam moments: adam\.safetensors is missing"):
        Moments.load(path, 4, [PARAMETER], Recipe(lr=1.0))
    save_file({"m.w": torch.zeros(4, 5), "v.w": torch.zeros(4, 5)}, path, metadata={"step": "8"})
    assert Moments.load(path, 8, [PARAMETER], Recipe(lr=1.0)).step == 8
    with pytest.raises(UserError, match=r"holds the moments of step 8, its checkpoint is of step 4"):
        Moments.load(path, 4, [PARAMETER], Recipe(lr=1.0))

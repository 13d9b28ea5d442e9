from __future__ import annotations

import torch

from src.selection.products import FrozenLinear, fast_products
from tests.selection.conftest import tiny_llama


def test_the_product_and_its_gradient_are_those_of_a_linear_layer():
    for bias in (True, False):
        layer = torch.nn.Linear(37, 53, bias=bias)
        x, slopes = torch.randn(2, 5, 37, requires_grad=True), torch.randn(2, 5, 53)
        ours, theirs = FrozenLinear.apply(x, layer.weight, layer.bias), layer(x)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        for a, b in zip(torch.autograd.grad(ours, x, slopes), torch.autograd.grad(theirs, x, slopes)):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_a_model_computes_the_same_meanwhile_and_is_itself_afterwards():
    model, tokens = tiny_llama().requires_grad_(False), torch.arange(1, 20)[None]
    before = model(input_ids=tokens).logits
    with fast_products(model):
        assert all("forward" in vars(m) for m in model.modules() if type(m) is torch.nn.Linear)
        torch.testing.assert_close(model(input_ids=tokens).logits, before, rtol=1e-4, atol=1e-4)
    assert not any("forward" in vars(m) for m in model.modules())
    assert torch.equal(model(input_ids=tokens).logits, before)


def test_layers_in_training_are_left_alone():
    model = tiny_llama()
    with fast_products(model):
        assert not any("forward" in vars(m) for m in model.modules())

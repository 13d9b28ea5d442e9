from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from transformers import Gemma2Config, Gemma2ForCausalLM

from src.selection import packed
from src.selection.packed import MatrixLoss, ResponseLoss
from tests.selection.conftest import tiny_llama


def one_at_a_time(model, row) -> float:
    tokens = torch.tensor([row.tokens])
    labels = tokens.clone()
    labels[:, : row.start] = -100
    return model(input_ids=tokens, labels=labels).loss.item()


@pytest.mark.parametrize("room", [64, 1 << 23])
def test_the_fused_loss_is_cross_entropy_with_its_gradient(room, monkeypatch):
    monkeypatch.setattr(packed, "LOGITS", room)  # one place at a time, or all at once
    torch.manual_seed(0)
    hidden, weight = torch.randn(7, 5, requires_grad=True), torch.randn(64, 5) * 30
    targets, slopes = torch.randint(0, 64, (7,)), torch.randn(7)
    ours = MatrixLoss.apply(hidden, weight, targets)
    expected = functional.cross_entropy(hidden @ weight.T, targets, reduction="none")
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(ours @ slopes, hidden), torch.autograd.grad(expected @ slopes, hidden), rtol=1e-4, atol=1e-4
    )


def test_a_head_in_training_gets_its_gradient(rows):
    model = tiny_llama()
    ResponseLoss(model)(rows).sum().backward()
    ours = model.get_input_embeddings().weight.grad.clone()
    model.zero_grad()
    for row in rows:
        tokens = torch.tensor([row.tokens])
        labels = tokens.clone()
        labels[:, : row.start] = -100
        model(input_ids=tokens, labels=labels).loss.backward()
    torch.testing.assert_close(ours, model.get_input_embeddings().weight.grad, rtol=1e-4, atol=1e-5)


def test_each_rows_loss_is_that_of_the_row_alone(rows):
    model = tiny_llama()
    found = ResponseLoss(model)(rows)
    assert found.tolist() == pytest.approx([one_at_a_time(model, row) for row in rows], rel=1e-5)


def test_a_head_that_is_more_than_a_matrix_keeps_its_own_forward(rows):
    """Gemma 2 caps its logits."""
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        final_logit_softcapping=0.5,
        attn_implementation="eager",
    )
    model = Gemma2ForCausalLM(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    found = ResponseLoss(model)(rows)
    assert found.tolist() == pytest.approx([one_at_a_time(model, row) for row in rows], rel=1e-4)

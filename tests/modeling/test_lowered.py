import pytest
import torch
import transformers
from transformers.integrations import moe

from src.modeling import attention as attn
from src.modeling import loading
from src.modeling.loss import loss_sum
from src.modeling.lowered import move_fewer_bytes
from src.modeling.selftest import documents
from tests.generation.tiny import write_tiny_llama
from tests.modeling.test_architectures import ARCHITECTURES, SIZES


@pytest.fixture
def model(tmp_path):
    write_tiny_llama(tmp_path)
    model = loading.load_model(tmp_path, attn.choose_kernel(loading.load_config(tmp_path), "auto", 96))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(torch.linspace(0.5, 2, len(p)))
    return model


def gradients(model, lowered):
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=lowered):
        loss = loss_sum(model, documents(model.config.vocab_size, (20, 31, 7)), model.config._attn_implementation)
    loss.backward()
    return float(loss.detach()), torch.cat([p.grad.ravel() for p in model.parameters()])


def test_fewer_bytes_compute_the_same_gradient(model):
    exact, before = gradients(model, lowered=False)[1], gradients(model, lowered=True)[1]
    assert move_fewer_bytes(model) == 2 * model.config.num_hidden_layers + 2  # the last norm, and the angles
    torch.testing.assert_close(gradients(model, lowered=False)[1], exact, rtol=1e-3, atol=1e-3)
    assert (gradients(model, lowered=True)[1] - exact).norm() < 1.5 * (before - exact).norm()


def test_norms_leave_in_the_type_of_the_computation(model):
    move_fewer_bytes(model)
    norm, x = model.model.norm, torch.randn(3, 64)
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(x).dtype == torch.bfloat16
    assert norm(x).dtype == torch.float32


def test_experts_multiply_in_the_type_of_the_computation(monkeypatch):
    """Transformers' own kernel takes the type of the weights: float32."""
    torch.manual_seed(0)
    config = transformers.MixtralConfig(**SIZES, **ARCHITECTURES["Mixtral"])
    config._attn_implementation = attn.choose_kernel(config, "documents", 96)
    model = transformers.MixtralForCausalLM(config)
    seen, product = [], moe._grouped_mm

    def listened(input, weight, offs):
        seen.append(weight.dtype)
        return product(input, weight, offs)

    monkeypatch.setattr(moe, "_grouped_mm", listened)
    (loss, exact), (rough, before) = gradients(model, lowered=False), gradients(model, lowered=True)
    assert set(seen) == {torch.float32}
    seen.clear()
    move_fewer_bytes(model)
    lowered, after = gradients(model, lowered=True)
    assert seen == [torch.bfloat16] * 2 * config.num_hidden_layers
    assert lowered == pytest.approx(loss, rel=1e-2) and rough == pytest.approx(loss, rel=1e-2)
    assert (after - exact).norm() < 2 * (before - exact).norm()


def test_a_norm_that_adds_one_to_its_weight_stays_as_it_is():
    class OffsetRMSNorm(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.variance_epsilon = torch.nn.Parameter(torch.full((8,), 0.1)), 1e-6

        def forward(self, x):
            return torch.nn.functional.rms_norm(x, self.weight.shape, 1 + self.weight, self.variance_epsilon)

    assert move_fewer_bytes(torch.nn.Sequential(OffsetRMSNorm())) == 0


def test_older_torch_takes_other_words_for_the_same_attention(monkeypatch):
    """Of torch 2.10: no scale, no window, no shared heads."""
    asked = {}

    def varlen_attn(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, return_aux=None):
        asked.update(is_causal=is_causal, heads=key.shape[1], query=query)
        return query

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    q, kv = torch.ones(1, 6, 5, 16), torch.ones(1, 2, 5, 16)
    out = attn._varlen(q, kv, kv, 0.5, attn.Documents.of([2, 3]))
    assert out.shape == (1, 5, 6, 16)
    assert (asked["is_causal"], asked["heads"], float(asked["query"][0, 0, 0])) == (True, 6, 2.0)

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import LlamaConfig

from src.core.errors import UserError
from src.modeling.attention import choose_kernel
from src.modeling.loading import load_tokenizer
from src.modeling.trainer import Trainer
from src.selection.influence.adam import Moments
from src.selection.influence.collect import Projector
from src.selection.influence.gradients import PerSampleGradients
from src.selection.influence.layers import one_by_one, padded
from src.selection.influence.projection import Sketch
from src.selection.influence.scoring import mean_cosines, task_vector
from src.selection.packed import Encoded, batches, encode, on_device
from tests.selection.conftest import Families, example, tiny_llama


def by_hooks(model, layers, rows, reduction="mean") -> tuple[dict[str, Tensor], Tensor]:
    """All gradients of a batch, put together: parameter -> (samples, size)."""
    with PerSampleGradients(model, layers, reduction) as gradients:
        found = {p.name: torch.full((len(rows), p.size), float("nan")) for p in gradients.parameters}

        def sink(name: str, first: int, values: Tensor) -> None:
            found[name][:, first : first + values.shape[1]] = values

        losses = gradients.run(rows, sink)
    return found, losses


def by_autograd(model, names, row) -> tuple[dict[str, Tensor], float]:
    parameters = dict(model.named_parameters())
    for name in names:
        parameters[name].requires_grad_(True)
    tokens = torch.tensor([row.tokens])
    labels = tokens.clone()
    labels[:, : row.start] = -100
    loss = model(input_ids=tokens, labels=labels).loss
    grads = torch.autograd.grad(loss, [parameters[name] for name in names])
    return {name: grad.flatten() for name, grad in zip(names, grads)}, float(loss.detach())


def assert_exact(model, layers, rows) -> None:
    found, losses = by_hooks(model, layers, rows)
    for i, row in enumerate(rows):
        true, loss = by_autograd(model, list(found), row)
        assert float(losses[i]) == pytest.approx(loss, rel=1e-5)
        for name, gradient in true.items():
            error = (found[name][i] - gradient).norm() / gradient.norm().clamp_min(1e-12)
            small = gradient.norm() < 1e-6  # a key's bias shifts all logits alike: its true gradient is zero
            assert small or error <= 1e-4, (name, row.id, float(error))


def test_every_linear_layer_equals_one_sample_autograd(model, rows):
    assert_exact(model, ["*_proj"], rows)


def test_slices_of_a_layer_join_exactly(model, rows, monkeypatch):
    monkeypatch.setattr("src.selection.influence.layers.SLICE", 500)  # two or three rows of a weight at a time
    assert_exact(model, ["*.down_proj", "*.q_proj"], rows)


def adapted(model, **options):
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.3, target_modules=["q_proj", "v_proj", "o_proj"], **options)
    found = get_peft_model(model, config)
    for name, parameter in found.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return found.eval()


@pytest.mark.parametrize("layers", [["*.lora_*"], ["*.lora_B.*"], ["*.lora_A.*", "*.down_proj"]])
def test_lora_factors_equal_one_sample_autograd(model, rows, layers):
    lora = adapted(model)
    before = {name: parameter.clone() for name, parameter in lora.named_parameters()}
    assert_exact(lora, layers, rows)
    for name, parameter in lora.named_parameters():  # merged meanwhile, and put back
        torch.testing.assert_close(parameter, before[name], rtol=0, atol=1e-6)


def test_a_lora_layer_that_cannot_be_merged_is_exact_too(model, rows):
    """DoRA scales the sum: its factors are tracked one by one."""
    assert_exact(adapted(model, use_dora=True), ["*.lora_A.*", "*.lora_B.*"], rows)


def test_attention_by_documents_gives_the_same_gradients(rows):
    choose_kernel(LlamaConfig(), "auto", 64)
    model = tiny_llama()
    masked, _ = by_hooks(model, ["*_proj"], rows)
    model.set_attn_implementation("documents")
    apart, _ = by_hooks(model, ["*_proj"], rows)
    for name, values in apart.items():
        torch.testing.assert_close(values, masked[name], rtol=1e-4, atol=1e-6)


def test_backward_stops_at_the_first_layer_that_counts(model, rows):
    visited = []
    for number, layer in enumerate(model.model.layers):
        layer.mlp.down_proj.register_full_backward_hook(lambda *_, number=number: visited.append(number))
    by_hooks(model, ["*.1.self_attn.o_proj"], rows)
    assert visited == [1]


def test_samples_in_one_kernel_or_one_by_one(rows):
    """What a GPU does, padded; what a CPU does."""
    lengths = [3, 1, 5]
    dy, x = torch.randn(9, 4), torch.randn(9, 6)
    torch.testing.assert_close(padded(dy, x, lengths), one_by_one(dy, x, lengths))


def test_a_row_has_the_same_gradient_alone_and_in_a_batch(model, rows):
    together, _ = by_hooks(model, ["*_proj"], rows)
    alone, _ = by_hooks(model, ["*_proj"], rows[2:3])
    for name, values in alone.items():
        torch.testing.assert_close(values[0], together[name][2], rtol=1e-4, atol=1e-6)


def test_sums_are_means_times_the_tokens(model, rows):
    mean, losses = by_hooks(model, ["*.o_proj"], rows)
    total, same = by_hooks(model, ["*.o_proj"], rows, "sum")
    tokens = torch.tensor([[row.response_tokens] for row in rows])
    torch.testing.assert_close(losses, same)
    for name, values in total.items():
        torch.testing.assert_close(values, mean[name] * tokens, rtol=1e-4, atol=1e-5)


def test_hooks_and_frozen_weights_leave_no_trace(model, rows):
    by_hooks(model, ["*_proj"], rows)
    assert all(p.requires_grad for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())


def test_no_matching_layer_names_those_there_are(model):
    with pytest.raises(UserError, match=r"(?s)lora.*q_proj"):
        PerSampleGradients(model, ["*.lora_*"])


def test_a_layer_that_does_not_see_every_token_is_refused(model, rows):
    """As the experts of a mixture do not."""
    layer = model.model.layers[0].mlp
    layer.unused = torch.nn.Linear(4, 4)
    with pytest.raises(UserError, match=r"layers\.0\.mlp\.unused does not see all tokens"):
        by_hooks(model, ["*.unused", "*.o_proj"], rows)


def test_a_tied_head_is_refused(model):
    with pytest.raises(UserError, match="shares its weight"):
        PerSampleGradients(model, ["lm_head"])


def test_batches_hold_every_row_once_and_respect_the_budget():
    rows = [Encoded(f"{i:02d}", list(range(1 + (7 * i) % 23)), 1) for i in range(40)]
    made = list(batches(rows, 60))
    assert sorted(row.id for batch in made for row in batch) == [row.id for row in rows]
    assert [len(row.tokens) for batch in made for row in batch] == sorted((len(r.tokens) for r in rows), reverse=True)
    assert all(sum(len(row.tokens) for row in batch) <= 60 for batch in made)


@pytest.mark.parametrize("adapters", [False, True])
def test_checkpointed_activations_change_nothing(model, rows, adapters):
    """Each layer's inputs are those of its second forward pass; none is kept from the first one."""
    layers = ["*.lora_*"] if adapters else ["*_proj"]
    model = adapted(model) if adapters else model
    kept, losses = by_hooks(model, layers, rows)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    again, same = by_hooks(model, layers, rows)
    torch.testing.assert_close(losses, same)
    for name, values in again.items():
        torch.testing.assert_close(values, kept[name], rtol=1e-4, atol=1e-6)
    assert model.eval().training is False


@pytest.mark.parametrize("adapters", [False, True])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_bfloat16_has_the_directions_of_float32(model, rows, adapters, checkpointed):
    layers = ["*.lora_*"] if adapters else ["*_proj"]
    model = adapted(model) if adapters else model
    exact, losses = by_hooks(model, layers, rows)
    for name, parameter in model.named_parameters():
        if "lora_" not in name:  # adapters stay as the optimizer left them
            parameter.data = parameter.data.bfloat16()
    if checkpointed:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    lowered, close = by_hooks(model, layers, rows)
    torch.testing.assert_close(losses, close, rtol=3e-2, atol=0)
    whole, half = (torch.cat(list(found.values()), 1) for found in (exact, lowered))
    assert half.dtype == torch.float32, "Adam's arithmetic is float32's"
    assert torch.cosine_similarity(whole, half).min() > 0.97  # of a model without any training


@pytest.mark.slow
def test_bfloat16_chooses_what_float32_chooses(trained):
    """A third of a pool of ten families, towards two of them: at least 95 % of the choice is the same."""
    tokenizer = load_tokenizer(trained)
    pool = encode(tokenizer, [example(family, i) for family in range(10) for i in range(12)], 256)
    targets = encode(tokenizer, list(Families((1, 4), 6).dev_examples()), 256)

    def choice(precision: str) -> set[str]:
        model = on_device(trained, Trainer(device="cpu", threads=1), 256, precision)
        with PerSampleGradients(model, ["*.o_proj", "*.down_proj"]) as gradients:
            projector = Projector(gradients, Moments(1, {}, {}), Sketch(2048, seed=0))
            task = {"target": task_vector(projector.project(b, "sgd")[0] for b in batches(targets, 2048))}
            scores = {}
            for batch in batches(pool, 2048):
                values = mean_cosines(task, projector.project(batch, "sgd")[0])[:, 0].tolist()
                scores.update(zip((row.id for row in batch), values, strict=True))
        return set(sorted(scores, key=scores.__getitem__)[-40:])

    assert len(choice("float32") & choice("bf16")) >= 38

"""Packed equals unpacked; a batch is the same however it is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from src.core.errors import UserError
from src.core.records import Example
from src.modeling import attention as attn
from src.modeling import loading, selftest
from src.modeling.data import Loader
from src.modeling.loss import head_is_a_matrix, loss_sum, objective
from src.modeling.module import CausalLM
from src.modeling.packing import Bins
from src.modeling.plan import Plan, make_plan
from src.modeling.rows import TokenCorpus
from src.modeling.tokenizing import tokenize


def load(base: Path, attention: str = "auto") -> tuple[Any, str]:
    name = attn.choose_kernel(loading.load_config(base), attention, 96)
    return loading.load_model(base, name).train(), name


@pytest.mark.parametrize("attention", ["documents", "sdpa", "eager"])
def test_packed_documents_do_not_see_each_other(base: Path, attention: str) -> None:
    model, name = load(base, attention)
    assert selftest.difference(model, name) < 1e-5
    assert model.training and all(p.grad is None for p in model.parameters())


def test_attention_by_document_equals_attention_by_mask(base: Path) -> None:
    batch = selftest.documents(300, (7, 20, 3))
    one, two = (loss_sum(load(base, name)[0], batch, name) for name in ("documents", "sdpa"))
    assert one.item() == pytest.approx(two.item(), rel=1e-6)


def test_a_model_loaded_for_training_can_write(base: Path) -> None:
    prompt = torch.tensor([[5, 9, 300, 17]])
    one, two = (
        load(base, name)[0].eval().generate(prompt, max_new_tokens=8, do_sample=False) for name in ("documents", "sdpa")
    )
    assert torch.equal(one, two)


def test_new_tokens_see_what_is_cached_and_one_another_in_turn(base: Path) -> None:
    tokens = torch.tensor([[5, 9, 300, 17, 40, 2, 77]])
    model = load(base, "documents")[0].eval()
    with torch.no_grad():
        whole = model(tokens).logits
        begun = model(tokens[:, :3], use_cache=True)
        rest = model(tokens[:, 3:], past_key_values=begun.past_key_values, use_cache=True).logits
    torch.testing.assert_close(rest, whole[:, 3:], rtol=1e-4, atol=1e-4)


def test_a_model_that_leaks_is_stopped(base: Path) -> None:
    model, name = load(base)
    forward = model.forward
    model.forward = lambda documents, **options: forward(**options)  # as a model that ignores what it is told
    with pytest.raises(UserError, match="does not keep packed documents apart"):
        selftest.check(model, name)


@pytest.mark.parametrize(
    ("attention", "advice"),
    [
        ("documents", "Set trainer.attention=sdpa"),
        ("sdpa", "Set trainer.attention=eager"),
        ("eager", "Set packing=false"),
    ],
)
def test_what_is_already_set_is_not_advised(
    base: Path, monkeypatch: pytest.MonkeyPatch, attention: str, advice: str
) -> None:
    monkeypatch.setattr(selftest, "difference", lambda *args: 0.5)
    with pytest.raises(UserError, match=advice):
        selftest.check(load(base, attention)[0], attention)


def test_the_loss_is_that_of_the_whole_sequence(base: Path) -> None:
    """Gathering trained places before the vocabulary matrix changes nothing."""
    model, name = load(base)
    batch = selftest.documents(300, (9,))
    logits = model(input_ids=batch.tokens).logits[0, :-1]
    want = torch.nn.functional.cross_entropy(logits, batch.tokens[0, 1:], reduction="sum")
    assert loss_sum(model, batch, name).item() == pytest.approx(want.item(), rel=1e-6)


@pytest.mark.parametrize("rows_per_device", [1, 2, 4])
def test_a_batch_has_one_gradient_however_it_is_cut(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, rows_per_device: int
) -> None:
    settings = recipe(batch_sequences=8)
    table = tokenize([TokenCorpus("all", lambda: rows)], loading.load_tokenizer(base), settings, 96, tmp_path)
    plan = make_plan(table, settings, ("shuffled",), seed=0)

    def gradient(size: int) -> torch.Tensor:
        model, name = load(base)
        batch = Loader(table, plan, "response", size, 0, rank=0, world=1).batch(0)
        assert len(batch.parts) == 8 // size
        for part in batch.parts:
            (loss_sum(model, part, name) / batch.trained_tokens).backward()
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    torch.testing.assert_close(gradient(rows_per_device), gradient(8), rtol=1e-4, atol=1e-6)


def test_ranks_share_a_batch_and_stay_in_step(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    settings = recipe(batch_sequences=5)
    table = tokenize([TokenCorpus("all", lambda: rows)], loading.load_tokenizer(base), settings, 96, tmp_path)
    plan = make_plan(table, settings, ("shuffled",), seed=0)
    for step in range(plan.steps):
        shares = [Loader(table, plan, "response", 2, 0, rank, 3).batch(step) for rank in range(3)]
        assert len({len(share.parts) for share in shares}) == 1
        real = [row for share in shares for part in share.parts if part.real for row in part.rows]
        assert sorted(real) == sorted(row for sequence in plan.sequences(step) for row in sequence)
        predicted = sum(len(part.targets) for share in shares for part in share.parts if part.real)
        assert predicted == plan.trained_tokens(step)


def test_norms_and_biases_do_not_decay(base: Path, recipe: Any) -> None:
    model, name = load(base)
    plan = Plan(Bins.join([]), 1, np.zeros(0), np.zeros(0), 96, ())
    module = CausalLM(model, recipe(weight_decay=0.1), plan, name, rows=None, seed=0)  # type: ignore[arg-type]
    groups = module.configure_optimizers().param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert all(p.ndim == 1 for p in groups[1]["params"])
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))


SMALL = {
    "vocab_size": 320, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
ARCHITECTURES = {
    "Llama": {},
    "Mistral": {"sliding_window": 24},
    "Mixtral": {"num_local_experts": 4, "sliding_window": None},
    "Qwen2": {},
    "Qwen3": {"head_dim": 8},
    "Gemma3Text": {"head_dim": 8, "sliding_window": 24, "layer_types": ["sliding_attention", "full_attention"]},
    "Phi3": {},
}


def architecture(name: str, attention: str, **options: Any) -> Any:
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**SMALL, **ARCHITECTURES[name], **options)
    config._attn_implementation = attention
    return getattr(transformers, f"{name.removesuffix('Text')}ForCausalLM")(config).train()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_published_architectures_keep_documents_apart(name: str) -> None:
    """A document longer than the model's window is among them."""
    config = architecture(name, "eager").config
    chosen = attn.choose_kernel(config, "auto", 96)
    assert chosen == ("sdpa" if getattr(config, "sliding_window", None) else "documents")
    model = architecture(name, chosen)
    assert selftest.reach(config, 96) == (28 if chosen == "sdpa" else 0)
    assert selftest.check(model, chosen, limit=96) < 1e-4


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "Gemma2": ({"head_dim": 8, "attn_logit_softcapping": 1.0}, "eager"),
    "GptOss": ({"head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2}, "eager"),
    "StableLm": ({}, "sdpa"),
    "GPTJ": ({"n_embd": 32, "n_layer": 2, "n_head": 2, "rotary_dim": 8}, "eager"),
}
"""Models whose attention has more to it than "documents" knows, or that take none from outside; what they get."""


def other(name: str) -> Any:
    options, _ = OTHERS[name]
    return getattr(transformers, f"{name}Config")(**{**SMALL, **options})


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("compiled", [False, True])
def test_models_with_an_attention_of_their_own_keep_it(name: str, compiled: bool) -> None:
    config, (_, wanted) = other(name), OTHERS[name]
    chosen = attn.choose_kernel(config, "auto", 8, compiled)
    assert chosen == wanted
    torch.manual_seed(0)
    model, plain = (
        transformers.AutoModelForCausalLM.from_config(config, attn_implementation=kind) for kind in (chosen, "eager")
    )
    if name != "GptOss":  # whose mask is made without the positions: its rows are to be read alone
        assert selftest.check(model.train(), chosen) < 1e-4
    plain.load_state_dict(model.state_dict())
    tokens = torch.arange(20)[None]
    torch.testing.assert_close(model.eval()(tokens).logits, plain.eval()(tokens).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "wanted"), [("Gemma2", "sdpa"), ("GptOss", "sdpa"), ("GPTJ", "documents")])
def test_an_attention_that_would_leave_something_out_is_refused(name: str, wanted: str) -> None:
    with pytest.raises(UserError, match=rf"attention '{wanted}'(.|\n)*trainer.attention=auto, which takes eager"):
        attn.choose_kernel(other(name), wanted, 8)
    assert attn.choose_kernel(other(name), "eager", 8) == "eager"


def test_lengths_of_documents_are_not_compiled_in(base: Path) -> None:
    config = loading.load_config(base)
    assert [attn.choose_kernel(config, "auto", 8, compiled) for compiled in (False, True)] == ["documents", "sdpa"]


@pytest.mark.parametrize("beyond", ["softcap", "s_aux"])
def test_attention_by_document_leaves_nothing_out_in_silence(beyond: str) -> None:
    q = torch.randn(1, 2, 4, 8)
    with pytest.raises(NotImplementedError, match=beyond):
        attn.documents_attention(torch.nn.Module(), q, q, q, None, **{beyond: torch.ones(2)})
    attn.documents_attention(torch.nn.Module(), q, q, q, None, **{beyond: None})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_queries_reach_the_kernel_in_the_type_of_autocast(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotary embeddings return float32 under autocast, which the variable-length kernel does not take."""
    seen = []

    def kernel(query: Any, key: Any, value: Any, scaling: Any, documents: Any) -> Any:
        seen.append({query.dtype, key.dtype, value.dtype})
        groups = query.shape[1] // key.shape[1]
        key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling
        ).transpose(1, 2)

    monkeypatch.setattr(attn, "VARLEN_DEVICES", ("cpu",))
    monkeypatch.setattr(attn, "_varlen", kernel)
    attn.choose_kernel(architecture(name, "eager").config, "auto", 8)
    model = architecture(name, attn.NAME)
    with torch.autocast("cpu", torch.bfloat16):
        loss_sum(model, selftest.documents(320, (9,)), attn.NAME).backward()
    assert seen == [{torch.bfloat16}] * 2, "each layer goes by the kernel"


def test_short_documents_are_attended_to_in_float32_on_a_cpu() -> None:
    """There bfloat16's way back takes three times as long, and rounds more."""
    documents = attn.Documents.of([5, 9])
    drawn = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, heads, 14, 8, generator=drawn).bfloat16() for heads in (4, 2, 2))
    exact = attn.documents_attention(torch.nn.Module(), q.float(), k.float(), v.float(), None, documents=documents)[0]
    with torch.autocast("cpu", torch.bfloat16):
        found = attn.documents_attention(torch.nn.Module(), q, k, v, None, documents=documents)[0]
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, exact.bfloat16())


def test_the_router_of_a_mixture_of_experts_is_balanced() -> None:
    model = architecture("Mixtral", "sdpa", router_aux_loss_coef=0.5)
    batch = selftest.documents(320, (9, 20))
    loss, router = objective(model, batch, "sdpa")
    labels = batch.tokens.clone()
    labels[batch.positions == 0] = -100
    theirs = model(
        input_ids=batch.tokens, position_ids=batch.positions, labels=labels, output_router_logits=True, use_cache=False
    )
    assert router.item() == pytest.approx(0.5 * theirs.aux_loss.item() * len(batch.targets), rel=1e-5)
    assert (loss + router).item() / len(batch.targets) == pytest.approx(theirs.loss.item(), rel=1e-5)
    router.backward()
    gates = [p.grad for name, p in model.named_parameters() if name.endswith("gate.weight")]
    assert gates and all(gate.abs().sum() > 0 for gate in gates)
    assert objective(architecture("Llama", "sdpa"), batch, "sdpa")[1] == 0


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_logits_in_parts_give_the_same_loss_and_gradient(monkeypatch: pytest.MonkeyPatch, precision: Any) -> None:
    batch = selftest.documents(320, (9, 50, 37))
    model = architecture("Llama", "sdpa")
    assert head_is_a_matrix(model, batch, "sdpa")
    monkeypatch.setattr("src.modeling.loss.WHOLE_LOGITS", 1)
    found = []
    for chunked in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            loss = loss_sum(model, batch, "sdpa", chunked)
        loss.backward()
        found.append((loss.item(), torch.cat([p.grad.flatten() for p in model.parameters()])))
    (whole, wanted), (parts, gradient) = found
    tolerance = 1e-5 if precision == torch.float32 else 2e-2
    # Losses alone may be rounded to bfloat16, not their sum: it would be off by up to a percent.
    assert parts == pytest.approx(whole, rel=1e-5 if precision == torch.float32 else 1e-3)
    assert (gradient - wanted).norm() < tolerance * wanted.norm()


def test_a_head_with_soft_caps_is_no_matrix() -> None:
    config = transformers.Gemma2Config(**SMALL, head_dim=8, final_logit_softcapping=0.05)
    model = transformers.Gemma2ForCausalLM(config).train()
    assert not head_is_a_matrix(model, selftest.documents(320, (9, 20)), "sdpa")

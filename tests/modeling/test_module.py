"""Packed equals unpacked; a batch is the same however it is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from src.core.errors import UserError
from src.core.records import Example
from src.modeling import attention as attn
from src.modeling import loading, selftest
from src.modeling.data import Loader
from src.modeling.module import CausalLM, loss_sum
from src.modeling.plan import make_plan
from src.modeling.rows import Corpus
from src.modeling.tokenizing import tokenize


def load(base: Path, attention: str = "auto") -> tuple[Any, str]:
    name = attn.choose(loading.load_config(base), attention, 96)
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


def test_a_model_that_leaks_is_stopped(base: Path) -> None:
    model, name = load(base)
    forward = model.forward
    model.forward = lambda documents, **options: forward(**options)  # as a model that ignores what it is told
    with pytest.raises(UserError, match="does not keep packed documents apart"):
        selftest.check(model, name)


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
    table = tokenize([Corpus("all", lambda: rows)], loading.load_tokenizer(base), settings, 96, tmp_path)
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
    table = tokenize([Corpus("all", lambda: rows)], loading.load_tokenizer(base), settings, 96, tmp_path)
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
    module = CausalLM(model, recipe(weight_decay=0.1), 10, name, rows=None, seed=0)  # type: ignore[arg-type]
    groups = module.configure_optimizers().param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert all(p.ndim == 1 for p in groups[1]["params"])
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))

"""Without a card, on a torch that is built for cards: the forward passes as a card would run them, on fake tensors.

A fake tensor has a shape, a type and a device, and no numbers: a weight that stayed on the CPU, or float32 where a
kernel wants bfloat16, fails here as it would there. Backward passes want a real context and are for `pytest -m gpu`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import varlen

from src.modeling.attention import NAME, choose_kernel
from src.modeling.loss import loss_sum
from src.modeling.lowered import move_fewer_bytes
from src.modeling.selftest import documents
from src.selection.packed import ResponseLoss
from tests.modeling.test_architectures import ARCHITECTURES, SIZES

pytestmark = pytest.mark.skipif(
    torch.version.cuda is None, reason="this torch is built for CPUs; make install EXTRA=gpu takes the other"
)
LENGTHS = [40, 7, 49]
ONE_KERNEL = [
    name for name in ARCHITECTURES if name not in ("Mistral", "Gemma3Text")
]  # the others look back so far only
BATCH = documents(SIZES["vocab_size"], LENGTHS)  # made here, for where tensors are fake nothing can be counted


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorMode]:
    """What is found out by computing (whether norms and heads are as Llama has them) has no numbers here: it is so in
    all of these. The card is said to be an H100."""
    monkeypatch.setattr(torch, "allclose", lambda *values, **limits: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        yield mode


@pytest.fixture
def kernel_types(monkeypatch: pytest.MonkeyPatch) -> list[torch.dtype]:
    """The types of queries, keys and values that reached the variable-length kernel."""
    seen: list[torch.dtype] = []
    kernel = varlen.varlen_attn

    def listened(query: Any, key: Any, value: Any, *arguments: Any, **options: Any) -> Any:
        seen.extend(x.dtype for x in (query, key, value))
        return kernel(query, key, value, *arguments, **options)

    listened.__signature__ = inspect.signature(kernel)  # type: ignore[attr-defined]
    monkeypatch.setattr(varlen, "varlen_attn", listened)
    return seen


def model(name: str, attention: str, kind: torch.dtype = torch.float32) -> Any:
    config = getattr(transformers, f"{name}Config")(**SIZES, **ARCHITECTURES[name])
    choose_kernel(config, attention, max(LENGTHS))  # registers ours
    config._attn_implementation = attention
    cls = getattr(transformers, f"{name.removesuffix('Text')}ForCausalLM")
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        with torch.device("cuda"):
            return cls(config)
    finally:
        torch.set_default_dtype(before)


@contextmanager
def sixteen_bits() -> Iterator[None]:
    """Autocast on the card. Torch's own context manager does nothing where there is none."""
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.clear_autocast_cache()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("name", ONE_KERNEL)
def test_a_step_stays_on_the_card_and_reaches_the_kernel_in_bfloat16(faked, kernel_types, name, chunked) -> None:
    on_card = model(name, NAME)
    move_fewer_bytes(on_card)
    with sixteen_bits():
        loss = loss_sum(on_card, BATCH.to("cuda"), NAME, chunked)  # a mixture's balance is counted, which wants numbers
    assert (loss.device.type, loss.dtype, loss.dim()) == ("cuda", torch.float32, 0)
    assert set(kernel_types) == {torch.bfloat16}
    assert len(kernel_types) == 3 * SIZES["num_hidden_layers"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_step_through_sdpa_stays_on_the_card(faked, name) -> None:
    on_card = model(name, "sdpa")
    move_fewer_bytes(on_card)
    with sixteen_bits():
        loss = loss_sum(on_card, BATCH.to("cuda"), "sdpa")
    assert (loss.device.type, loss.dtype) == ("cuda", torch.float32)


@pytest.mark.parametrize("name", ONE_KERNEL)
def test_influence_reads_responses_on_the_card(faked, kernel_types, name) -> None:
    reader = ResponseLoss(model(name, NAME, torch.bfloat16))
    assert (hidden := reader.hidden(BATCH.to("cuda"))).device.type == "cuda"
    assert hidden.dtype == torch.bfloat16
    assert set(kernel_types) == {torch.bfloat16}

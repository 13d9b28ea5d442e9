"""What only a card can show: its kernels give what the CPU gives. `pytest -m gpu`; skipped where there is none."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from src.core.records import Example
from src.generation.base import Request, Sampling
from src.generation.transformers import TransformersGenerator
from src.modeling import attention as attn
from src.modeling import loading, selftest
from src.modeling.recipe import LoRA, Recipe
from src.modeling.sources import TinyLlama
from src.modeling.trainer import Trainer
from src.modeling.training import train
from src.selection.influence.gradients import PerSampleGradients
from src.selection.packed import Encoded, on_device
from tests.modeling.alone import spread_over_one
from tests.modeling.tiny import addition

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no NVIDIA GPU here"),
]
CARD = Trainer(device="cuda", log_seconds=0.0)  # each step's loss is logged, not a mean over a second
CPU = Trainer(device="cpu", log_seconds=0.0)
MODEL = TinyLlama(hidden_size=256, layers=4, heads=4, kv_heads=2, intermediate_size=512, vocab_size=512)
ROWS = [addition(i) for i in range(200)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "base"
    return Path(MODEL.prepare(folder, lambda: (row.prompt + row.response for row in ROWS), seed=0))


@pytest.mark.parametrize("groups", [1, 4])
def test_the_variable_length_kernel_equals_attention_alone(groups: int) -> None:
    lengths, heads, width = (5, 300, 1, 77), 8, 64
    torch.manual_seed(0)
    shapes = [(1, heads, sum(lengths), width), *[(1, heads // groups, sum(lengths), width)] * 2]
    q, k, v = (torch.randn(shape, device="cuda", dtype=torch.bfloat16, requires_grad=True) for shape in shapes)
    documents = attn.Documents.of(list(lengths)).to("cuda")
    out, _ = attn.documents_attention(torch.nn.Identity(), q, k, v, None, documents=documents)
    gradients = torch.autograd.grad(out.float().square().sum(), (q, k, v))
    parts = []
    for a, b, c in zip(q.split(lengths, 2), k.split(lengths, 2), v.split(lengths, 2), strict=True):
        b, c = (x.repeat_interleave(groups, 1) for x in (b, c))
        parts.append(functional.scaled_dot_product_attention(a.float(), b.float(), c.float(), is_causal=True))
    wanted = torch.cat(parts, 2).transpose(1, 2)
    torch.testing.assert_close(out.float(), wanted, rtol=2e-2, atol=2e-2)
    for mine, theirs in zip(gradients, torch.autograd.grad(wanted.square().sum(), (q, k, v)), strict=True):
        assert (mine.float() - theirs.float()).norm() < 2e-2 * theirs.float().norm()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_packed_documents_do_not_see_each_other(base: Path, precision: torch.dtype) -> None:
    name = attn.choose_kernel(loading.load_config(base), "auto", 96)
    model = loading.load_model(base, name).cuda().train()
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == torch.bfloat16):
        selftest.check(model, name, precision)


@pytest.mark.parametrize("options", [{}, {"lora": LoRA(rank=4, dropout=0.0)}], ids=["full", "lora"])
@pytest.mark.parametrize("strategy", ["auto", "fsdp"])
def test_a_card_trains_as_the_cpu_does(base: Path, tmp_path: Path, options: Any, strategy: Any) -> None:
    recipe = Recipe(lr=1e-3, sequence_length=128, batch_sequences=4, precision="bf16", **options)
    found = {"cpu": train(base, ROWS, recipe, CPU, tmp_path / "cpu", tmp_path / "cpu-work", 0)}
    trainer = dataclasses.replace(CARD, strategy=strategy, activation_checkpointing=strategy == "fsdp")
    with spread_over_one("cuda", tmp_path) if strategy == "fsdp" else nullcontext():
        found["cuda"] = train(base, ROWS, recipe, trainer, tmp_path / "cuda", tmp_path / "cuda-work", 0)
    assert found["cuda"].final_loss == pytest.approx(found["cpu"].final_loss, rel=3e-2)
    assert {t.dtype for t in load_file(tmp_path / "cuda" / "model.safetensors").values()} == {torch.bfloat16}


def test_a_killed_training_goes_on_from_what_was_written_in_the_background(base: Path, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def log(values: dict[str, float], step: int) -> None:
        if step == 6:
            raise KilledError

    recipe = Recipe(lr=1e-3, sequence_length=128, batch_sequences=2, precision="bf16")
    whole = train(base, ROWS, recipe, CARD, tmp_path / "a", tmp_path / "wa", 0)
    often = dataclasses.replace(CARD, checkpoint_minutes=0)
    with pytest.raises(KilledError):
        train(base, ROWS, recipe, often, tmp_path / "b", tmp_path / "wb", 0, log=log)
    assert train(base, ROWS, recipe, CARD, tmp_path / "b", tmp_path / "wb", 0).final_loss == pytest.approx(
        whole.final_loss, rel=1e-2
    )


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_card_has_the_gradients_of_the_cpu(base: Path, checkpointed: bool) -> None:
    rows = [Encoded(f"r{i}", list(range(3, 20 + 5 * i)), 4) for i in range(6)]

    def gradients(trainer: Trainer, precision: str) -> torch.Tensor:
        with PerSampleGradients(on_device(base, trainer, 96, precision), ["*.o_proj", "*.down_proj"]) as taken:
            parts: dict[tuple[str, int], torch.Tensor] = {}
            taken.run(rows, lambda name, first, values: parts.update({(name, first): values.cpu().clone()}))
        return torch.cat([parts[key] for key in sorted(parts)], 1)

    exact = gradients(CPU, "float32")
    card = Trainer(device="cuda", activation_checkpointing=checkpointed)
    for precision, least in (("float32", 0.9999), ("bf16", 0.99)):
        assert torch.cosine_similarity(exact, gradients(card, precision)).min() > least


@pytest.mark.parametrize("sampling", [Sampling(temperature=0), Sampling(min_p=0.02), Sampling(top_p=0.9)])
def test_a_card_writes_what_the_cpu_writes(base: Path, tmp_path: Path, sampling: Sampling) -> None:
    stop = dataclasses.replace(sampling, stop=("7",))
    asked = [
        Request(
            f"r{i}",
            ROWS[i].prompt * (1 + i % 5),
            i,
            dataclasses.replace(stop if i % 3 else sampling, max_tokens=20 + i),
        )
        for i in range(60)
    ]
    texts = {}
    for device in ("cpu", "cuda"):
        with TransformersGenerator(dtype="float32", device=device).open(str(base), tmp_path) as session:
            texts[device] = {completion.id: completion for completion in session.stream(asked)}
    alike = sum(texts["cuda"][id] == texts["cpu"][id] for id in texts["cpu"])
    assert alike == 60 or (sampling.temperature and alike >= 58)  # rounding moves a draw that all but ties


def test_a_training_leaves_a_model_that_vllm_loads(base: Path, tmp_path: Path) -> None:
    vllm = pytest.importorskip("vllm")
    recipe = Recipe(lr=1e-3, sequence_length=128, batch_sequences=4, precision="bf16")
    examples: list[Example] = ROWS
    train(base, examples, recipe, CARD, tmp_path / "model", tmp_path / "work", 0)
    engine = vllm.LLM(str(tmp_path / "model"), gpu_memory_utilization=0.3, max_model_len=256)
    assert engine.generate(["What is 1 + 2?\n"])[0].outputs[0].token_ids

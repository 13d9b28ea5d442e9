"""Published architectures at toy sizes, from their configurations: trained, saved, loaded, their gradients taken."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from src.core.errors import UserError
from src.core.records import Example
from src.modeling.trainer import Trainer
from src.modeling.training import train
from src.selection.influence.gradients import PerSampleGradients
from src.selection.packed import encode, on_device
from tests.modeling.tiny import CPU
from tests.selection.conftest import tiny_lfm2

SIZES = {
    "vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 128, "pad_token_id": 2, "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "Llama": {},
    "Mistral": {"sliding_window": 48},
    "Mixtral": {"num_local_experts": 4, "sliding_window": None, "router_aux_loss_coef": 0.02},
    "Qwen2": {},
    "Qwen3": {"head_dim": 32},
    "Gemma3Text": {"head_dim": 32, "sliding_window": 48, "layer_types": ["sliding_attention", "full_attention"]},
    "Phi3": {},
}


def folder_of(name: str, base: Path, folder: Path) -> Path:
    """An untrained model of that architecture with the tokenizer of `base`."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**SIZES, **ARCHITECTURES[name])
    getattr(transformers, f"{name.removesuffix('Text')}ForCausalLM")(config).save_pretrained(folder)
    for path in base.glob("*token*"):
        shutil.copy(path, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_goes_all_the_way(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, name: str
) -> None:
    start = folder_of(name, base, tmp_path / "start")
    settings = recipe(epochs=3, lr=3e-3, precision="bf16")
    summary = train(start, rows, settings, CPU, tmp_path / "model", tmp_path / "work", 0)
    assert summary.final_loss < 0.9 * summary.first_loss
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    candidates = [row for row in encode(tokenizer, rows[:4], 96) if row.response_tokens]
    for checkpointed in (False, True):
        trainer = Trainer(device="cpu", activation_checkpointing=checkpointed)
        model = on_device(tmp_path / "model", trainer, 96, "bf16")
        norms = torch.zeros(len(candidates))
        with PerSampleGradients(model, ["*.o_proj"]) as gradients:
            losses = gradients.run(candidates, lambda _, first, values, n=norms: n.add_(values.square().sum(1)))
        assert losses.isfinite().all() and (norms > 0).all() and norms.isfinite().all()


def test_a_model_with_convolutions_is_trained_row_by_row_as_the_refusal_says(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    start = folder_of("Llama", base, tmp_path / "start")
    tiny_lfm2(SIZES["vocab_size"]).save_pretrained(start)
    with pytest.raises(UserError, match=r"packing=false .* with trainer.rows_per_device=1"):
        train(start, rows, recipe(), CPU, tmp_path / "packed", tmp_path / "work packed", 0)
    alone = dataclasses.replace(CPU, rows_per_device=1)
    summary = train(start, rows, recipe(packing=False, lr=3e-3), alone, tmp_path / "model", tmp_path / "work", 0)
    assert summary.final_loss < summary.first_loss


@pytest.mark.long
@pytest.mark.vllm
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_vllm_loads_what_training_saves(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vllm = pytest.importorskip("vllm")
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    start = folder_of(name, base, tmp_path / "start")
    train(start, rows[:8], recipe(precision="bf16"), CPU, tmp_path / "model", tmp_path / "work", 0)
    engine = vllm.LLM(str(tmp_path / "model"), enforce_eager=True, max_model_len=96)
    sampling = vllm.SamplingParams(max_tokens=4, temperature=0, ignore_eos=True)
    assert len(engine.generate([rows[0].prompt], sampling)[0].outputs[0].token_ids) == 4

"""The plan's formula against what a model really keeps, traced on tensors without data: no memory, any size."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
import yaml

from src.modeling import attention, memory
from src.modeling.attention import NAME, choose_kernel
from src.modeling.lowered import move_fewer_bytes
from src.modeling.shape import Shape
from src.modeling.sources import SmolLM2
from src.modeling.trainer import Trainer

TOKENS, LAYERS = 256, 2
MODELS = Path(__file__).parents[2] / "conf" / "model"
KINDS = {  # the architecture of every option file that states a shape, and the width of a head in its config.json
    "deepseekmath_7b_rl": ("Llama", 128),
    "gemma3_1b": ("Gemma3Text", 256),
    "llama32_1b": ("Llama", 64),
    "llama3_8b": ("Llama", 128),
    "mistral_7b": ("Mistral", 128),
    "mixtral_8x7b": ("Mixtral", 128),
    "open_llama_3b": ("Llama", 100),
    "qwen25_1500m": ("Qwen2", 128),
    "qwen25_500m": ("Qwen2", 64),
    "smollm2_135m": ("Llama", 64),
    "smollm2_1700m": ("Llama", 64),
    "smollm2_360m": ("Llama", 64),
}


def shapes() -> dict[str, Shape]:
    """Of the option files that state one, and of the packaged SmolLM2."""
    stated = {path.stem: yaml.safe_load(path.read_text()).get("shape") for path in MODELS.glob("*.yaml")}
    return {"smollm2_135m": SmolLM2().size(), **{name: Shape(**shape) for name, shape in stated.items() if shape}}


SHAPES = {name: dataclasses.replace(shape, layers=LAYERS) for name, shape in shapes().items()}


def test_every_stated_shape_is_traced() -> None:
    assert SHAPES.keys() == KINDS.keys()


class _Flash(torch.autograd.Function):
    """Keeps what a flash kernel keeps: queries, keys, values, and what comes out."""

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any) -> Any:
        out = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, out)
        return out.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise NotImplementedError


def model_of(name: str) -> Any:
    (kind, head), shape = KINDS[name], SHAPES[name]
    experts = {"num_local_experts": shape.experts, "num_experts_per_tok": shape.experts_used}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=(shape.query or shape.hidden) // head,
        num_key_value_heads=shape.kv // head,
        head_dim=head,
        tie_word_embeddings=shape.tied,
        **(experts if shape.experts > 1 else {}),
    )
    choose_kernel(config, "auto", 1)
    config._attn_implementation = NAME
    with torch.device("meta"):
        return getattr(transformers, f"{kind.removesuffix('Text')}ForCausalLM")(config).bfloat16().train()


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_a_layer_keeps_what_the_plan_says(name: str, checkpointing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "documents_attention", lambda m, q, k, v, *_, **__: (_Flash.apply(q, k, v), None))
    shape, model = SHAPES[name], model_of(name)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    weights = {p.untyped_storage()._cdata for p in model.parameters()}
    kept: dict[int, tuple[int, Any]] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights and tensor.numel() >= TOKENS * 64:
            kept[storage._cdata] = (storage.nbytes(), tensor)  # held, or its number would be given to another
        return tensor

    tokens = torch.zeros(1, TOKENS, dtype=torch.long, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(input_ids=tokens, position_ids=tokens, logits_to_keep=1, use_cache=False)
    traced = sum(size for size, _ in kept.values())
    planned = TOKENS * memory._kept_of_a_token(shape, Trainer(device="cuda", activation_checkpointing=checkpointing), 2)
    if checkpointing:  # the layer that is computed again is not there yet
        planned -= TOKENS * memory._kept_by_a_layer(shape, 2)
    assert planned == pytest.approx(traced, rel=0.15)
    monkeypatch.undo()
    choose_kernel(model.config, "auto", 1)  # the real one again
    matrices = {parameter: p.numel() for parameter, p in model.named_parameters() if p.ndim > 1}
    routers = sum(size for parameter, size in matrices.items() if size == shape.experts * shape.hidden)
    assert shape.parameters == sum(matrices.values()) - routers


def test_a_layer_keeps_what_the_plan_says_in_bfloat16_on_a_cpu() -> None:
    """There attention's part of short documents is in float32, and nothing is on meta tensors: autocast differs."""
    shape = Shape(576, LAYERS, 192, 1536, 512, tied=True)
    config = transformers.LlamaConfig(
        vocab_size=512,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=LAYERS,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )
    config._attn_implementation = choose_kernel(config, "auto", TOKENS)
    model = transformers.LlamaForCausalLM(config).train()
    move_fewer_bytes(model)
    weights = {p.untyped_storage()._cdata for p in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage()._cdata not in weights:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    tokens, half = torch.zeros(1, TOKENS, dtype=torch.long), TOKENS // 2
    positions = torch.arange(half).repeat(2)[None]
    documents = attention.Documents.of([half, half])
    with torch.autocast("cpu", torch.bfloat16), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(input_ids=tokens, position_ids=positions, logits_to_keep=1, use_cache=False, documents=documents)
    copies = sum(t.untyped_storage().nbytes() for t in kept.values() if not {TOKENS, half} & set(t.shape))
    traced = sum(t.untyped_storage().nbytes() for t in kept.values()) - copies
    assert traced == pytest.approx(TOKENS * memory._kept_of_a_token(shape, Trainer(device="cpu"), 2), rel=0.15)
    assert copies == pytest.approx(2 * shape.parameters, rel=0.05), "a lowered copy of every weight"

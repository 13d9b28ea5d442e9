"""The plan's formula against what a model really keeps, traced on tensors without data: no memory, any size."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
import yaml

from src.modeling import attention, loading, memory
from src.modeling.attention import NAME, choose_kernel
from src.modeling.lowered import move_fewer_bytes
from src.modeling.recipe import LoRA, Recipe
from src.modeling.shape import Shape
from src.modeling.sources import SmolLM2
from src.modeling.trainer import Trainer
from src.selection.influence import Influence
from src.selection.influence.gradients import PerSampleGradients
from src.selection.packed import Encoded, ResponseLoss
from tests.gpu import bench

TOKENS, LAYERS = 256, 2
ROOT = Path(__file__).parents[2]
MODELS = ROOT / "conf" / "model"
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


def model_of(name: str, shape: Shape) -> Any:
    kind, head = KINDS[name]
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
    shape, model = SHAPES[name], model_of(name, SHAPES[name])
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


DENSE = ("self_attn.o_proj", "mlp.down_proj")
ADAPTED = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")


def kept_for_per_sample_gradients(model: Any, layers: Sequence[str]) -> int:
    """Bytes that autograd keeps, and hooks on tracked layers, between the pass forward and the way back."""
    weights = {p.untyped_storage()._cdata for p in model.parameters()}
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights and tensor.numel() >= TOKENS * 64:
            kept[storage._cdata] = (storage.nbytes(), tensor)
        return tensor

    def listen(module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        note(inputs[0])

    rows = [Encoded(str(i), [3] * (TOKENS // 2), 8) for i in range(2)]
    with pytest.MonkeyPatch.context() as patch, PerSampleGradients(model, layers) as gradients:
        patch.setattr(torch.Tensor, "backward", lambda loss: None)  # what is kept for it stays
        if not model.is_gradient_checkpointing:  # else a layer's input is had again
            for layer in gradients.tracked_layers:
                layer.module.register_forward_hook(listen)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            gradients.run(rows, lambda *_: None)
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("way", ["dense", "adapters", "dense, checkpointed"])
@pytest.mark.parametrize("name", SHAPES)
def test_influence_keeps_what_the_plan_says(name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "documents_attention", lambda m, q, k, v, *_, **__: (_Flash.apply(q, k, v), None))
    monkeypatch.setattr(ResponseLoss, "_head_is_a_matrix", lambda self, inner: True)  # compares numbers
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # the weights are in bfloat16
    shape = dataclasses.replace(SHAPES[name], layers=8)  # nothing is kept before the first that is tracked
    model, card = model_of(name, shape), Trainer(device="cuda", activation_checkpointing=way.endswith("checkpointed"))
    names = [end for end in DENSE if end in memory.linear_layers(shape)]
    layers, tracked = (["*.lora_*"], ADAPTED) if way == "adapters" else ([f"*.{end}" for end in names], names)
    if way == "adapters":
        with torch.device("meta"):
            model = loading.add_lora(model, LoRA(rank=8), 0)
    if card.activation_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    planned = memory._kept_of_a_frozen_token(shape, card, 2, tracked)
    if card.activation_checkpointing:  # the layer that is computed again is not there yet
        planned -= memory._kept_by_a_frozen_layer(shape, 2, True, tracked)
    assert TOKENS * planned == pytest.approx(kept_for_per_sample_gradients(model, layers), rel=0.15)


@pytest.mark.parametrize("way", ["dense", "adapters"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_influence_keeps_what_the_plan_says_on_a_cpu(precision: str, way: str) -> None:
    shape = Shape(576, 8, 192, 1536, 512, tied=True)
    config = transformers.LlamaConfig(
        vocab_size=512,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=8,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )
    config._attn_implementation = choose_kernel(config, "auto", TOKENS)
    model: Any = transformers.LlamaForCausalLM(config)
    model = model.bfloat16() if precision == "bf16" else model
    layers, tracked = (["*.lora_*"], ADAPTED) if way == "adapters" else ([f"*.{end}" for end in DENSE], DENSE)
    model = loading.add_lora(model, LoRA(rank=8), 0) if way == "adapters" else model
    number = 2 if precision == "bf16" else 4
    planned = TOKENS * memory._kept_of_a_frozen_token(shape, Trainer(device="cpu"), number, tracked)
    assert planned == pytest.approx(kept_for_per_sample_gradients(model, layers), rel=0.15)


@pytest.mark.parametrize(("title", "again"), [("influence", False), ("influence, activations checkpointed", True)])
def test_influence_on_a_card_takes_what_was_measured(title: str, again: bool) -> None:
    """gpu.json: one H200, a Llama of 1.1 billion parameters, `o_proj` and `down_proj` in bfloat16, torch's own count,
    which knows no process and had no moments. Its 31 rows came to 7,244 tokens: the bench made most of them shorter
    than `lengths` says."""
    measured = json.loads((ROOT / "experiments" / "performance" / "gpu.json").read_text())[title]["peak GB"]
    shape, card = bench.BILLION.size(), Trainer(device="cuda", activation_checkpointing=again)
    tracked = [memory.linear_layers(shape)[name] for name in DENSE]
    moments = memory.MOMENTS * shape.layers * sum(a * b for a, b in tracked)
    planned = memory.gradient_bytes(shape, 7_244, "bf16", card, DENSE) - memory.STANDING - moments
    assert planned / 1e9 == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(
    ("layers", "lora", "tracked"),
    [
        (("*.o_proj", "*.mlp.down_proj"), None, DENSE),
        (("*.lora_*",), LoRA(rank=8), ADAPTED),
        (("*.q_proj.lora_B.*",), LoRA(rank=8), ("self_attn.q_proj",)),
    ],
)
def test_influence_plans_for_the_layers_that_its_patterns_match(
    layers: tuple[str, ...], lora: LoRA | None, tracked: Sequence[str]
) -> None:
    recipe, card, shape = Recipe(lr=1.0, sequence_length=64, lora=lora), Trainer(device="cuda"), bench.BILLION.size()
    selector = Influence(
        top_k=1,
        targets={"sums": SimpleNamespace(dev_examples=list)},
        warmup=recipe,
        layers=layers,
        batch_rows=512,
        dimension=1,
    )
    planned = memory.gradient_bytes(shape, 512 * 64, recipe.precision, card, tracked, lora.rank if lora else None)
    assert selector._gradient_bytes(shape, recipe.precision, card) == planned + 4 * 512

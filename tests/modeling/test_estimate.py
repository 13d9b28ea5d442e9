"""The paper's scale composes, binds and says what it would cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.config.build import build
from src.config.schema import register
from src.core.fingerprint import stage_key
from src.core.stage import Upstream
from src.modeling.estimate import tokens_read, training_cost
from src.modeling.flops import peak
from src.modeling.memory import WHOLE_LOGITS, training_bytes
from src.modeling.micro_batches import plan_micro_batches
from src.modeling.recipe import LoRA, Phase, Recipe
from src.modeling.shape import Shape
from src.modeling.sources import Pretrained, SmolLM2, TinyLlama
from src.modeling.trainer import Trainer
from src.stages.pretrain import Pretrain
from src.stages.synthesizer import Synthesizer

pytestmark = pytest.mark.slow

CONF = Path(__file__).parents[2] / "conf"


def paper(*overrides: str) -> dict[str, object]:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", ["scale=paper", *overrides])
    return OmegaConf.to_container(cfg, resolve=True)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("model", "hours", "memory"),
    [("mistral_7b", 572.6, 20.72), ("llama3_8b", 604.3, 23.88), ("mixtral_8x7b", 1027.0, 105.5)],
)
def test_the_papers_students_on_eight_cards(model: str, hours: float, memory: float) -> None:
    cfg = paper(f"model={model}")
    stage = build({"_target_": "src.stages.pretrain.Pretrain", **cfg["pretrain"], "trainer": cfg["trainer"]})  # type: ignore[dict-item]
    assert isinstance(stage, Pretrain)
    assert stage.estimate() == {
        "tokens": 6.03e9,
        "gb_per_device": pytest.approx(memory, rel=1e-2),
        "gpu_hours": pytest.approx(hours, rel=1e-3),
    }
    assert (
        str(plan_micro_batches(stage.recipe, stage.trainer, "cuda"))
        == "4 rows x 16 passes x 8 devices = 512 sequences a step"
    )
    assert (stage.trainer.strategy, stage.recipe.sequence_length) == ("fsdp", 2048)


def test_the_papers_synthesizer() -> None:
    cfg = paper()
    stage = build({"_target_": "src.stages.synthesizer.Synthesizer", **cfg["synthesizer"], "trainer": cfg["trainer"]})  # type: ignore[dict-item]
    assert isinstance(stage, Synthesizer)
    distil = Upstream(stage, 5300), Upstream(stage, 4000)
    cost = stage.expecting({"distil_1": distil[0], "distil_2": distil[1]}).estimate()
    assert cost["tokens"] == 5 * 9.3e6 and 4 < cost["gpu_hours"] < 5
    assert stage.expecting({"distil_1": distil[0]}).estimate()["tokens"] == 5 * 5.3e6
    assert "tokens" not in stage.expecting({"distil_1": distil[0], "distil_2": Upstream(stage, None)}).estimate()
    assert stage.expecting({}).estimate()["tokens"] == 0, "it hands the model on untaught"
    assert plan_micro_batches(stage.recipe, stage.trainer, "cuda").passes == 1


def test_guesses_are_no_part_of_a_key() -> None:
    def key(guess: float | None, shape: Shape | None) -> str:
        recipe = Recipe(lr=1.0)
        stage = Pretrain(Pretrained("a/b", shape=shape), recipe, Trainer(), expected_tokens=guess)
        return stage_key(stage, {"corpus": "x"})

    assert key(1e9, None) == key(None, Shape(8, 1, 8, 16, 100))


def test_how_many_tokens_are_read() -> None:
    assert tokens_read(Recipe(lr=1.0, epochs=3), 100) == 300
    assert tokens_read(Recipe(lr=1.0, max_tokens=50), 100) == 50
    assert tokens_read(Recipe(lr=1.0), None) is None
    assert tokens_read(Recipe(lr=1.0, epochs=None, phases=(Phase({"a": 1.0}, 5), Phase({"a": 1.0}, 6))), None) == 11
    assert tokens_read(Recipe(lr=1.0, epochs=9, max_steps=2, batch_sequences=3, sequence_length=10), 1e9) == 60


def test_a_cpu_has_no_gpu_hours_and_an_unknown_length_no_cost() -> None:
    assert training_cost(Pretrained("a/b"), Recipe(lr=1.0), Trainer(device="cpu"), 10) == {"tokens": 10}
    assert training_cost(Pretrained("a/b"), Recipe(lr=1.0), Trainer(device="cuda"), None) == {}
    assert training_cost(TinyLlama(), Recipe(lr=1.0), Trainer(device="cuda"), None).keys() == {"gb_per_device"}


def test_float32_takes_sixteen_times_the_hours_of_a_card() -> None:
    shape, cuda = Shape(576, 30, 192, 1536, 49152), Trainer(device="cuda")

    def hours(precision: str) -> float:
        recipe = Recipe(lr=1.0, precision=precision, lora=LoRA(8, 16))  # type: ignore[arg-type]
        return training_cost(Pretrained("a/b", shape=shape), recipe, cuda, 1e6)["gpu_hours"]

    assert hours("float32") == pytest.approx(16 * hours("bf16"))


def test_a_shape_has_the_parameters_of_its_model(base: Path) -> None:
    from src.modeling.loading import load_model
    from tests.modeling.tiny import TINY

    matrices = [p for p in load_model(base, "sdpa").parameters() if p.ndim == 2]
    assert TINY.size().parameters == TINY.size().working_parameters == sum(p.numel() for p in matrices)
    assert Shape.of_folder(base) == TINY.size()


QWEN3_30B_A3B = {
    "hidden_size": 2_048, "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
    "intermediate_size": 6_144, "vocab_size": 151_936, "num_experts": 128, "num_experts_per_tok": 8,
    "moe_intermediate_size": 768,
}  # fmt: skip
QWEN1_5_MOE_A2_7B = {
    "hidden_size": 2_048, "num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 16,
    "intermediate_size": 5_632, "vocab_size": 151_936, "num_experts": 60, "num_experts_per_tok": 4,
    "moe_intermediate_size": 1_408, "shared_expert_intermediate_size": 5_632,
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "billions", "working"), [(QWEN3_30B_A3B, 30.5, 3.04), (QWEN1_5_MOE_A2_7B, 14.3, 2.38)]
)
def test_all_experts_are_counted_whatever_a_configuration_calls_them(
    config: dict[str, Any], billions: float, working: float, tmp_path: Path
) -> None:
    """As their model cards have it, of 30.5 and 14.3 billion parameters; an input embedding works on no token."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape = Shape.of_folder(tmp_path)
    assert shape is not None and shape.parameters == pytest.approx(billions * 1e9, rel=5e-3)
    assert shape.working_parameters == pytest.approx(working * 1e9, rel=5e-3)


def test_no_number_of_key_heads_means_one_for_each_query(tmp_path: Path) -> None:
    heads = {name: n for name, n in QWEN1_5_MOE_A2_7B.items() if name != "num_key_value_heads"}
    (tmp_path / "config.json").write_text(json.dumps(heads | {"num_key_value_heads": None}))
    shape = Shape.of_folder(tmp_path)
    assert shape is not None and shape.kv == 2_048


@pytest.mark.parametrize(
    ("model", "billions", "working"),
    [("mistral_7b", 7.24, 7.11), ("llama3_8b", 8.03, 7.50), ("mixtral_8x7b", 46.70, 12.75)],
)
def test_the_shapes_of_the_papers_models(model: str, billions: float, working: float) -> None:
    shape = build(paper(f"model={model}")["model"]).size()  # type: ignore[arg-type]
    assert shape.parameters == pytest.approx(billions * 1e9, rel=1e-3)
    assert shape.working_parameters == pytest.approx(working * 1e9, rel=1e-3)


@pytest.mark.parametrize(
    ("size", "tokens", "precision", "gigabytes"),
    [
        (Shape(96, 4, 96, 256, 1024, tied=True), 2048, "fp32", 0.774),
        (Shape(96, 4, 96, 256, 1024, tied=True), 16384, "fp32", 1.497),
        (Shape(256, 4, 256, 704, 2048, tied=True), 8192, "fp32", 1.869),
        (SmolLM2().size(), 1024, "fp32", 4.357),
        (SmolLM2().size(), 2048, "bf16", 4.900),
    ],
)
def test_memory_is_what_was_measured(size: Shape, tokens: int, precision: Any, gigabytes: float) -> None:
    """Peaks of resident memory of whole trainings on a CPU: experiments/performance/training.md."""
    planned = training_bytes(size, tokens, Recipe(lr=1.0, precision=precision), Trainer(device="cpu")) / 1e9
    assert planned == pytest.approx(gigabytes, rel=0.15)


def test_what_saves_memory_is_reckoned_with() -> None:
    size, full, spread = SmolLM2().size(), Recipe(lr=1.0), Trainer(devices=8, strategy="fsdp")
    whole = training_bytes(size, 4096, full, Trainer())
    assert training_bytes(size, 4096, full, spread) < whole
    assert training_bytes(size, 4096, Recipe(lr=1.0, precision="bf16"), Trainer()) < whole
    assert training_bytes(size, 4096, full, Trainer(activation_checkpointing=True)) < whole
    assert training_bytes(size, 4096, Recipe(lr=1.0, lora=LoRA()), Trainer()) < whole


def test_a_compiled_model_holds_all_logits_at_once() -> None:
    """Its loss is not computed in chunks (`SelfTest`): themselves, their softmax and its gradient, in float32."""
    size, tokens = Shape(2048, 16, 512, 8192, 128256), 16_384
    chunked, whole = (
        training_bytes(size, tokens, Recipe(lr=1.0), Trainer(device="cuda", compile=compiled))
        for compiled in (False, True)
    )
    assert whole - chunked == 12 * (tokens * 128256 - WHOLE_LOGITS)


@pytest.mark.parametrize(("lora", "each"), [(None, 16), (LoRA(), 4)])
def test_an_offloaded_shard_takes_no_room_on_its_card(lora: LoRA | None, each: int) -> None:
    """Weights, gradients and moments in float32 wait on the host; of adapters' base only the weights would be here."""
    size, recipe = SmolLM2().size(), Recipe(lr=1.0, lora=lora)
    here, away = (
        training_bytes(size, 4096, recipe, Trainer(devices=8, strategy="fsdp", offload=off)) for off in (False, True)
    )
    assert here - away == pytest.approx(each * size.parameters / 8)


@pytest.mark.parametrize(
    ("card", "flops"), [("NVIDIA H200", 989e12), ("NVIDIA A100-SXM4-80GB", 312e12), ("NVIDIA H100 PCIe", 756e12)]
)
def test_the_peak_is_found_by_name(card: str, flops: float) -> None:
    assert peak(card) == flops
    assert peak("GeForce 256") is None

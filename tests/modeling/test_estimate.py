"""The paper's scale composes, binds and says what it would cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.config.build import build
from src.config.schema import register
from src.core.fingerprint import stage_key
from src.modeling.batch import deal
from src.modeling.estimate import tokens_read, training_cost
from src.modeling.flops import peak
from src.modeling.recipe import Phase, Recipe
from src.modeling.sources import Pretrained, TinyLlama
from src.modeling.trainer import Trainer
from src.stages.pretrain import Pretrain
from src.stages.synthesizer import Synthesizer

CONF = Path(__file__).parents[2] / "conf"


def paper(*overrides: str) -> dict[str, object]:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", ["scale=paper", *overrides])
    return OmegaConf.to_container(cfg, resolve=True)  # type: ignore[return-value]


@pytest.mark.parametrize(("model", "hours"), [("mistral_7b", 444.7), ("llama3_8b", 493.3), ("mixtral_8x7b", 792.4)])
def test_the_papers_students_on_eight_cards(model: str, hours: float) -> None:
    cfg = paper(f"model={model}")
    stage = build({"_target_": "src.stages.pretrain.Pretrain", **cfg["pretrain"], "trainer": cfg["trainer"]})  # type: ignore[dict-item]
    assert isinstance(stage, Pretrain)
    assert stage.estimate() == {"tokens": 4.6e9, "gpu_hours": pytest.approx(hours, rel=1e-3)}
    assert str(deal(stage.recipe, stage.trainer, "cuda")) == "4 rows x 16 passes x 8 devices = 512 sequences a step"
    assert (stage.trainer.strategy, stage.recipe.sequence_length) == ("fsdp", 2048)


def test_the_papers_synthesizer() -> None:
    cfg = paper()
    stage = build({"_target_": "src.stages.synthesizer.Synthesizer", **cfg["synthesizer"], "trainer": cfg["trainer"]})  # type: ignore[dict-item]
    assert isinstance(stage, Synthesizer)
    cost = stage.estimate()
    assert cost["tokens"] == 5 * 9.3e6 and 4 < cost["gpu_hours"] < 5
    assert deal(stage.recipe, stage.trainer, "cuda").passes == 1


def test_guesses_are_no_part_of_a_key() -> None:
    def key(guess: float | None, parameters: float | None) -> str:
        recipe = Recipe(lr=1.0)
        stage = Pretrain(Pretrained("a/b", parameters=parameters), recipe, Trainer(), expected_tokens=guess)
        return stage_key(stage, {"corpus": "x"})

    assert key(1e9, None) == key(None, 7e9)


def test_how_many_tokens_are_read() -> None:
    assert tokens_read(Recipe(lr=1.0, epochs=3), 100) == 300
    assert tokens_read(Recipe(lr=1.0, max_tokens=50), 100) == 50
    assert tokens_read(Recipe(lr=1.0), None) is None
    assert tokens_read(Recipe(lr=1.0, epochs=None, phases=(Phase({"a": 1.0}, 5), Phase({"a": 1.0}, 6))), None) == 11
    assert tokens_read(Recipe(lr=1.0, epochs=9, max_steps=2, batch_sequences=3, sequence_length=10), 1e9) == 60


def test_a_cpu_has_no_gpu_hours_and_an_unknown_length_no_cost() -> None:
    assert training_cost(TinyLlama(), Recipe(lr=1.0), Trainer(device="cpu"), 10) == {"tokens": 10}
    assert training_cost(TinyLlama(), Recipe(lr=1.0), Trainer(device="cuda"), None) == {}


def test_parameters_of_the_tiny_model(base: Path) -> None:
    from src.modeling.loading import load_model
    from tests.modeling.tiny import TINY

    matrices = [p for p in load_model(base, "sdpa").parameters() if p.ndim == 2]
    assert TINY.working_parameters() == sum(p.numel() for p in matrices)


@pytest.mark.parametrize(
    ("card", "flops"), [("NVIDIA H200", 989e12), ("NVIDIA A100-SXM4-80GB", 312e12), ("NVIDIA H100 PCIe", 756e12)]
)
def test_the_peak_is_found_by_name(card: str, flops: float) -> None:
    assert peak(card) == flops
    assert peak("GeForce 256") is None

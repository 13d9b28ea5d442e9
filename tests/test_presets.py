"""The presets of the paper's scale are the paper's numbers, and every preset's plan fits the cards that it names."""

import re
from pathlib import Path
from typing import Any

import pytest

from src.config.build import build
from src.config.mistakes import Mistakes
from src.config.overrides import CONF
from src.pipeline.graph import draw
from tests.pipeline.composed import composed, planned

pytestmark = pytest.mark.slow

FACTS = Path(__file__).resolve().parents[2] / "shared" / "PAPER.md"

PUBLISHED = {
    "round_1.calls": (5300, r"\*\*(5\.3k)\*\* randomly sampled texts"),
    "round_2.calls": (4000, r"\*\*(4k)\*\* of high"),
    "prompt_set.chars": (1000, r"cut to\s+([\d,]+) characters \(2,000 for tool prompts"),
    "prompt_set.tool_chars": (2000, r"\(([\d,]+) for tool prompts"),
    "synthesizer.recipe.lr": (1e-5, r"lr (1e-5) cosine"),
    "synthesizer.recipe.schedule.warmup": (0, None),
    "synthesizer.recipe.weight_decay": (0.1, r"weight decay (0\.1)"),
    "synthesizer.recipe.epochs": (5, r"(\d) epochs,\s+batch 32"),
    "synthesizer.recipe.batch_sequences": (32, r"batch (32), length 2048"),
    "synthesizer.recipe.sequence_length": (2048, r"batch 32, length (2048)"),
    "generate.sampling.cot.temperature": (1.0, r"NL at temperature (1\.0)"),
    "generate.sampling.cot.max_tokens": (2500, r"up to\s+([\d,]+) new tokens"),
    "generate.sampling.tool.temperature": (0.1, r"tool at temperature (0\.1)"),
    "generate.sampling.tool.top_p": (0.95, r"top-p (0\.95)"),
    "generate.sampling.tool.max_tokens": (5000, r"top-p 0\.95, up to ([\d,]+)"),
    "pretrain.recipe.lr": (1e-5, r"batch 512 sequences; lr (1e-5)"),
    "pretrain.recipe.batch_sequences": (512, r"batch (512) sequences"),
    "pretrain.recipe.sequence_length": (2048, r"packed to ([\d,]+) tokens"),
    "pretrain.recipe.schedule.warmup": (0.03, r"schedule: (3 %) warm-up"),
    "pretrain.recipe.schedule.stable_until": (0.85, r"stable until (85 %)"),
    "pretrain.recipe.schedule.floor": (0.1, r"decay to (10 %) of the peak"),
    "pretrain.recipe.weight_decay": (0, None),
    "pretrain.recipe.epochs": (1, None),
    "selector.warmup.lora.rank": (128, r"LoRA r=(128)"),
    "selector.warmup.lora.alpha": (512, r"alpha=(512)"),
    "selector.warmup.lora.dropout": (0.1, r"dropout (0\.1) on q/k/v/o"),
    "selector.warmup.epochs": (4, r"5 % of the data, (4) epochs"),
    "selector.warmup.lr": (2e-5, r"lr (2e-5) linear"),
    "selector.warmup.schedule.warmup": (0.03, r"linear with (3 %) warm-up"),
    "selector.warmup.batch_sequences": (32, r"warm-up, batch (32); one"),
    "selector.warmup_fraction": (0.05, r"(5 %) of the data, 4 epochs"),
    "selector.dimension": (8192, r"projection to d=(8192)"),
}
NAMES = {
    "model.name": "mistralai/Mistral-7B-v0.1",
    "synthesizer.model.name": "deepseek-ai/deepseek-math-7b-rl",
    "sft.name": "ToheartZhang/JiuZhang3.0-Corpus-SFT",
    "select.model.name": "mistralai/Mistral-7B-v0.1",
    "selector.direction": "adam",
    "selector.target_direction": "sgd",
    "clean.decontamination.ngram": 13,
}


def at(cfg: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        cfg = cfg[name]
    return cfg


def number(text: str) -> float:
    """ "5.3k", "4.6B", "2,500", "85 %" as numbers."""
    text = text.replace(",", "")
    units = {"k": 1e3, "B": 1e9, " %": 0.01}
    for unit, factor in units.items():
        if text.endswith(unit):
            return round(float(text.removesuffix(unit)) * factor, 9)
    return float(text)


def test_the_papers_scale_has_the_papers_numbers() -> None:
    cfg = composed("scale=paper")
    assert {path: at(cfg, path) for path in PUBLISHED} == {path: value for path, (value, _) in PUBLISHED.items()}
    assert {path: at(cfg, path) for path in NAMES} == NAMES
    assert cfg["round_1"]["calls"] + cfg["round_2"]["calls"] == 9300
    assert at(cfg, "pretrain.expected_tokens") == 4.6e9 + 2.86e6 * 500, "the corpus, then the fine-tuning set"
    assert list(cfg["selector"]["targets"]) == ["gsm8k", "math"]
    assert all(target["dev_split"] == "train" for target in cfg["selector"]["targets"].values())
    assert set(cfg["prompt_set"]["stages"].values()) == {1}, "a stage drawn uniformly"


def test_the_numbers_are_those_of_the_collected_facts() -> None:
    if not FACTS.exists():
        pytest.skip(f"no collection of the paper's facts at {FACTS}")
    text = re.sub(r"\s+", " ", FACTS.read_text())
    for path, (value, pattern) in PUBLISHED.items():
        if pattern:
            found = re.search(pattern.replace(r"\s+", " "), text)
            assert found, f"{path}: the facts no longer say {pattern}"
            assert number(found[1]) == value, path


CARDS = {
    "scale=paper": 80, "scale=node": 80, "scale=single_gpu": 24,
    "scale=paper model=llama3_8b": 80, "scale=single_gpu model=qwen25_1500m": 80,
    **{f"+experiment={path.stem}": 80 for path in sorted((CONF / "experiment").glob("jiuzhang3_*.yaml"))},
}  # fmt: skip


@pytest.mark.parametrize("words", CARDS)
def test_every_stage_fits_its_card(words: str) -> None:
    stages = planned(draw(composed(*words.split()), Mistakes()).nodes)
    costs = {name: stage.estimate() for name, stage in stages.items()}
    memory = {name: cost["gb_per_device"] for name, cost in costs.items() if "gb_per_device" in cost}
    trained = {"synthesizer_1", "select", "synthesizer_2", "pretrain"}
    assert memory.keys() >= trained | {"evaluate_base", "candidates", "generate", "evaluate"}
    assert max(memory.values()) < CARDS[words] * 0.95, memory
    for name in trained:
        assert memory[name] > 3 and costs[name]["gpu_hours"] > 0, name


@pytest.mark.parametrize("scale", ["paper", "node", "single_gpu"])
def test_every_stage_that_needs_a_card_says_for_how_long(scale: str) -> None:
    stages = planned(draw(composed(f"scale={scale}"), Mistakes()).nodes)
    hours = {name: stage.estimate().get("gpu_hours", 0) for name, stage in stages.items() if stage.heavy}
    assert all(value > 0 for name, value in hours.items() if not name.startswith(("distill", "evaluate"))), hours


def test_a_day_on_one_card() -> None:
    stages = planned(draw(composed("scale=single_gpu"), Mistakes()).nodes)
    costs = [stage.estimate() for stage in stages.values()]
    assert sum(cost.get("gpu_hours", 0) for cost in costs) < 24
    assert 0 < sum(cost.get("dollars", 0) for cost in costs) < 20


PUBLISHED_SIZES = {
    "smollm2_360m": 0.362, "smollm2_1700m": 1.71, "qwen25_500m": 0.494, "qwen25_1500m": 1.54,
    "qwen25_math_1500m": 1.54, "llama32_1b": 1.236, "gemma3_1b": 1.0, "mistral_7b": 7.24, "llama3_8b": 8.03,
}  # fmt: skip


@pytest.mark.parametrize("model", PUBLISHED_SIZES)
def test_the_shapes_of_the_presets_have_the_published_sizes(model: str) -> None:
    shape = build(composed(f"model={model}")["model"]).size()
    assert shape.parameters == pytest.approx(PUBLISHED_SIZES[model] * 1e9, rel=5e-3)


@pytest.mark.parametrize(
    ("words", "rate", "precision"),
    [
        ("model=base_1m", 1e-3, "float32"),
        ("model=smollm2_135m", 2e-4, "bf16"),
        ("model=hf model.name=x", 2e-5, "bf16"),
        ("model=qwen25_500m", 2e-5, "bf16"),
        ("model=qwen25_500m method=puzzle", 2e-5, "bf16"),
    ],
)
def test_a_model_brings_the_recipes_that_fit_it(words: str, rate: float, precision: str) -> None:
    cfg = composed(*words.split())
    sections = ("pretrain.recipe", "synthesizer.recipe", "reward.recipe", "selector.warmup")
    for recipe in (at(cfg, name) for name in sections):
        assert rate <= recipe["lr"] <= 3 * rate
        assert recipe.get("precision", "float32") == precision
    assert (
        at(composed(*words.split(), "recipe@pretrain.recipe=small_pretrain"), "pretrain.recipe.batch_sequences") == 128
    )

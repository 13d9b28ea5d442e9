from pathlib import Path
from string import Template

import pytest

from src.config import resolvers

MODELS = Path(__file__).parents[2] / "conf" / "model"


@pytest.mark.parametrize(("has_vllm", "other"), [(True, "vllm"), (False, "transformers")])
def test_the_smallest_models_write_with_transformers_and_others_with_vllm_where_it_is(monkeypatch, has_vllm, other):
    monkeypatch.setattr(resolvers, "find_spec", lambda name: object() if has_vllm else None)
    assert {resolvers.writer(model, "tiny") for model in resolvers.SMALLEST} == {"transformers"}
    assert resolvers.writer("smollm2_135m", "tiny") == resolvers.writer("base_1m", "deepseekmath_7b") == other


def test_the_smallest_models_are_options():
    assert {f"{model}.yaml" for model in resolvers.SMALLEST} <= {path.name for path in MODELS.iterdir()}


def test_a_model_of_unknown_size_is_taken_for_a_large_one():
    choices = ("smallest", "smollm2", "other")
    found = {model: resolvers.recipe(model, *choices) for model in ("tiny", "smollm2_135m", "smollm2_360m", "hf")}
    assert list(found.values()) == ["smallest", "smollm2", "other", "other"]


def test_the_options_of_a_help_text_show_an_interpolation_as_it_is_written():
    assert "  seed=${data_seed} " in Template(resolvers.single_options("evaluate")).substitute()

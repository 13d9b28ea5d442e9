import pytest

from src.core.errors import UserError
from tests.generation.tiny import write_reward_model, write_tiny_llama
from tests.pipeline.composed import composed, nodes_of

pytestmark = pytest.mark.slow


def test_a_decoding_that_names_no_reward_model_has_one_trained(tmp_path):
    nodes = nodes_of(composed("method=direct", "decoding=levin"))
    assert list(nodes)[-4:] == ["pretrain", "steps", "reward", "evaluate"]
    assert set(nodes["reward"].inputs) == {"steps", "pretrain"} and "reward" in nodes["evaluate"].inputs
    model = write_reward_model(tmp_path / "model")
    named = nodes_of(composed("method=direct", "decoding=levin", f"decoding.reward={model}"))
    assert "reward" not in named and "reward" not in named["evaluate"].inputs


def test_a_decoding_changes_nothing_before_the_evaluation():
    plain, voted = (nodes_of(composed("method=direct", f"decoding={name}")) for name in ("sample", "majority"))
    assert {name for name, node in plain.items() if node.key != voted[name].key} == {"evaluate"}


def test_a_reward_model_alone_learns_from_the_model_that_is_named(tmp_path):
    model = write_tiny_llama(tmp_path / "model")
    nodes = nodes_of(composed("method=reward", "model=hf", f"model.name={model}"))
    assert list(nodes) == ["steps", "reward"]
    assert nodes["steps"].stage.names == ("procedural_seen",)
    assert nodes["reward"].stage.model.name == model


@pytest.mark.parametrize(
    ("words", "names"),
    [([], ("procedural_seen",)), (["benchmark=[rg_countdown]"], None), (["primary=null"], None)],
)
def test_steps_are_of_the_primary_benchmarks_that_are_asked(tmp_path, words, names):
    model = write_tiny_llama(tmp_path / "model")
    nodes = nodes_of(composed("method=reward", "model=hf", f"model.name={model}", *words))
    assert nodes["steps"].stage.names == names


def test_steps_of_no_benchmark_are_told_with_those_there_are(tmp_path):
    model = write_tiny_llama(tmp_path / "model")
    with pytest.raises(UserError, match=r"steps.names: names must be of the benchmarks procedural_seen, .*, not lost"):
        nodes_of(composed("method=reward", "model=hf", f"model.name={model}", "steps.names=[lost]"))


def test_without_a_benchmark_there_are_no_steps(tmp_path):
    model = write_tiny_llama(tmp_path / "model")
    with pytest.raises(UserError, match="must name at least one benchmark to take questions from"):
        nodes_of(composed("method=reward", "model=hf", f"model.name={model}", "benchmark=[]"))

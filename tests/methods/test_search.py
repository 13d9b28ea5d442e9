import pytest

from src.core.errors import UserError
from tests.generation.tiny import write_tiny_llama
from tests.pipeline.composed import composed, nodes_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    model = write_tiny_llama(tmp_path_factory.mktemp("search") / "model")
    return "method=search", "model=hf", f"model.name={model}"


def test_a_model_that_is_there_is_examined_and_its_reward_model_trained(words):
    nodes = nodes_of(composed(*words, "decoding=levin"))
    assert list(nodes) == ["steps", "reward", "evaluate"]
    assert set(nodes["evaluate"].inputs) == {"reward"}
    assert nodes["evaluate"].stage.model == nodes["steps"].stage.model


def test_a_decoding_that_asks_no_reward_model_has_none_trained(words):
    assert list(nodes_of(composed(*words, "decoding=majority"))) == ["evaluate"]


def test_all_decodings_share_the_steps_and_the_reward_model(words):
    beam, best = (nodes_of(composed(*words, f"decoding={name}")) for name in ("beam", "best_of_n"))
    assert beam["reward"].key == best["reward"].key and beam["evaluate"].key != best["evaluate"].key


@pytest.mark.parametrize("words", [("method=reward",), ("method=search",), ("method=search", "decoding=majority")])
def test_a_model_that_no_run_has_made_yet_is_a_mistake(words):
    with pytest.raises(UserError, match="model: is one that a run makes; name one that is there: model=hf"):
        nodes_of(composed(*words, "model=tiny"))

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.config import resolvers, schema
from src.config.mistakes import Mistakes
from src.config.overrides import CONF
from src.core.errors import UserError
from src.pipeline.graph import StageBuilder, method

SAMPLING = {"cot": {}, "tool": {}}


@pytest.mark.parametrize(
    ("calls", "words"), [(0, "round_1.calls: calls must be"), ("x", "round_1.calls: 'x' does not")]
)
def test_a_mistake_stands_under_the_section_that_the_user_wrote(calls, words):
    mistakes = Mistakes()
    cfg = {
        "distil": {"sampling": SAMPLING},
        "round_1": {"calls": calls},
        "teacher": {"_target_": "src.generation.procedural.generator.ProceduralGenerator"},
    }
    StageBuilder(cfg, mistakes)("distil.Distil", "distil", "round_1", teacher="teacher")
    (mistake,) = mistakes
    assert mistake.startswith(words)


@pytest.fixture(scope="module")
def config():
    schema.register()
    resolvers.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(compose("config"), resolve=True)


@pytest.mark.parametrize(
    ("rounds", "between"),
    [
        (0, ["synthesizer_0"]),
        (1, ["distill_1", "synthesizer_1"]),
        (2, ["distill_1", "synthesizer_1", "candidates", "select", "distill_2", "synthesizer_2"]),
    ],
)
def test_rounds_of_distillation(config, rounds, between):
    nodes = {node.name: node for node in method({**config, "rounds": rounds}, Mistakes())}
    assert list(nodes) == ["corpus", "prompts", *between, "generate", "clean", "pretrain", "evaluate"]
    assert nodes["generate"].inputs["synthesizer"] is nodes[between[-1]]
    taught = [nodes[name] for name in between if name.startswith("distill_")]
    assert [nodes["clean"].inputs[f"distilled_{n}"] for n in range(1, rounds + 1)] == taught
    assert nodes["clean"].stage.beside == nodes["pretrain"].stage.sft  # neither's questions are asked again
    assert {source.name for node in nodes.values() for source in node.inputs.values()} <= nodes.keys()


def test_other_numbers_of_rounds_are_a_mistake(config):
    with pytest.raises(UserError, match="rounds: the teacher is asked in 0, 1 or 2 rounds, not 3"):
        method({**config, "rounds": 3}, Mistakes())

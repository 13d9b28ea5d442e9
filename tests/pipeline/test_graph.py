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
        (0, ["base", "evaluate_base", "synthesizer_0"]),
        (1, ["distill_1", "base", "evaluate_base", "synthesizer_1"]),
        (
            2,
            [
                *("distill_1", "base", "evaluate_base", "synthesizer_1"),
                *("candidates", "select", "distill_2", "synthesizer_2"),
            ],
        ),
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


def test_a_model_that_is_made_here_has_read_something_first(config):
    nodes = {node.name: node for node in method(config, Mistakes())}
    begins = [name for name, node in nodes.items() if node.inputs.get("base") is nodes["base"]]
    assert begins == ["evaluate_base", "synthesizer_1", "synthesizer_2", "pretrain"]
    assert nodes["evaluate"].inputs["baseline"] is nodes["evaluate_base"]


def test_a_writer_of_another_size_has_a_base_of_its_own(config):
    small = {**config["synthesizer"]["model"], "layers": 2}
    nodes = {
        n.name: n for n in method({**config, "synthesizer": {**config["synthesizer"], "model": small}}, Mistakes())
    }
    assert nodes["synthesizer_2"].inputs["base"] is nodes["writer_base"] != nodes["base"]
    assert nodes["pretrain"].inputs["base"] is nodes["base"]


def test_a_model_that_comes_trained_needs_no_base(config, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    trained = {"_target_": "src.modeling.sources.Pretrained", "name": str(tmp_path)}
    parts = {name: {**config[name], "model": trained} for name in ("synthesizer", "pretrain")}
    nodes = {node.name: node for node in method({**config, **parts}, Mistakes())}
    assert not any("base" in node.inputs for node in nodes.values())
    assert list(nodes)[2:5] == ["distill_1", "evaluate_base", "synthesizer_1"]
    parts["evaluate"] = {**config["evaluate"], "baseline": False}
    assert not any(node.name == "evaluate_base" for node in method({**config, **parts}, Mistakes()))

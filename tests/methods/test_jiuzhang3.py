import pytest

from src.config.mistakes import Mistakes
from src.pipeline.graph import draw
from tests.pipeline.composed import composed, nodes_of


@pytest.fixture(scope="module")
def config():
    return composed("model=tiny")  # made in the run, so that it has a base


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
    nodes = nodes_of({**config, "rounds": rounds})
    assert list(nodes) == ["corpus", "prompts", *between, "generate", "clean", "pretrain", "evaluate"]
    assert nodes["generate"].inputs["synthesizer"] is nodes[between[-1]]
    taught = [nodes[name] for name in between if name.startswith("distill_")]
    assert [nodes["clean"].inputs[f"distilled_{n}"] for n in range(1, rounds + 1)] == taught
    assert nodes["clean"].stage.beside == nodes["pretrain"].stage.sft  # neither's questions are asked again
    assert {source.name for node in nodes.values() for source in node.inputs.values()} <= nodes.keys()


def test_the_corpus_is_written_from_the_pool_or_from_what_was_chosen(config):
    assert nodes_of(config)["generate"].inputs["prompts"].name == "prompts"
    assert nodes_of({**config, "corpus_from": "chosen"})["generate"].inputs["prompts"].name == "select"
    mistakes = Mistakes()
    draw({**config, "rounds": 1, "corpus_from": "chosen"}, mistakes)
    assert mistakes == ["corpus_from: must be one of pool, not chosen"]


def test_a_model_that_is_made_here_has_read_something_first(config):
    nodes = nodes_of(config)
    begins = [name for name, node in nodes.items() if node.inputs.get("base") is nodes["base"]]
    assert begins == ["evaluate_base", "synthesizer_1", "synthesizer_2", "pretrain"]
    assert nodes["evaluate"].inputs["baseline"] is nodes["evaluate_base"]


def test_a_writer_of_another_size_has_a_base_of_its_own(config):
    small = {**config["synthesizer"]["model"], "layers": 2}
    nodes = nodes_of({**config, "synthesizer": {**config["synthesizer"], "model": small}})
    assert nodes["synthesizer_2"].inputs["base"] is nodes["writer_base"] != nodes["base"]
    assert nodes["pretrain"].inputs["base"] is nodes["base"]


def test_a_model_that_comes_trained_needs_no_base(config, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    trained = {"_target_": "src.modeling.sources.Pretrained", "name": str(tmp_path)}
    parts = {name: {**config[name], "model": trained} for name in ("synthesizer", "pretrain")}
    nodes = nodes_of({**config, **parts})
    assert not any("base" in node.inputs for node in nodes.values())
    assert list(nodes)[2:5] == ["distill_1", "evaluate_base", "synthesizer_1"]
    assert list(nodes) == list(nodes_of(composed()))  # the shipped base is such a model
    parts["evaluate"] = {**config["evaluate"], "baseline": False}
    assert "evaluate_base" not in nodes_of({**config, **parts})

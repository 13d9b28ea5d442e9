import pytest

from src.config.mistakes import Mistakes
from src.pipeline.sections import check_sections

CONFIG = {
    "seed": 0,
    "corpus": {"files": "x"},
    "teacher": {"model": "${model.name}"},
    "model": {"name": "m"},
    "own": {"n": 1},
}


def told(read, *overrides, **further):
    mistakes = Mistakes()
    check_sections("mine", {**CONFIG, **further}, {"seed", "own", *read}, overrides, mistakes)
    return list(mistakes)


def test_what_a_method_reads_may_be_set():
    assert told({"corpus", "teacher"}, "corpus=jsonl", "generator@teacher=openai", "own.n=2", "seed=1") == []
    assert told({"corpus", "teacher"}, "model.name=x") == []  # the teacher refers to it
    assert told({"corpus"}, "+experiment=x", "scale=paper", "hydra.run.dir=y") == []


@pytest.mark.parametrize("override", ["model=tiny", "model.name=x", "~model.name", "recipe@model.recipe=tiny"])
def test_what_it_does_not_read_may_not(override):
    assert told({"corpus"}, override) == [
        "model: the method mine does not use it; take it away, or choose another method"
    ]


def test_where_stages_bring_their_own_the_place_is_told():
    (line,) = told({"pretrain"}, "model=tiny", pretrain={"model": {"name": "m"}})
    assert line.endswith("use it here, for what reads one brings its own; write model@pretrain.model=...")


def test_a_stage_alone_is_called_a_stage():
    mistakes = Mistakes()
    check_sections("mine", CONFIG, {"seed", "own"}, ["model=tiny"], mistakes, "stage")
    assert mistakes == ["model: the stage mine does not use it; take it away, or choose another stage"]


def test_a_section_of_no_run_and_no_method_is_a_mistake():
    assert told({"corpus"}, sed=1) == ["sed: the method mine has no such option; did you mean 'seed'?"]
    (line,) = told({"corpus"}, rounds=2)
    assert line.startswith("rounds: the method mine has no such option")


def test_what_a_decoding_has_itself_is_not_set_for_the_evaluation():
    own = {"evaluate": {}, "decoding": {"samples": 16, "temperature": None}}
    (line,) = told({"evaluate", "decoding"}, "++evaluate.samples=4", "++evaluate.temperature=0.5", **own)
    assert line == "evaluate.samples=4: the decoding has its own, 16; write decoding.samples=4"
    assert told({"evaluate", "decoding"}, "evaluate.samples=16", **own) == []
    own = {"evaluate": {}, "decoding": {"samples": "${evaluate.samples}", "temperature": 0.7}}
    assert told({"evaluate", "decoding"}, "evaluate.samples=4", "evaluate.temperature=0.70", **own) == []

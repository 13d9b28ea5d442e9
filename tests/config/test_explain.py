import re
from dataclasses import dataclass

import pytest
from omegaconf import OmegaConf

from src.config.explain import _options_with, comment_of, explain, lines_of_single_options, meanings
from src.config.overrides import CONF
from src.core.errors import UserError
from src.modeling.trainer import Trainer
from src.stages.distil import Distil

CONFIG = {
    "trainer": {"_target_": "src.modeling.trainer.Trainer", "devices": 2},
    "distil": {"sampling": {"cot": {"max_tokens": 9}}},
    "plan": False,
}
FEEDS = {"distil": [Distil]}


def lines(name):
    return "\n".join(explain(name, CONFIG, FEEDS))


@dataclass
class Toy:
    """A toy.

    size: in centimetres, of the
        longest side. weight, height: two numbers.
    """

    size: int = 1
    weight: float = 2.0
    height: float = 3.0
    colour: str = "red"


def test_meanings_are_read_from_the_docstring():
    both = dict.fromkeys(("weight", "height"), "two numbers.")
    assert meanings(Toy) == {"size": "in centimetres, of the longest side.", **both}
    assert (
        meanings(Trainer)["threads"]
        == "of torch on a CPU; null: one for a model of a few million parameters, else torch's own choice."
    )


def test_an_option_that_no_file_mentions_is_described():
    assert lines("trainer.threads").splitlines()[1:] == [
        "  trainer.threads  int|null  = null",
        "      of torch on a CPU; null: one for a model of a few million parameters, else torch's own choice.",
    ]


def test_a_group_lists_its_choices_and_every_field():
    text = lines("trainer")
    assert "trainer=..." in text and "  gpu  " in text
    assert "trainer.devices  int  = 1  (chosen: 2)" in text and "trainer.device  auto|cpu|cuda  = auto" in text


def test_a_section_is_described_by_the_stage_that_it_feeds():
    assert "distil.pilot  int|null  = null" in lines("distil")
    assert "distil.sampling.cot.max_tokens  int  = 512  (chosen: 9)" in lines("distil.sampling.cot")


def test_a_choice_is_told_by_the_whole_of_its_comment(tmp_path):
    (tmp_path / "x.yaml").write_text("# @package _global_\n# First, and\n# second.\nkey: 1 # third\n# fourth\n")
    assert comment_of(tmp_path / "x.yaml") == "First, and second."


@dataclass
class Ends:
    """Where an answer ends. end: a text."""

    end: str = "\n"


def test_a_default_is_shown_as_it_is_typed():
    assert '  ends.end  str  = "\\n"' in list(explain("ends", {"ends": {}}, {"ends": [Ends]}))


def test_an_option_of_another_choice_is_told_with_that_choice():
    config = {"teacher": {"_target_": "src.generation.procedural.generator.ProceduralGenerator"}}
    with pytest.raises(UserError) as error:
        list(explain("teacher.budget", config, {}, {"teacher": "generator@teacher"}))
    assert "openai, " in error.value.mend and "--help generator@teacher=anthropic teacher.budget" in error.value.mend


def test_a_choice_that_is_built_on_a_table_has_the_table_s_fields():
    assert "asdiv" in _options_with("benchmark", "answer_type")


@pytest.mark.parametrize(("name", "near"), [("trainer.thread", "'threads'"), ("trainr", "'trainer'")])
def test_a_wrong_name_is_told_with_the_right_one(name, near):
    with pytest.raises(UserError, match=f"did you mean {near}"):
        lines(name)


@pytest.mark.parametrize(("name", "way"), [("kpdds", "method=kpdds"), ("rocq", "checker=rocq")])
def test_an_option_without_its_group_is_told_with_it(name, way):
    with pytest.raises(UserError, match=rf"{name} is an option of {way.partition('=')[0]}") as told:
        lines(name)
    assert f"--help {way}" in str(told.value)


def test_an_option_that_fills_places_is_told_as_it_is_chosen():
    with pytest.raises(UserError) as told:
        list(explain("procedural_corner", CONFIG, FEEDS, {"teacher": "generator@teacher", "corpus": "corpus"}))
    assert told.value.mend == "It is described by --help generator@teacher=procedural_corner."


def test_an_option_without_its_section_is_told_with_it():
    with pytest.raises(UserError) as told:
        lines("threads")
    assert told.value.mend == "Type --help trainer.threads"
    assert "trainer.threads" in lines("trainer.threads")


def test_what_a_single_option_of_the_method_means_is_told():
    config = {"method": "src.methods.prover.prover", "translator": "families"}
    (head, *rest) = explain("translator", config, {})
    assert head == "translator = families"
    assert "prover: the model" in " ".join(rest)


def test_an_option_of_what_is_not_chosen_is_told_with_those_that_have_it():
    with pytest.raises(UserError) as told:
        list(explain("budget.max_dollars", CONFIG, FEEDS, {"teacher": "generator@teacher", "corpus": "corpus"}))
    assert "  generator: anthropic, azure, " in str(told.value)
    assert "--help generator@teacher=anthropic teacher.budget.max_dollars" in told.value.mend


def test_the_help_of_an_evaluation_lists_its_options_with_their_meanings():
    told = "\n".join(lines_of_single_options("evaluate"))
    assert "  every=null            only each n-th question of every benchmark" in told
    named = {line.partition("=")[0].strip() for line in told.splitlines() if re.match(r"  \w+=", line)}
    file = OmegaConf.load(CONF / "evaluate.yaml")
    assert named == set(file) - {"defaults", "hydra"}

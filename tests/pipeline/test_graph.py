import pytest

from src.config.mistakes import Mistakes
from src.core.errors import UserError
from src.pipeline.graph import Graph
from src.stages.distil import Distil
from tests.pipeline.toys import Count

SAMPLING = {"cot": {}, "tool": {}}


@pytest.mark.parametrize(
    ("calls", "words"), [(0, "round_1.calls: calls must be"), ("x", "round_1.calls: 'x' does not")]
)
def test_a_mistake_stands_under_the_section_that_the_user_wrote(calls, words):
    cfg = {
        "distil": {"sampling": SAMPLING},
        "round_1": {"calls": calls},
        "teacher": {"_target_": "src.generation.procedural.generator.ProceduralGenerator"},
    }
    graph = Graph(cfg, Mistakes())
    for name in ("one", "two"):  # however many nodes are made of it, it is told once
        graph.add(name, graph.stage(Distil, "distil", "round_1", teacher="teacher"))
    (mistake,) = graph.mistakes
    assert mistake.startswith(words)


def test_an_option_that_is_set_elsewhere_is_refused_in_the_section_that_would_lose_it():
    teacher = {"_target_": "src.generation.procedural.generator.ProceduralGenerator"}
    cfg = {"distil": {"sampling": SAMPLING, "calls": 1, "teacher": {"model": "x"}}, "teacher": teacher}
    graph = Graph(cfg, Mistakes())
    for _ in range(2):
        graph.stage(Distil, "distil", teacher="teacher")
    assert graph.mistakes == ["distil.teacher: this is set elsewhere; write teacher instead"]


def test_a_node_behind_a_broken_one_is_checked_all_the_same():
    graph = Graph({"one": {"rows": "x"}, "two": {"row": 1, "rows": 2}}, Mistakes())
    first = graph.add("first", graph.stage(Count, "one"))
    second = graph.add("second", graph.stage(Count, "two"), passages=first)
    assert [mistake.split(":")[0] for mistake in graph.mistakes] == ["one.rows", "two.row"]
    assert first.key == second.key == ""


def test_an_input_that_is_not_there_feeds_nothing():
    graph = Graph({"one": {"rows": 1}, "two": {"rows": 2}}, Mistakes())
    first = graph.add("first", graph.stage(Count, "one"), base=None)
    assert first.inputs == {}
    assert graph.add("second", graph.stage(Count, "two"), base=None, passages=first).inputs == {"passages": first}


def test_a_stage_with_the_same_options_and_inputs_is_one_node():
    graph = Graph({"one": {"rows": 1}, "two": {"rows": 1}}, Mistakes())
    first = graph.add("first", graph.stage(Count, "one"))
    assert graph.add("second", graph.stage(Count, "two")) is first
    assert list(graph.nodes) == ["first"]
    assert graph.sections == {"one", "two"}


def test_a_method_names_the_values_that_its_own_option_may_have():
    graph = Graph({"rounds": 3}, Mistakes())
    assert graph.option("rounds", (0, 1, 2)) == 3
    with pytest.raises(UserError, match="rounds: must be one of 0, 1, 2, not 3"):
        graph.mistakes.raise_if_any("Mend it.")

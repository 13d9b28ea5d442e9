import pytest

from tests.pipeline.composed import composed, nodes_of


@pytest.fixture(scope="module")
def nodes():
    return nodes_of(composed("method=direct"))


def test_the_teachers_problems_are_cleaned_and_read_without_a_synthesizer(nodes):
    assert list(nodes) == ["corpus", "prompts", "distil", "clean", "base", "evaluate_base", "pretrain", "evaluate"]
    assert nodes["clean"].inputs == {"passages": nodes["corpus"], "generations": nodes["distil"]}
    assert nodes["pretrain"].inputs == {"base": nodes["base"], "corpus": nodes["clean"]}


def test_it_shares_all_with_jiuzhang3_that_does_not_depend_on_the_method(nodes):
    other = nodes_of(composed())
    assert [name for name in nodes if name in other and other[name].key == nodes[name].key] == [
        *("corpus", "prompts", "base", "evaluate_base")
    ]


@pytest.mark.parametrize("scale", ["laptop", "study", "overnight", "single_gpu", "paper"])
def test_the_teacher_is_asked_as_often_as_by_jiuzhang3(scale):
    calls = [
        sum(
            node.stage.asked
            for node in nodes_of(composed(f"method={method}", f"scale={scale}")).values()
            if node.stage.kind == "distil"
        )
        for method in ("direct", "jiuzhang3")
    ]
    assert calls[0] == calls[1] > 0

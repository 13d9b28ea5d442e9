import pytest

from src.config.mistakes import Mistakes
from src.pipeline.graph import draw
from src.pipeline.job import OF_EVERY_RUN
from src.pipeline.sections import check_sections
from tests.pipeline.composed import composed, nodes_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nodes():
    return nodes_of(composed("method=direct"))


def test_the_teachers_problems_are_cleaned_and_read_without_a_synthesizer(nodes):
    assert list(nodes) == ["corpus", "prompts", "distil", "clean", "evaluate_base", "pretrain", "evaluate"]
    assert nodes["clean"].inputs == {"passages": nodes["corpus"], "generations": nodes["distil"]}
    assert nodes["pretrain"].inputs == {"corpus": nodes["clean"]}


def test_it_shares_all_with_jiuzhang3_that_does_not_depend_on_the_method(nodes):
    other = nodes_of(composed())
    assert [name for name in nodes if name in other and other[name].key == nodes[name].key] == [
        *("corpus", "prompts", "evaluate_base")
    ]


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("experiment", "sweep", "told"),
    [
        ("ablation_rounds", "rounds=1", "rounds: the method direct has no such option"),
        ("ablation_influence_threshold", "selector.fraction=0.5", "round_2: the method direct has no such option"),
        ("ablation_no_influence", "selector=random", "selector: the method direct does not use it; take it away"),
        ("ablation_synthesizer_size", "synthesizer=small", "synthesizer: the method direct does not use it"),
    ],
)
def test_an_experiment_on_what_it_has_not_is_refused(experiment, sweep, told):
    config = composed("method=direct", f"+experiment={experiment}", sweep, "name=arm")
    mistakes = Mistakes()
    graph = draw(config, mistakes)
    check_sections("direct", config, graph.sections | OF_EVERY_RUN, [f"+experiment={experiment}", sweep], mistakes)
    assert mistakes[0].startswith(told)


@pytest.mark.parametrize("experiment", ["ablation_cleaning", "ablation_teacher_calls", "ablation_education_stages"])
def test_an_experiment_on_what_it_has_composes(experiment):
    assert nodes_of(composed("method=direct", f"+experiment={experiment}", "name=arm"))["evaluate"].key

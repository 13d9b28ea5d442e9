import pytest

from src.config.mistakes import Mistakes
from src.pipeline.graph import StageBuilder

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

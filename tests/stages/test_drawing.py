from hypothesis import given
from hypothesis import strategies as st

from src.stages.drawing import draw
from tests.stages.writers import prompts

ROWS = prompts(40)


@given(st.permutations(ROWS), st.integers(1, 45), st.integers(0, 3))
def test_a_draw_hangs_on_ids_and_seed_alone(shuffled, n, seed):
    drawn = list(draw(lambda: iter(shuffled), n, seed))
    assert len(drawn) == min(n, 40)
    assert drawn == [p for p in shuffled if p in drawn]
    assert {p.id for p in drawn} == {p.id for p in draw(lambda: iter(ROWS), n, seed)}
    assert {p.id for p in drawn} <= {p.id for p in draw(lambda: iter(ROWS), n + 1, seed)}


def test_none_takes_all():
    assert list(draw(lambda: iter(ROWS), None, 0)) == ROWS

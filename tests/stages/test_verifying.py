"""The two streams that a vote joins: rows, and the answers that they were given."""

from hypothesis import given
from hypothesis import strategies as st

from src.stages.verifying import _beside

IDS = st.sampled_from([f"{n:020x}" for n in range(8)])


@given(st.lists(st.tuples(IDS, st.integers(0, 99)), unique_by=lambda row: row[1]), st.sets(IDS))
def test_each_row_meets_the_answers_to_its_own_problem(asked, answered):
    rows = [(id, row, f"answer {row}") for id, row in sorted(asked)]
    given = iter([(id, [f"given to {id}"]) for id in sorted(answered)])
    met = list(_beside(iter(rows), given))
    assert met == [(row, said, [f"given to {id}"] if id in answered else []) for id, row, said in rows]
    assert next(given, None) is None  # all were read: each is on the bill

from hypothesis import given
from hypothesis import strategies as st

from src.stages import sorting
from src.stages.sorting import in_order


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=3)), st.integers(1, 5))
def test_rows_come_by_id_once_each_and_the_first_of_two_stays(tmp_path_factory, ids, at_once):
    rows = [(id, {"n": n}) for n, id in enumerate(ids)]
    first = {}
    for id, row in rows:
        first.setdefault(id, row)
    scratch = tmp_path_factory.mktemp("scratch")
    assert list(in_order(rows, scratch, at_once)) == sorted(first.items())
    assert not list(scratch.iterdir())


def test_more_runs_than_files_may_be_open_are_merged_in_levels(tmp_path, monkeypatch):
    monkeypatch.setattr(sorting, "FAN_IN", 3)
    rows = [(f"{n * 37 % 101:03d}", {"n": n}) for n in range(101)]
    assert list(in_order([*rows, *rows], tmp_path, at_once=2)) == sorted(rows)
    assert not list(tmp_path.iterdir())

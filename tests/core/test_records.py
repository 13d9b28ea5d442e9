import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.core.errors import UserError
from src.core.records import (
    Passage,
    Prediction,
    Problem,
    arrow_schema,
    content_id,
    count_table,
    read_table,
    write_table,
)

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
passages = st.builds(Passage, id=text, source=text, text=text, meta=st.dictionaries(text, text, max_size=3))


@given(rows=st.lists(passages, max_size=30), shard_rows=st.integers(1, 10))
def test_rows_come_back_in_order_whatever_the_shards(tmp_path_factory, rows, shard_rows):
    folder = tmp_path_factory.mktemp("table") / "passages"
    assert write_table(folder, Passage, rows, shard_rows) == len(rows)
    assert list(read_table(folder, Passage)) == rows
    assert count_table(folder) == len(rows)


def test_the_same_rows_give_the_same_bytes(tmp_path):
    rows = [Passage(content_id(i), "s", "text", {"b": "1", "a": "2"}) for i in range(5000)]
    for name in "ab":
        write_table(tmp_path / name, Passage, rows)
    assert (tmp_path / "a/00000.parquet").read_bytes() == (tmp_path / "b/00000.parquet").read_bytes()


def test_lists_and_nulls_survive(tmp_path):
    row = Prediction(
        "i", "student", "b", "q", "amc8", "p", "4", ["x", "y"], [None, "4"], [False, True], ["none", "string"]
    )
    write_table(tmp_path / "t", Prediction, [row])
    assert list(read_table(tmp_path / "t", Prediction)) == [row]


def test_schema_declares_what_may_be_null():
    schema = arrow_schema(Problem)
    assert schema.field("answer").nullable
    assert not schema.field("question").nullable


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(UserError, match="No table in"):
        list(read_table(tmp_path / "nothing", Passage))


@given(st.lists(text), st.lists(text))
def test_ids_depend_on_where_the_parts_end(a, b):
    assert (content_id(*a) == content_id(*b)) == (a == b)

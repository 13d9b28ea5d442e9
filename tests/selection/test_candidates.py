from __future__ import annotations

import pytest

from src.core.records import Example
from src.core.row_files import RowFile, RowView
from src.selection.candidates import ById

ROWS = [Example(id, "x", f"question {id}\n\u2028é", "answer " * i) for i, id in enumerate("cadb")]


@pytest.fixture
def file(tmp_path) -> RowFile[Example]:
    written = RowFile(tmp_path / "rows", Example)
    for row in ROWS:
        written.append(row)
    return written


def test_by_id_reads_in_the_order_of_ids_and_draws_by_id_alone(file):
    pool, turned = ById(file), ById(ROWS[::-1])
    assert [row.id for row in pool] == pool.ids == ["a", "b", "c", "d"]
    assert [pool.number[row.id] for row in pool] == [0, 1, 2, 3]
    assert [row.id for row in pool.some([3, 0])] == ["d", "a"]
    assert isinstance(pool.some([1]), RowView) and list(pool.drawn(2, "x")) == list(turned.drawn(2, "x"))
    assert {row.id for row in pool.drawn(9, "x")} == set("abcd")
    assert list(pool.drawn(1, "x")) == list(pool.drawn(3, "x"))[:1]
    draws = {tuple(row.id for row in pool.drawn(4, purpose)) for purpose in range(9)}
    assert len(draws) > 1

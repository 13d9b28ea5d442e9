from __future__ import annotations

import pickle

import pytest

from src.core.records import Example, Prompt
from src.selection.candidates import ById, RowFile, View

ROWS = [Example(id, "x", f"question {id}\n\u2028é", "answer " * i) for i, id in enumerate("cadb")]


@pytest.fixture
def file(tmp_path) -> RowFile[Example]:
    written = RowFile(tmp_path / "rows", Example)
    assert [written.append(row) for row in ROWS] == [0, 1, 2, 3]
    return written


def test_rows_come_back_in_any_order_and_from_another_process(file):
    assert list(file) == ROWS and file[-1] == ROWS[3] and file[1:3] == ROWS[1:3]
    with pytest.raises(IndexError):
        file[4]
    assert list(pickle.loads(pickle.dumps(file))) == ROWS
    file.append(ROWS[0])
    assert len(file) == 5 and file[4] == ROWS[0]


def test_other_records_and_half_characters(tmp_path):
    file, row = RowFile(tmp_path / "prompts", Prompt), Prompt("p", "q", "amc8", "cot", "half \ud83d")
    file.append(row)
    assert file[0] == row


def test_by_id_reads_in_the_order_of_ids_and_draws_by_id_alone(file):
    pool, turned = ById(file), ById(ROWS[::-1])
    assert [row.id for row in pool] == pool.ids == ["a", "b", "c", "d"]
    assert [pool.number[row.id] for row in pool] == [0, 1, 2, 3]
    assert [row.id for row in pool.some([3, 0])] == ["d", "a"]
    assert isinstance(pool.some([1]), View) and list(pool.drawn(2, "x")) == list(turned.drawn(2, "x"))
    assert {row.id for row in pool.drawn(9, "x")} == set("abcd")
    assert list(pool.drawn(1, "x")) == list(pool.drawn(3, "x"))[:1]
    draws = {tuple(row.id for row in pool.drawn(4, purpose)) for purpose in range(9)}
    assert len(draws) > 1

from __future__ import annotations

import pickle

import pytest

from src.core import row_files
from src.core.records import Example, Prompt
from src.core.row_files import NumbersById, RowFile, RowsById

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


def test_rows_are_found_by_their_ids(tmp_path):
    rows = RowsById(tmp_path / "rows", Example, iter(ROWS))
    assert [rows[row.id] for row in ROWS] == ROWS
    with pytest.raises(KeyError):
        rows["e"]
    with pytest.raises(KeyError):
        RowsById(tmp_path / "none", Example, [])["a"]


def test_rows_whose_ids_have_one_digest_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "id_digest", lambda id: bytes(8))
    rows = RowsById(tmp_path / "rows", Example, ROWS)
    assert [rows[row.id] for row in ROWS] == ROWS
    with pytest.raises(KeyError):
        rows["e"]


def test_numbers_are_found_by_ids():
    numbers = NumbersById([("b", 0.5), ("a", 1.0), ("é", 0.0)])
    assert [numbers.get(id) for id in ("a", "b", "é", "c")] == [1.0, 0.5, 0.0, None]
    assert sorted(numbers.values) == [0.0, 0.5, 1.0]
    assert NumbersById([]).get("a") is None

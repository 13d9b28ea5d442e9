from __future__ import annotations

import pickle

import pytest

from src.core.records import Example, Prompt
from src.core.row_files import RowFile

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

import pytest

from src.core.errors import UserError
from src.core.records import Prediction, write_table
from src.evaluation.compare import compare


def write(folder, verdicts):
    rows = [
        Prediction(f"p{i}", "student", "sums", f"q{i}", "", f"What is {i}?", "1", ["x"], ["1"], [right], ["string"])
        for i, right in enumerate(verdicts)
    ]
    write_table(folder / "predictions", Prediction, rows)
    return folder


def test_flips_are_listed_with_a_paired_test(tmp_path):
    first, second = write(tmp_path / "a", [True, True, False, False]), write(tmp_path / "b", [True, False, True, True])
    text = compare(first, second)
    assert "| sums | 4 | 1 | 2 | 1 |" in text
    assert all(f"q{i}," in text for i in (1, 2, 3))
    assert "q0," not in text


def test_what_is_no_evaluation_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no finished evaluation"):
        compare(write(tmp_path / "a", [True]), tmp_path / "b")

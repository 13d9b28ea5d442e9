import pytest

from src.core.errors import UserError
from src.core.records import Prediction, write_table
from src.core.stage import Artifact
from src.evaluation.compare import compare


def write(folder, benchmark="sums", verdicts=()):
    """An evaluation whose questions were answered with these verdicts, a list for each."""
    rows = [
        Prediction(
            f"p{i}", "m", benchmark, f"q{i}", "", f"What is {i}?", "1", ["x"] * len(v), ["1"] * len(v), v, ["string"]
        )
        for i, v in enumerate(verdicts)
    ]
    write_table(folder / "predictions", Prediction, rows)
    return folder.name, Artifact(folder)


def test_flips_are_listed_with_a_paired_test(tmp_path):
    first = write(tmp_path / "a", verdicts=[[True], [True], [False], [False]])
    second = write(tmp_path / "b", verdicts=[[True], [False], [True], [True]])
    text = compare(first, second)
    assert "| sums | 4 | 50.0 | 75.0 | +25.0 (" in text
    assert ") | 2 | 1 | 1 |" in text
    assert all(f"q{i}," in text for i in (1, 2, 3))
    assert "q0," not in text and "**all**" not in text


def test_all_samples_count(tmp_path):
    first = write(tmp_path / "a", verdicts=[[True, False], [False, False]])
    second = write(tmp_path / "b", verdicts=[[True, True], [False, False]])
    assert "| sums | 2 | 25.0 | 50.0 | +25.0 (" in compare(first, second)
    assert "a: 1 of 2 right" in compare(first, second)


def test_several_benchmarks_have_an_overall_difference(tmp_path):
    pairs = {}
    for name, verdicts in (("a", [[True], [False]] * 20), ("b", [[True], [True]] * 20)):
        rows = []
        for benchmark in ("sums", "products"):
            write(tmp_path / name / benchmark, benchmark, verdicts)
            rows += Artifact(tmp_path / name / benchmark).table("predictions", Prediction)
        write_table(tmp_path / name / "predictions", Prediction, rows)
        pairs[name] = (name, Artifact(tmp_path / name))
    text = compare(pairs["a"], pairs["b"])
    overall = next(line for line in text.splitlines() if "**all**" in line)
    assert "| 80 | 50.0 | 100.0 | +50.0 (+" in overall


def test_nothing_in_common_is_said(tmp_path):
    first, second = write(tmp_path / "a", "sums", [[True]]), write(tmp_path / "b", "products", [[True]])
    with pytest.raises(UserError, match="no question in common"):
        compare(first, second)

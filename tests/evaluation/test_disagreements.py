from src.core.records import Prediction, write_table
from src.core.stage import Artifact
from src.evaluation.disagreements import disagreements


def test_what_math_verify_grades_otherwise_is_listed_once(tmp_path):
    rows = [
        ("1/2", ["0.5", "0.5"], [False, False]),  # a grader that is wrong about it
        ("3", ["3"], [True]),
        ("4", ["5"], [False]),
        ("4", [None], [False]),
        ("B", ["C"], [True]),  # a letter: not compared
    ]
    predictions = [
        Prediction(f"p{i}", "m", "sums", f"q{i}", "", "?", gold, [""] * len(given), given, right, [""] * len(given))
        for i, (gold, given, right) in enumerate(rows)
    ]
    write_table(tmp_path / "predictions", Prediction, predictions)
    lines = disagreements(Artifact(tmp_path)).splitlines()
    assert lines[0].startswith("1 of 3 different answers")
    assert lines[-1] == "| 1/2 | 0.5 | wrong | right |"

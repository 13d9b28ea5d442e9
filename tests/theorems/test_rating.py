import pytest

from src.theorems.rating import GRADES, grade_prompt, is_trivial, read_grade, write_grade


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("It states that x is 3.\nGrade: good", "good"),
        ("**Grade:** Above average.", "above average"),
        ("grade: above-average", "above average"),
        ("Grade: poor\nOn reflection:\n**Grade: fair**", "fair"),
        ('{"grade": "Good"}', "good"),
        ('"Grade": "good"', "good"),
        ("Grade: [above_average]", "above average"),
        ("Grade: good (it needs two ideas).", "good"),
        ("Give one grade: excellent, good, above average, fair or poor", None),
        ("**Grade**: Fair \u2013 it is routine", "fair"),
        ("Grade: poor; on reflection, grade: good", "good"),
        ("Grade: good or excellent", None),
        ("Grade: excellent / good / above average / fair / poor", None),  # the prompt's own line
        ("Grade: excellent work", None),
        ("It is good.", None),
        ("", None),
    ],
)
def test_the_last_grade_on_a_line_of_its_own_is_read(text, grade):
    assert read_grade(text) == grade


def test_what_is_written_is_read_again():
    assert [read_grade(write_grade(grade)) for grade in GRADES] == list(GRADES)
    assert list(GRADES.values()) == sorted(GRADES.values())


def test_the_prompt_names_language_and_statement_and_holds_no_grade_that_is_read():
    text = grade_prompt("rocq", "forall x : Z, x = x")
    assert "Rocq" in text and "forall x : Z, x = x" in text and read_grade(text) is None


@pytest.mark.parametrize(
    ("hypotheses", "conclusion", "trivial"),
    [
        ([], "x + 3 = x + 3", True),
        ([], "(x + 3 == x + 3)%Q", True),
        (["y > 2", "x = 4"], "x = 4", True),
        ([], "7 + 5 = 12", True),
        ([], "(7 + 5 == 12)%Q", True),
        ([], "17 mod 5 = 2", True),
        (["x = 5"], "x = 4", False),
        ([], "x + 3 = 3 + x", False),
        ([], "(x + 1) * (x - 1) = x * x - 1", False),
        ([], "2 * (x * x) + 3 >= 3", False),
        ([], "exists y : Z, y + 3 = x", False),
        ([], "(2 | 4 * x)", False),
    ],
)
def test_what_holds_at_once_is_trivial(hypotheses, conclusion, trivial):
    assert is_trivial(hypotheses, conclusion) == trivial

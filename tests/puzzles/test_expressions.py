import pytest

from src.puzzles.expressions import puzzle_gold, solves

GOLD = puzzle_gold(24, [8, 5, 10, 6])


@pytest.mark.parametrize("answer", ["10*(8 - 5) - 6", "(8-5)×10−6", "(8 - 5) * 10 - 6 = 24", r"10 \times (8 - 5) - 6"])
def test_any_right_expression_counts(answer):
    assert solves(GOLD, answer) == (True, "number")


@pytest.mark.parametrize("answer", ["24", "8+10+6", "10*(8-5)-6+0", "8*3", "10*(8-5)-5"])
def test_other_numbers_or_another_value_do_not(answer):
    assert solves(GOLD, answer) == (False, "different")


@pytest.mark.parametrize(
    "answer", ["9**9**9**9", "__import__('os')", "8/(5-5)", "(" * 300, "", "x", "8 5 10 6", "True+1"]
)
def test_what_is_no_arithmetic_is_not_run(answer):
    assert solves(GOLD, answer) == (False, "unparsable")

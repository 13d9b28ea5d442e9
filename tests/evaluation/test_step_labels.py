from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.evaluation.step_labels import Beginnings, plant_error, planted, reference_rows, rows_of
from src.text.arithmetic import check_arithmetic

RIGHT = "3 + 4 = 7.\n7 * 2 = 14.\nThe answer is \\boxed{14}."
SLIP = "3 + 4 = 7.\n7 * 2 = 15.\nThe answer is \\boxed{15}."
LONG_WAY = "3 + 4 = 7.\nDouble it.\nThe answer is \\boxed{14}."


def beginnings(*solutions):
    found = Beginnings()
    for text, right in solutions:
        found.add(text, right)
    return found


def test_solutions_that_begin_alike_label_their_beginning_together():
    found = beginnings((RIGHT, True), (SLIP, False), (LONG_WAY, True)).found
    assert found["3 + 4 = 7.",].share == pytest.approx(2 / 3)
    assert found["3 + 4 = 7.", "7 * 2 = 14."].share == 1


def test_a_slip_and_what_follows_it_are_bad_whatever_comes_out():
    found = beginnings((SLIP, True)).found
    shares = [beginning.share for beginning in found.values()]
    assert shares == [1, 0, 0] and [beginning.wrong for beginning in found.values()] == [False, True, True]


def test_continuations_count_for_all_that_they_follow():
    found = beginnings((RIGHT, True))
    found.add("7 * 2 = 15.\nSo \\boxed{15}.", False, ("3 + 4 = 7.",))
    assert found.found["3 + 4 = 7.",].share == 0.5
    assert found.found["3 + 4 = 7.", "7 * 2 = 14."].share == 1


def test_a_continuation_says_nothing_of_what_stands_before_the_beginning_it_was_asked_for():
    """Every other continuation of the first step is right at once; the others ramble on, and are continued again and
    again. The first step's share stays a half."""
    found = beginnings((RIGHT, True), (LONG_WAY, False))
    for n in range(9):
        found.add(f"Now {n}.\nSo \\boxed{{9}}.", False, ("3 + 4 = 7.", "Double it."))
    assert found.found["3 + 4 = 7.",].share == 0.5
    assert found.found["3 + 4 = 7.", "Double it."].tried == 10


def test_rows_are_of_beginnings_of_which_enough_is_known():
    found = beginnings((RIGHT, True), (SLIP, False))
    rows = list(rows_of("q", "What?", found, False, rollouts=2))
    assert [(len(row.steps), row.share) for row in rows] == [(1, 0.5), (3, 1.0), (2, 0.0), (3, 0.0)]


def test_only_open_beginnings_without_a_slip_want_continuations():
    wanting = dict(beginnings((RIGHT, True), (SLIP, False)).wanting(3))
    assert wanting == {("3 + 4 = 7.",): 1, ("3 + 4 = 7.", "7 * 2 = 14."): 2}


def test_a_text_that_the_model_ended_itself_wants_no_continuation_box_or_not():
    found = Beginnings()
    found.add("2 + 2 = 4.\nThe answer is 4.", right=True, ended=True)
    found.add("2 + 2 = 4.\nSo it is", right=False)
    assert [steps for steps, _ in found.wanting(4)] == [("2 + 2 = 4.",), ("2 + 2 = 4.", "So it is")]
    found.add("The answer is 4.", right=True, given=("2 + 2 = 4.",), ended=True)
    assert found.found["2 + 2 = 4.", "The answer is 4."].share == 1


def test_steps_behind_the_answer_are_none():
    found = beginnings((f"{RIGHT}\nThat was easy.", True)).found
    assert max(map(len, found)) == 3


def test_rows_say_where_their_label_comes_from():
    rows = list(rows_of("q", "What?", beginnings((RIGHT, True), (SLIP, False)), tested=False))
    assert {(len(row.steps), row.source): row.share for row in rows} == {
        (1, "rollouts"): 0.5,
        (2, "rollouts"): 1,
        (3, "rollouts"): 1,
        (2, "arithmetic"): 0,
        (3, "arithmetic"): 0,
    }
    assert len({row.id for row in rows}) == 5


def test_every_step_of_a_worked_solution_is_good():
    rows = list(reference_rows("q", "What?", RIGHT, tested=False))
    assert [len(row.steps) for row in rows] == [1, 2, 3]
    assert {(row.share, row.source) for row in rows} == {(1.0, "reference")}
    (same,) = (row for row in rows_of("q", "What?", beginnings((RIGHT, True)), False) if len(row.steps) == 2)
    assert same.id == rows[1].id


def test_errors_are_planted_into_good_steps_alone():
    rows = list(rows_of("q", "What?", beginnings((RIGHT, True), (SLIP, False)), tested=True))
    wrong = list(planted(rows, 1.0))
    assert {tuple(row.steps[:-1]) for row in wrong} == {(), ("3 + 4 = 7.",)}
    assert all(row.share == 0 and row.tested and check_arithmetic(row.steps[-1]).wrong for row in wrong)
    assert list(planted(rows, 0.0)) == []


@given(a=st.integers(1, 99), b=st.integers(1, 99), seed=st.integers(0, 1000))
def test_a_planted_error_is_one_and_nothing_else_changes(a, b, seed):
    step = f"Then {a} + {b} = {a + b} cards."
    wrong = plant_error(step, Random(seed))
    assert wrong is not None and check_arithmetic(wrong).wrong
    assert wrong.startswith(f"Then {a} + {b} = ") and wrong.endswith(" cards.")


@pytest.mark.parametrize("step", ["Double it.", "The answer is \\boxed{14}.", "7 * 2 = 15."])
def test_a_step_without_a_true_equation_takes_no_error(step):
    assert plant_error(step, Random(0)) is None

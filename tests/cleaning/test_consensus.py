from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.cleaning.consensus import Voting, agreement, answers_in, camps, sub_questions

ANSWERS = st.lists(st.lists(st.sampled_from(["1", "2", "3"]), max_size=3), min_size=1, max_size=8)


def kept(answers, **options):
    return np.flatnonzero(Voting(**options).keeps(agreement(answers))).tolist()


def test_the_same_answer_in_other_words_is_one_camp():
    assert camps(["0.5", "7", r"\frac{1}{2}", "7.0", "x"]) == [[0, 2], [1, 3], [4]]


def test_agreement_by_hand():
    answers = [["1", "5"], ["1", "6"], ["2", "5"], ["1"], []]
    np.testing.assert_array_equal(agreement(answers), [[3, 2], [3, 1], [1, 2], [3, 0], [0, 0]])


def test_the_largest_camp_stays():
    assert kept([["7"], ["8"], ["7"], ["9"]]) == [0, 2]


def test_where_no_two_agree_nothing_stays():
    assert kept([["7"], ["8"], ["9"]]) == []
    assert kept([["7"]]) == []
    assert kept([]) == kept([[], []]) == []


def test_two_camps_of_one_size_both_stay_or_both_go():
    tied = [["7"], ["8"], ["7"], ["8"], ["9"]]
    assert kept(tied) == [0, 1, 2, 3]
    assert kept(tied, ties="drop") == []


def test_a_tie_needs_two_camps_of_the_same_part():
    """Two of the first part and two of the second, by the same solutions, contradict nothing."""
    assert kept([["7", "1"], ["7", "1"], ["8", "2"]], ties="drop") == [0, 1]


def test_one_part_that_all_agree_on_keeps_a_solution_that_errs_in_another():
    assert kept([["1", "5"], ["1", "6"], ["1", "5"], ["2", "5"]]) == [0, 1, 2, 3]


def test_semi_voting_keeps_all_above_its_threshold():
    ten = [["7"]] * 5 + [["8"]] * 3 + [["9"], ["10"]]
    assert kept(ten) == [0, 1, 2, 3, 4]
    assert kept(ten, rule="semi", threshold=0.1) == list(range(8))
    assert kept(ten, rule="none") == list(range(10))


@given(ANSWERS)
def test_full_voting_is_the_strictest_rule(answers):
    full, semi, every = (set(kept(answers, **rule)) for rule in ({}, {"rule": "semi"}, {"rule": "none"}))
    assert full <= semi <= every == set(range(len(answers)))


@given(ANSWERS, st.randoms())
def test_the_order_of_solutions_does_not_matter(answers, rng):
    order = list(range(len(answers)))
    rng.shuffle(order)
    assert {order[n] for n in kept([answers[n] for n in order])} == set(kept(answers))


@pytest.mark.parametrize(("share", "least"), [(0.3, 0.99), (0.5, 0.9)])
def test_planted_truth_survives_wrong_answers(share, least):
    """Ten votes a question, a share of them wrong and spread over six wrong answers."""
    rng, right, total, lost = Random(1), 0, 0, 0
    for _ in range(300):
        answers = [[str(rng.randint(1, 6)) if rng.random() < share else "0"] for _ in range(10)]
        stays = kept(answers)
        lost += not stays
        total += len(stays)
        right += sum(answers[n] == ["0"] for n in stays)
    assert right / total >= least
    assert lost / 300 < 0.02


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("How many apples are left?", 1),
        ("Find x.", 1),
        ("(a) Find x. (b) Find y.", 2),
        ("Find a) the area b) the perimeter c) the angle.", 3),
        ("Let f(x) = x. (i) Find f(1). (ii) Find f(2). (iii) Find f(3). (iv) Find f(4).", 4),
        ("Answer these.\n1. Find x.\n2. Find y.", 2),
        ("How many apples? How many pears?", 2),
        ("What is f(a) for a = 2?", 1),
    ],
)
def test_sub_questions_are_counted(question, parts):
    assert sub_questions(question) == parts


def test_answers_are_the_last_boxes():
    text = r"First \boxed{1}, so \boxed{2} and \boxed{}, at last \boxed{3}."
    assert answers_in(text, 1) == ["3"]
    assert answers_in(text, 2) == ["2", "3"]
    assert answers_in(text, 9) == ["1", "2", "3"]
    assert answers_in("none", 1) == []


@pytest.mark.parametrize("wrong", [{"threshold": 1.0}, {"rule": "half"}, {"ties": "toss"}])
def test_options_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Voting(**wrong)

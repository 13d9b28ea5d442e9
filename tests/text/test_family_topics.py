import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.text import topics
from src.text.family import family_key
from src.text.normalise import question_key
from src.text.topics import fits, read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna has 12 apples. She buys 7 more.", "Tom has 5 apples. He buys 1,300 more."),
        ("A box of three pens costs 2.50 dollars.", "A box of seven pens costs 4 dollars."),
        ("Yesterday Quirin ran 3 km.", "Yesterday Zebedee ran 14 km."),
    ],
)
def test_other_numbers_and_people_are_one_family(one, other):
    assert family_key(one) == family_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Compute 3 + 5.", "Compute 3 - 5."), ("Factor 12.", "Expand 12."), ("Find 2 pens.", "Find 2 cows.")],
)
def test_other_words_are_another(one, other):
    assert family_key(one) != family_key(other)


def reading(question):
    return read(question, question_key(question))


@pytest.mark.parametrize(
    ("question", "topic", "level"),
    [
        ("Compute the integral of x^2 from 0 to 1.", "calculus", 3),
        ("What is the probability that both dice show a six?", "counting and probability", 1),
        ("A triangle has an area of 12.", "geometry", 0),
        ("Tom has 3 apples and eats one.", "arithmetic", 0),
        ("", "arithmetic", 0),
    ],
)
def test_topic_and_level(question, topic, level):
    assert reading(question)[:2] == (topic, level)


def test_a_derivative_is_not_for_grade_school():
    assert not fits("grade_school", 3) and fits("college", 3) and fits("grade_school", 0) and fits("a new stage", 3)


def test_long_words_and_sentences_read_harder():
    easy = reading("Tom has a cat. He has a dog. How many pets has he?")
    hard = reading("Determine the characteristic polynomial corresponding to the aforementioned transformation matrix.")
    assert 0 <= easy.grade < hard.grade <= 20


@given(st.text(alphabet="aZ9 .$_\t\né²٣", max_size=20))
def test_letters_and_digits_are_counted_alike_in_every_script(text):
    assert topics._alphanumeric(text) == sum(c.isalnum() for c in text)

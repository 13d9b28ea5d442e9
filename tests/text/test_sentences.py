from hypothesis import given
from hypothesis import strategies as st

from src.text.sentences import cut


def test_the_cut_falls_behind_the_last_sentence():
    assert cut("One is odd. Two is even. Three is odd again.", 30) == "One is odd. Two is even."


def test_decimals_and_abbreviations_end_no_sentence():
    start = "The area of the circle is large."
    for rest in (" It is 3.14159265358979", " It follows from Thm. 4 and", " See e.g. the book by J. Doe"):
        assert cut(f"{start}{rest} and so on without end", 56) == start


def test_without_a_late_sentence_end_the_cut_falls_between_words():
    assert cut("Yes. then a very long sentence without any end", 30) == "Yes. then a very long sentence"
    assert cut("Yes. then a very long sentence without any end", 28) == "Yes. then a very long"


def test_without_words_the_cut_is_hard():
    assert cut("x" * 50, 20) == "x" * 20


@given(st.text(alphabet="ab .!?\n", max_size=80), st.integers(1, 60))
def test_a_cut_is_a_prefix_within_the_length_and_never_loses_half(text, chars):
    short = cut(text, chars)
    assert text.startswith(short) and len(short) <= max(chars, 0)
    if len(text) <= chars:
        assert short == text
    assert cut(short, chars) == short

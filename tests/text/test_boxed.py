import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.text.boxed import boxed, last_boxed
from tests.watchdog import ends


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        (r"so \boxed{42}.", ["42"]),
        (r"\boxed{\frac{1}{2}} and \boxed{ 7 }", [r"\frac{1}{2}", "7"]),
        (r"\boxed{\left\{1, 2\right\}}", [r"\left\{1, 2\right\}"]),
        (r"\boxed{3", []),
        (r"\boxed{3 \boxed{4}", ["4"]),
        (r"\fbox{9}", ["9"]),
        ("no box", []),
    ],
)
def test_boxes_are_found_with_their_braces_balanced(text, answers):
    assert list(boxed(text)) == answers


@given(st.lists(st.text(alphabet="abc 123+", max_size=8)))
def test_every_simple_box_is_found_in_order(answers):
    text = " ".join(f"\\boxed{{{a}}}" for a in answers)
    assert list(boxed(text)) == [a.strip() for a in answers]
    assert last_boxed(text) == (answers[-1].strip() if answers else None)


def test_many_unclosed_boxes_take_no_time():
    with ends():
        assert boxed("\\boxed{" * 200_000 + "7}") == ["7"]


@given(st.lists(st.sampled_from([r"\boxed{", r"\fbox{", "\\", "{", "}", " 7", "{}", r"\{"]), max_size=8).map("".join))
def test_the_last_box_is_the_last_of_all(text):
    """Also where it is found without reading the others."""
    found = boxed(text)
    assert last_boxed(text) == (found[-1] if found else None)

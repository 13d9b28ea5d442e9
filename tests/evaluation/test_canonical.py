from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.evaluation.canonical import as_number, canonical, items


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        (r"$\dfrac{3}{4}$", r"\frac{3}{4}"),
        (r"\frac43", r"\frac{4}{3}"),
        (r"\frac 59", r"\frac{5}{9}"),
        (r"x = 5", "5"),
        (r"x \in [-2,7]", "[-2,7]"),
        (r"90^\circ", "90"),
        (r"\text{(C)}", "C"),
        (r"\$18.90", "18.90"),
        (r"5.4 \text{ cents}", "5.4"),
        (r"15\mbox{ cm}^2", "15"),
        (r"\frac{270}7\text{ degrees}", r"\frac{270}{7}"),
        ("12 square feet", "12"),
        ("60 km/h", "60"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"( 3, \frac{\pi}{2} )"),
        ("11\\sqrt2", r"11\sqrt{2}"),
        ("１２", "12"),
        ("5xy", "5xy"),
        ("3m", "3m"),
    ],
)
def test_dress_is_taken_off(answer, plain):
    assert canonical(answer) == plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.5", Fraction(2469, 2)),
        ("-3/4", Fraction(-3, 4)),
        (r"\frac{3}{4}", Fraction(3, 4)),
        (r"1\frac{4}{5}", Fraction(9, 5)),
        ("1 1/2", Fraction(3, 2)),
        ("15%", Fraction(3, 20)),
        (r"6.5\times10^{3}", Fraction(6500)),
        ("1e-3", Fraction(1, 1000)),
        (".35625", Fraction(57, 160)),
        ("1/0", None),
        ("1,23", None),
        ("", None),
        (".", None),
        ("-", None),
        ("x", None),
        ("٣", None),
        ("9" * 5000, None),
        ("1e999", None),
    ],
)
def test_plain_numbers_are_read_exactly(text, value):
    assert as_number(text) == value


@given(st.fractions())
def test_every_fraction_survives_its_spelling(value):
    sign = "-" if value < 0 else ""
    assert as_number(f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}") == value
    assert as_number(str(value)) == value


@given(st.text(max_size=200))
def test_nothing_raises(text):
    as_number(canonical(text))
    items(canonical(text))


@given(st.text(alphabet="\\{}()[]$,;frac12 ±pmsqrt^_%", max_size=200))
def test_no_latex_debris_raises(text):
    as_number(canonical(text))
    items(canonical(text))


@pytest.mark.parametrize(
    ("text", "brackets", "parts"),
    [
        ("(1, 2]", "(]", ["1", "2"]),
        ("1,-2", "", ["1", "-2"]),
        (r"\{1, 2\}", "{}", ["1", "2"]),
        (r"1\pm x", "", ["1+ x", "1- x"]),
        ("2 and 3", "", ["2", "3"]),
        ("(1,2),(3,4)", "", ["(1,2)", "(3,4)"]),
    ],
)
def test_lists_are_split(text, brackets, parts):
    assert items(text) == (brackets, parts)


def test_one_thing_is_no_list():
    assert items("5") is None
    assert items("f(1,2)") is None

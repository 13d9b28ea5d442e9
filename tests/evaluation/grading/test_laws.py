"""What must hold of any answers: equality is reflexive, symmetric, blind to spelling, and never more than equality."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from src.evaluation.grading import grade
from tests.evaluation.grading.answers import written

RESPELLINGS = {
    "as a formula": lambda text: f"${text}$",
    "in display": lambda text: f"\\[ {text} \\]",
    "in bold": lambda text: f"**{text}**",
    "in a box": lambda text: f"\\boxed{{{text}}}",
    "with a full stop": lambda text: f"{text}.",
    "with dfrac": lambda text: text.replace("\\frac", "\\dfrac"),
    "with left and right": lambda text: re.sub(r"\(([^()]*)\)", r"\\left(\1\\right)", text),
    "with more space": lambda text: re.sub(r"([+=,<>]|\\(?:le|ge|ne)(?![a-z]))", r" \1 ", text),
    "with thin spaces": lambda text: text.replace("+", "\\,+\\;").replace("=", "\\ =\\ "),
    "with a minus sign": lambda text: text.replace("-", "−"),
    "in full-width digits": lambda text: re.sub(
        r"(?<![\\{a-z0-9_.])[0-9](?![0-9.}])", lambda m: chr(ord(m[0]) + 0xFEE0), text
    ),
    "with words as text": lambda text: re.sub(r"(?<= )(minutes|hours|million|billion)", r"\\text{ \1}", text),
}


@given(written)
def test_an_answer_equals_itself(pair):
    assert grade(pair.answer, pair.answer + " ").correct


@given(written)
@settings(max_examples=150)
def test_a_perturbed_answer_is_another(pair):
    assert not grade(pair.answer, pair.other).correct
    assert not grade(pair.other, pair.answer).correct


@given(written, st.sampled_from(sorted(RESPELLINGS)))
@settings(max_examples=150)
def test_spelling_changes_nothing(pair, how):
    respelled = RESPELLINGS[how](pair.answer)
    assert grade(pair.answer, respelled).correct
    assert grade(respelled, pair.answer).correct
    assert not grade(pair.other, respelled).correct


@given(written, written)
@settings(max_examples=150)
def test_equality_is_symmetric(one, other):
    assert grade(one.answer, other.answer).correct == grade(other.answer, one.answer).correct


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_rational_numbers_are_equal_only_to_themselves(a, b):
    assert grade(str(a), str(b)).correct == (a == b)
    sign = "-" if a < 0 else ""
    assert grade(str(a), f"{sign}\\frac{{{abs(a.numerator)}}}{{{a.denominator}}}").correct


@given(st.integers(1, 10**6), st.integers(1000, 10**6))
def test_groups_of_three_digits_are_one_number_and_spaced_lists_are_not(small, large):
    grouped = f"{large:,}"
    assert grade(str(large), grouped).correct
    assert grade(str(large), grouped.replace(",", "{,}")).correct
    assert grade(str(large), grouped.replace(",", "\\,")).correct
    assert not grade(str(large), grouped.replace(",", ", ")).correct
    assert not grade(f"{small}{large}", f"{small}, {large}").correct


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=5, unique=True), st.randoms())
def test_sets_have_no_order_and_tuples_have_one(members, random):
    shuffled = random.sample(members, len(members))
    listed, mixed = (", ".join(map(str, each)) for each in (members, shuffled))
    assert grade(f"\\{{{listed}\\}}", f"\\{{{mixed}\\}}").correct
    assert grade(f"\\{{{listed}\\}}", f"\\{{{mixed}, {members[0]}\\}}").correct
    assert grade(listed, " and ".join(map(str, shuffled))).correct
    assert grade(f"({listed})", f"({mixed})").correct == (members == shuffled)
    assert not grade(f"({listed})", f"\\{{{listed}\\}}").correct


@given(st.integers(-20, 20), st.integers(1, 20), st.booleans(), st.booleans())
def test_an_interval_is_its_inequality(low, width, low_in, high_in):
    high = low + width
    interval = f"{'[' if low_in else '('}{low},{high}{']' if high_in else ')'}"
    signs = ["\\le" if inside else "<" for inside in (low_in, high_in)]
    other = ["<" if low_in else "\\le", signs[1]]
    chain, changed = (f"{low} {first} x {second} {high}" for first, second in (signs, other))
    assert grade(interval, chain).correct
    assert grade(chain, interval).correct
    assert not grade(interval, changed).correct


@given(st.text(max_size=120))
def test_nothing_raises(text):
    assert grade("x^2+1", text).reason
    assert grade(text, "x^2+1").reason


PRINTED = ["set", "FiniteSet", "Interval", "Union", "Matrix", "EmptySet", "Eq", "Or", "oo", "det", "array", "list", "x"]


@given(st.lists(st.sampled_from([*PRINTED, *"()[]{},:&|<=-+ 12."]), max_size=14).map("".join))
def test_nothing_that_looks_like_a_program_raises(text):
    assert grade("[1,2]", text).reason
    assert grade(text, "(1,2)").reason


@given(st.text(alphabet="\\{}()[]$,;:frac12 ±pmsqrt^_%|=<>.!", max_size=200))
@example("[}")
def test_no_debris_of_formulas_raises(text):
    assert grade("(1,2)", text).reason

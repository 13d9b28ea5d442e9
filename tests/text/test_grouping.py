"""What the brackets, powers, factorials and primes of a question say besides its words."""

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.text.grouping import grouping
from src.text.normalise import normalise
from src.text.spelling import comparison_key
from tests.watchdog import ends

SAME = [
    (r"\frac{dy}{dx}", "dy/dx"),
    (r"\frac{km}{hr}", "km/hr"),
    (r"\frac{n(n+1)}{2}", "n(n+1)/2"),
    (r"\frac{(x+1)^2}{4}", "(x+1)²/4"),
    (r"\frac{(x+1)^2}{4}", "(x+1)^2/4"),
    (r"\frac{2(x+1)}{4}", "2(x+1)/4"),
    (r"8\text{ cm}^{3}", "8 cm³"),
    (r"9.8 \text{ m/s}^2", "9.8 m/s^2"),
    (r"\frac{3}{2}^{n}", "(3/2)^n"),
    (r"5 \mathrm{kg m/s}^{2}", "5 kg m/s²"),
    (r"\{1, 2, \ldots, n\}", "{1, 2, ..., n}"),
    (r"\{1, 2, \ldots, n-1\}", "{1, 2, ..., n-1}"),
    (r"\frac{1} {2x}", r"\frac{1}{2x}"),
    ("(x+1)=3", "x+1=3"),
    ("3 = (x+1)", "3 = x+1"),
    ("(3 + 4) + 2", "3 + 4 + 2"),
    ("(3 + 4) - 2", "3 + 4 - 2"),
    ("((x+1)) = 3", "x+1 = 3"),
    (r"\frac{1}{(x+1)^2}", "1/(x+1)^2"),
    (r"\frac{1}{2^(n+1)}", "1/2^{n+1}"),
    (r"\frac{1}{\sqrt(x+1)}", "1/√(x+1)"),
    (r"\frac{f(x)}{g(x)}", "f(x)/g(x)"),
    (r"\frac{x}{\sin x}", "x/sin x"),
    (r"\frac{1}{n!}", "1/n!"),
    (r"2(\sin x + 1)", "2(sin x + 1)"),
    ("2^(N+1)", "2^{n+1}"),
    ("(2 * 3) ^ 2", "(2*3)^2"),
    ("2(1,000 + x)", "2(1000+x)"),
    ("the 5^{th} term", "the 5^th term"),
    ("2(x <= 3)", "2(x ≤ 3)"),
    ("(x~+~1)^2", "(x+1)^2"),
]
APART = [
    (r"\frac{3}{2^{n}}", r"\frac{3}{2}^{n}"),
    ("What is 5! + 3?", "What is 5 + 3?"),
    ("(2 + 3) * 4", "2 + (3 * 4)"),
    ("(2 + 3) * 4", "2 + 3 * 4"),
    (r"\frac{1}{x+1} = 2", r"\frac{1}{x} + 1 = 2"),
    ("2^{n+1}", "2^n + 1"),
    ("f'(2)", "f(2)"),
    (r"\sqrt{9} + 16", r"\sqrt{9+16}"),
    ("5 - (3 + 1)", "5 - 3 + 1"),
    ("12 / (3 * 2)", "12 / 3 * 2"),
    ("f(x+1) = 3", "f(x)+1 = 3"),
    ("sin (x + 1) + 2", "sin x + 1 + 2"),
    (r"\log (x + 1) = 2", r"\log x + 1 = 2"),
    ("half of (3 + 5) + 1", "half of 3 + 5 + 1"),
    ("x - (y + 1) = 3", "x - y + 1 = 3"),
    ("y = (x + 1)z", "y = x + 1 z"),
    ("y = (x + 1) times 3", "y = x + 1 times 3"),
    ("(x + 1) ^ 2 = 4", "x + 1 ^ 2 = 4"),
    ("(ab)^2", "ab^2"),
    (r"\frac{1}{x y}", r"\frac{1}{x} y"),
    (r"\frac{1}{n(n+1)}", r"\frac{1}{n}(n+1)"),
    (r"\frac{n(n+1)+1}{2}", r"n(n+1)+\frac{1}{2}"),
    ("2^{ab}", "2^ab"),
    (r"\sqrt{x^2}", r"\sqrt{x}^2"),
    ("[x + 1] = 3", "x + 1 = 3"),
]
FRAMES = [
    "{}",
    "${}$",
    r"\({}\)",
    "Find {}.",
    "Let a be real. Find ${}$, Tom",
    "What is the value of {}?",
    "Find\n{}\nnow",
]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_is_only_typed_otherwise_stays_one_question(one, other, frame):
    one, other = (normalise(frame.replace("{}", text)) for text in (one, other))
    assert comparison_key(one) == comparison_key(other)
    assert grouping(one) == grouping(other)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(("one", "other"), APART)
def test_what_says_another_thing_stays_two_questions_in_any_sentence(one, other, frame):
    one, other = (normalise(frame.replace("{}", text)) for text in (one, other))
    assert grouping(one) != grouping(other)


_PAIRS = st.lists(st.one_of(st.sampled_from(SAME), st.sampled_from(SAME).map(lambda pair: pair[::-1])), max_size=4)


def _sentence(formulas):
    return normalise("".join(f"Find ${formula}$. " for formula in formulas))


@given(_PAIRS, st.sampled_from(APART), st.booleans())
def test_formulas_side_by_side_are_told_apart_by_those_that_differ_only(pairs, apart, first):
    ones, others = [one for one, _ in pairs], [other for _, other in pairs]
    assert grouping(_sentence(ones)) == grouping(_sentence(others))
    one, other = apart if first else apart[::-1]
    assert grouping(_sentence([*ones, one])) != grouping(_sentence([*others, other]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 5! + 3?", "What is 5 + 3?"),
        ("What is 5!?", "What is 5?"),
        ("Find $n! + 1$.", "Find $n + 1$."),
        ("Compute (2 + 3) * 4.", "Compute 2 + (3 * 4)."),
        (r"Compute $\left(2 + 3\right) \cdot 4$.", "Compute 2 + 3 * 4."),
        ("Compute (2 + 3)!", "Compute 2 + 3!"),
        (r"Solve $\frac{1}{x+1} = 2$", r"Solve $\frac{1}{x} + 1 = 2$"),
        (r"Find $\frac{1}{2x}$", r"Find $\frac{1}{2}x$"),
        ("Find $2^{n+1}$", "Find $2^n + 1$"),
        ("Find $2^{3x}$", "Find $2^3x$"),
        ("Find f'(2).", "Find f(2)."),
        ("Solve y'' + y = 0.", "Solve y' + y = 0."),
        (r"Find $\sqrt{9} + 16$", r"Find $\sqrt{9+16}$"),
        ("Compute 2(-3).", "Compute 2 - 3."),
        ("Compute (-3)^2.", "Compute -3^2."),
    ],
)
def test_formulas_of_the_same_words_are_told_apart(one, other):
    assert comparison_key(one) == comparison_key(other)
    assert grouping(one) != grouping(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"$\dfrac{1}{x+1}$", "1/(x + 1)"),
        (r"$\frac{1}{2}$", "1/2"),
        (r"$\frac{2x}{3}$", "2x/3"),
        (r"$\frac{x}{r^2}$", "x/r²"),
        (r"\(\frac{-1}{2}\)", "-1/2"),
        (r"\[2^{n+1}\]", "2^(n + 1)"),
        ("$2^{3}$", "2³"),
        ("$f^{-1}(x)$", "f^-1(x)"),
        (r"$\left(2+3\right) \times 4$", "(2 + 3)*4"),
        (r"$\sqrt{9+16}$", "√(9+16)"),
        (r"$2 + (3 \cdot 4)$", "2 + 3*4"),
        ("${(x+1)}^2$", "(x+1)^2"),
        ("$x_{1}$", "x_1"),
        ("Find it! Tom has 5 pens", "Find it. Tom has 5 pens"),
        ("He is 10! How old is she", "He is 10. How old is she"),
        ("Tom's 'x' pens (blue, non-toxic)", "Tom’s x pens, blue, non-toxic"),
        ("(a) Find 3.", "a) Find 3."),
        ("f′(2)", "f'(2)"),
    ],
)
def test_what_reads_the_same_is_grouped_alike(one, other):
    assert grouping(normalise(one)) == grouping(normalise(other))


@pytest.mark.parametrize("frame", ["{}", "Find {}.", "If y = {} and", "{} = 3"])
def test_sums_of_one_grouping_have_one_value(frame):
    for signs in product("+-*/", repeat=3):
        values = {}
        for first, last in combinations(range(4), 2):
            numbers = list("7359")
            numbers[first], numbers[last] = f"({numbers[first]}", f"{numbers[last]})"
            formula = " ".join([*(f"{n} {sign}" for n, sign in zip(numbers, signs)), numbers[-1]])
            values.setdefault(grouping(frame.format(formula)), set()).add(round(eval(formula), 9))
        assert all(len(found) == 1 for found in values.values()), signs


@given(st.text(alphabet=st.sampled_from("ab12\\{}()[]$^_+-*/!'., frac√\n"), max_size=60))
def test_any_debris_is_read(text):
    assert grouping(f"{text} ") == grouping(text)


@pytest.mark.parametrize("debris", ["(", "(1+", "^(", r"\frac", r"\frac{", "5!", "'", "a + (b", "{" * 9 + "}" * 8])
def test_endless_debris_is_read_at_once(debris):
    with ends():
        grouping(debris * 10_000)

"""What the brackets, powers, factorials and primes of a question say besides its words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.text.grouping import grouping
from src.text.normalise import normalise
from src.text.spelling import comparison_key
from tests.watchdog import ends


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


@given(st.text(alphabet=st.sampled_from("ab12\\{}()[]$^_+-*/!'., frac√\n"), max_size=60))
def test_any_debris_is_read(text):
    assert grouping(f"{text} ") == grouping(text)


@pytest.mark.parametrize("debris", ["(", "(1+", "^(", r"\frac", r"\frac{", "5!", "'", "a + (b", "{" * 9 + "}" * 8])
def test_endless_debris_is_read_at_once(debris):
    with ends():
        grouping(debris * 10_000)

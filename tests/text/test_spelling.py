import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.text.normalise import normalise
from src.text.spelling import comparison_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"$\dfrac{1}{2}$", "1/2"),
        (r"\(\frac{\frac{1}{2}}{3}\)", "1 / 2 / 3"),
        (r"$\left(2^{3}\right)$", "(2³)"),
        (r"$3 \cdot 4 \times 5$", "3*4×5"),
        (r"$90^\circ$", "90°"),
        (r"$12{,}345$ and 1,000,000", "12345 and 1000000"),
        (r"$\text{Area} \ne 7$", "area != 7"),
        (r"$\sqrt{2} - 1$", "√2 − 1"),
        ("3x+1", "3 x + 1"),
        ("**Tom** has 2**3 pens, __ of them red", "Tom has 2^3 pens, of them red"),
        ("Find $x$. [asy]\ndraw((0,0)--(1,2));\n[/asy]", "find x"),
    ],
)
def test_what_reads_the_same_has_one_key(one, other):
    assert comparison_key(one) == comparison_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("3 + 5", "3 - 5"), ("2*3", "2.3"), ("1.5", "15"), ("2^3", "2*3"), ("1,00", "100"), (r"\leq 3", r"\geq 3")],
)
def test_what_means_another_thing_has_another_key(one, other):
    assert comparison_key(one) != comparison_key(other)


@given(st.text(alphabet=st.sampled_from(r"ab12\{}$^_+-*/.,() frac"), max_size=40))
def test_a_key_is_its_own_key(text):
    key = comparison_key(normalise(text))
    assert comparison_key(normalise(key)) == key

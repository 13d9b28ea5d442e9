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
        ("> Tom has 3 pens.\n> Ann has 4.", "Tom has 3 pens. Ann has 4."),
        ("# Tom has 3 pens.\n# Ann has 4.", "Tom has 3 pens. Ann has 4."),
        ("// Tom has 3 pens.\n// Ann has 4.", "Tom has 3 pens. Ann has 4."),
        ("- Tom has 3 pens.\n- Ann has 4.", "Tom has 3 pens. Ann has 4."),
        ("*Tom* has _three_ pens. *How many?*", "Tom has three pens. How many?"),
        ("<p>Is <i>x</i><sup>2</sup> &lt;&nbsp;4?<br/></p>", "Is x² < 4?"),
        ("\uff34\uff4f\uff4d \uff48\uff41\uff53 \uff13 \uff50\uff45\uff4e\uff53\uff1f", "Tom has 3 pens?"),
        ("Find \U0001d465\u00b2 + \U0001d7d1, or \u00bd", "Find x^2 + 3, or 1/2"),
        ("Janet’s ‘ducks’ lay “16” eggs", "Janet's 'ducks' lay \"16\" eggs"),
        (r"$\dfrac{\sqrt{2}}{3} + \tfrac12$", r"$\frac{\sqrt{2}}{3} + \frac12$"),
        (r"$\frac{1}{2^{n+1}}$ and $\frac{x^{2}}{a_{b_{1}}}$", "1/2^(n+1) and x^2/a_(b_1)"),
        (r"$\frac\pi2 + \frac{\sqrt{b^{2}-4ac}}{2a}$", "π/2 + √(b²-4ac)/(2a)"),
        ("Тhe sum оf а and Β, in сm", "The sum of a and B, in cm"),  # letters of three alphabets
        ("Find $x$. [asy]\ndraw((0,0)--(1,2));\n[/asy]", "find x"),
    ],
)
def test_what_reads_the_same_has_one_key(one, other):
    assert comparison_key(one) == comparison_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 + 5", "3 - 5"),
        ("- 3 + 5", "3 + 5"),
        ("a < b and c > d", "a d"),
        ("x_1 and x_2", "x1 and x2"),
        ("2 *3* 4", "2 3 4"),
        ("2*3", "2.3"),
        ("1.5", "15"),
        ("2^3", "2*3"),
        ("1,00", "100"),
        (r"\leq 3", r"\geq 3"),
    ],
)
def test_what_means_another_thing_has_another_key(one, other):
    assert comparison_key(one) != comparison_key(other)


@given(st.text(alphabet=st.sampled_from("ab12\\{}$^_+-*/.,() frac<>&;#\n½²ﬁ𝑥"), max_size=40))
def test_a_key_is_its_own_key(text):
    key = comparison_key(normalise(text))
    assert comparison_key(normalise(key)) == key

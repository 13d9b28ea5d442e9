"""What the text of an answer is read as."""

import pytest

from src.evaluation.grading import values as v
from src.evaluation.grading.reading import read


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("5", v.Expression),
        ("2x+1", v.Expression),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", v.Expression),
        ("5 cm", v.Quantity),
        ("50%", v.Quantity),
        ("90°", v.Quantity),
        ("$5", v.Quantity),
        ("3 p.m.", v.Clock),
        ("12:30", v.Clock),
        ("2:3:4", v.Ratio),
        ("101_2", v.Numeral),
        (r"4210_{\text{five}}", v.Numeral),
        ("monday", v.WordAnswer),
        ("3 4", v.WordAnswer),
        (r"\forall x, x > 2", v.WordAnswer),
        ("(1, 2)", v.Collection),
        (r"\{1, 2\}", v.Collection),
        (r"1, 2, \ldots, n", v.Collection),
        ("10-15", v.Collection),
        ("(1, 2]", v.Reals),
        ("x > 3", v.Reals),
        (r"\mathbb{R} \setminus \{0\}", v.Reals),
        ("Interval.open(0, oo)", v.Reals),
        ("x^2 < 4", v.Inequality),
        ("x + y < 4", v.Inequality),
        ("x^2 + y^2 = 4", v.Equation),
        ("x = 3", v.Named),
        ("f(x) = 2x", v.Named),
        ("x = 1, y = 2", v.System),
        (r"7 \pmod{10}", v.Residue),
    ],
)
def test_each_kind_has_its_type(text, kind):
    assert isinstance(read(text), kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("(1,2)", "tuple"),
        ("[1,2]", "square"),
        ("[1, 2]", "printed"),
        ("1, 2", "list"),
        ("{1, 2}", "set"),
        (r"\{1,2\}", "set"),
    ],
)
def test_brackets_say_what_a_collection_is(text, kind):
    assert read(text).kind == kind

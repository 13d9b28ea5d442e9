"""Answers of every kind, written at random, each with an answer that is a different one."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st


class Written(NamedTuple):
    """An answer, and another of its kind that differs in one thing: a number, a unit, a base, a name or an order."""

    answer: str
    other: str


NATURAL = st.integers(2, 999)
NAMES = st.sampled_from(["x", "y", "n", "t", "a"])
LENGTHS = ["mm", "cm", "m", "km", "inches", "feet"]


@st.composite
def numbers(draw) -> Written:
    n, m = draw(NATURAL), draw(NATURAL)
    k = draw(st.integers(1, 50))
    shape = draw(st.sampled_from(["whole", "fraction", "decimal", "negative", "large"]))
    match shape:
        case "whole":
            return Written(str(n), str(n + k))
        case "fraction":
            return Written(f"\\frac{{{n}}}{{{m}}}", f"\\frac{{{n + k}}}{{{m}}}")
        case "decimal":
            return Written(f"{n}.{m}", f"{n + k}.{m}")
        case "negative":
            return Written(f"-{n}", str(n))
    return Written(f"{n}{m:03d}000", f"{n}{m:03d}00")


@st.composite
def constants(draw) -> Written:
    n, m = draw(st.integers(2, 60)), draw(st.integers(2, 60))
    shape = draw(
        st.sampled_from(
            [
                "{}\\pi",
                "{}+\\sqrt{{2}}",
                "\\frac{{\\pi}}{{{}}}",
                "2^{{{}}}",
                "e^{{{}}}",
                "\\ln {}",
                "\\frac{{1}}{{{}!}}",
            ]
        )
    )
    return Written(shape.format(n), shape.format(n + m))


@st.composite
def formulas(draw) -> Written:
    name, n, m = draw(NAMES), draw(st.integers(2, 60)), draw(st.integers(1, 60))
    other = "z" if draw(st.booleans()) else name
    shape = draw(
        st.sampled_from(
            [
                "{}{}^2+{}",
                "\\frac{{{}{}}}{{{}+{1}}}",
                "{0}\\sin {1}-{2}",
                "{0}e^{{{1}}}+{2}{1}",
                "\\sqrt{{{1}+{0}}}+{2}",
            ]
        )
    )
    if "{0}" not in shape and "{1}" not in shape:
        return Written(f"{n}{name}^2+{m}", f"{n}{other}^2+{m + (other == name)}")
    if "frac" in shape:
        return Written(f"\\frac{{{n}{name}}}{{{name}+{m}}}", f"\\frac{{{n}{other}}}{{{other}+{m + (other == name)}}}")
    return Written(shape.format(n, name, m), shape.format(n, other, m + (other == name)))


@st.composite
def quantities(draw) -> Written:
    n = draw(NATURAL)
    one, other = draw(st.permutations(LENGTHS))[:2]
    kind = draw(st.sampled_from(["length", "time", "money", "noun", "half of the day", "scale"]))
    match kind:
        case "length":
            return Written(f"{n} \\text{{ {one}}}", f"{n} \\text{{ {other}}}")
        case "time":
            return Written(f"{n} minutes", f"{n} hours")
        case "money":
            return Written(f"\\${n}", f"€{n}")
        case "noun":
            return Written(f"{n} \\text{{ apples}}", f"{n} \\text{{ pears}}")
        case "half of the day":
            return Written(f"{n % 12 + 1}:{n % 50 + 10} \\text{{ a.m.}}", f"{n % 12 + 1}:{n % 50 + 10} \\text{{ p.m.}}")
    return Written(f"{n} million", f"{n} billion")


@st.composite
def numerals(draw) -> Written:
    digits, base, other = draw(st.integers(10, 1111111)), draw(st.integers(2, 16)), draw(st.integers(2, 16))
    return Written(f"{digits}_{{{base}}}", f"{digits}_{{{other + (other == base)}}}")


@st.composite
def points(draw) -> Written:
    a, b = draw(NATURAL), draw(NATURAL)
    b += a == b
    return Written(f"({a}, {b})", f"({b}, {a})")


@st.composite
def sets(draw) -> Written:
    members = draw(st.lists(NATURAL, min_size=2, max_size=5, unique=True))
    shape = draw(st.sampled_from(["\\{{{}\\}}", "{}"]))
    return Written(
        shape.format(", ".join(map(str, members))), shape.format(", ".join(map(str, [members[0] + 1000, *members[1:]])))
    )


@st.composite
def intervals(draw) -> Written:
    low, width = draw(st.integers(-50, 50)), draw(st.integers(1, 50))
    opening, closing = draw(st.sampled_from("([")), draw(st.sampled_from(")]"))
    other = "[" if opening == "(" else "("
    return Written(
        f"{opening}{low},\\frac{{{2 * (low + width) + 1}}}{{2}}{closing}",
        f"{other}{low},\\frac{{{2 * (low + width) + 1}}}{{2}}{closing}",
    )


@st.composite
def inequalities(draw) -> Written:
    name, bound = draw(NAMES), draw(st.integers(-50, 50))
    sign, other = draw(st.sampled_from([("<", "\\le"), (">", "\\ge"), ("<", ">"), ("\\ne", "=")]))
    return Written(f"{name} {sign} {bound}", f"{name} {other} {bound}")


@st.composite
def equations(draw) -> Written:
    a, b, c = (draw(st.integers(2, 30)) for _ in range(3))
    changed = draw(st.sampled_from([(a + 1, b, c), (a, b + 1, c), (a, b, c + 1)]))
    return Written(f"{a}x + {b}y = {c}", "{}x + {}y = {}".format(*changed))


@st.composite
def matrices(draw) -> Written:
    a, b, c, d = (draw(st.integers(-9, 9)) for _ in range(4))
    shape = "\\begin{{pmatrix}} {} & {} \\\\ {} & {} \\end{{pmatrix}}"
    return Written(shape.format(a, b, c, d), shape.format(a, b, c, d + 1))


ALL = [numbers, constants, formulas, quantities, numerals, points, sets, intervals, inequalities, equations, matrices]
written = st.one_of(*(kind() for kind in ALL))

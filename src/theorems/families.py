"""Families of small theorems: told in words, stated in Rocq, and proved.

A family draws a theorem from a random source. Where a wrong statement can be made of it, it also knows how the negation
is proved: the values at which the statement fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from src.theorems.statement import Statement

LANGUAGE = "rocq"


@dataclass(frozen=True)
class Theorem:
    """`text`: the problem in words; `proof`: a reference proof of the statement, by tactics.

    wrong: a conclusion that does not follow, and the values of the variables that show it.
    """

    text: str
    statement: Statement
    proof: str
    wrong: tuple[str, tuple[int, ...]] | None = None


@dataclass(frozen=True)
class StatementFamily:
    """split: "seen" families are taught; "unseen" ones are only asked."""

    name: str
    split: Literal["seen", "unseen"]
    draw: Callable[[Random], Theorem]


def linear_equation(rng: Random) -> Theorem:
    a, b, x = rng.randint(2, 12), rng.randint(1, 30), rng.randint(-15, 15)
    statement = Statement("x : Z", (f"{a} * x + {b} = {a * x + b}",), f"x = {_int(x)}")
    text = f"Let {a} times an integer, plus {b}, be {a * x + b}. Show that the integer is {x}."
    return Theorem(text, statement, "intros; lia.", (f"x = {_int(x + rng.randint(1, 4))}", (x,)))


def sum_and_difference(rng: Random) -> Theorem:
    x, y = rng.randint(-20, 20), rng.randint(-20, 20)
    statement = Statement("x y : Z", (f"x + y = {_int(x + y)}", f"x - y = {_int(x - y)}"), f"x = {_int(x)}")
    text = f"Two integers have the sum {x + y} and the difference {x - y}. Show that the first is {x}."
    return Theorem(text, statement, "intros; lia.", (f"y = {_int(y + rng.randint(1, 4))}", (x, y)))


def sum_bound(rng: Random) -> Theorem:
    a, b = rng.randint(-10, 20), rng.randint(-10, 20)
    statement = Statement("x y : Z", (f"x > {_int(a)}", f"y > {_int(b)}"), f"x + y > {_int(a + b + 1)}")
    text = f"Let x > {a} and y > {b} be integers. Show that x + y > {a + b + 1}."
    return Theorem(text, statement, "intros; lia.", (f"x + y > {_int(a + b + 2)}", (a + 1, b + 1)))


def multiple(rng: Random) -> Theorem:
    d, k = rng.randint(2, 12), rng.randint(2, 9)
    statement = Statement("x : Z", (), f"({d} | {d * k} * x)")
    text = f"Show that {d} divides {d * k} x for every integer x."
    return Theorem(text, statement, f"intros; exists ({k} * x); ring.", (f"({d * k + 1} | {d * k} * x)", (1,)))


def divisible_sum(rng: Random) -> Theorem:
    d, k = rng.randint(2, 9), rng.randint(1, 9)
    statement = Statement("x : Z", (f"({d} | x)",), f"({d} | x + {d * k})")
    text = f"An integer x is divisible by {d}. Show that x + {d * k} is as well."
    proof = f"intros x [k H]; exists (k + {k}); lia."
    return Theorem(text, statement, proof)


def product_of_sums(rng: Random) -> Theorem:
    a, b = rng.randint(1, 12), rng.randint(1, 12)
    statement = Statement("x : Z", (), f"(x + {a}) * (x + {b}) = x * x + {a + b} * x + {a * b}")
    text = f"Expand (x + {a})(x + {b})."
    wrong = f"(x + {a}) * (x + {b}) = x * x + {a + b} * x + {a * b + 1}"
    return Theorem(text, statement, "intros; ring.", (wrong, (0,)))


def difference_of_squares(rng: Random) -> Theorem:
    a = rng.randint(1, 15)
    statement = Statement("x : Z", (), f"(x + {a}) * (x - {a}) = x * x - {a * a}")
    text = f"Show that (x + {a})(x - {a}) = x^2 - {a * a}."
    return Theorem(text, statement, "intros; ring.", (f"(x + {a}) * (x - {a}) = x * x - {a * a + 1}", (0,)))


def square_bound(rng: Random) -> Theorem:
    a, b = rng.randint(0, 30), rng.randint(1, 5)
    statement = Statement("x : Z", (), f"{b} * (x * x) + {a} >= {a}")
    text = f"Show that {b} x^2 + {a} is at least {a} for every integer x."
    return Theorem(text, statement, "intros; nia.", (f"{b} * (x * x) + {a} >= {a + 1}", (0,)))


def remainder(rng: Random) -> Theorem:
    m = rng.randint(2, 9)
    r, k = rng.randrange(m), rng.randint(1, 5)
    statement = Statement("x : Z", (f"x mod {m} = {r}",), f"(x + {k * m}) mod {m} = {r}")
    text = f"An integer x leaves the remainder {r} when divided by {m}. Which remainder does x + {k * m} leave?"
    proof = "intros; Z.div_mod_to_equations; lia."
    return Theorem(text, statement, proof, (f"(x + {k * m}) mod {m} = {r + 1}", (r,)))


def difference_exists(rng: Random) -> Theorem:
    a = rng.randint(1, 30)
    statement = Statement("x : Z", (), f"exists y : Z, y + {a} = x")
    text = f"Show that for every integer x there is an integer y with y + {a} = x."
    return Theorem(text, statement, f"intros; exists (x - {a}); lia.")


def rational_equation(rng: Random) -> Theorem:
    a, b, x = rng.randint(2, 9), rng.randint(1, 20), rng.randint(1, 15)
    statement = Statement("x : Q", (f"({a} * x + {b} == {a * x + b})%Q",), f"(x == {x})%Q")
    text = f"Let {a} times a rational number, plus {b}, be {a * x + b}. Show that the number is {x}."
    return Theorem(text, statement, "intros; lra.", (f"(x == {x + 1})%Q", (x,)))


def absolute_value(rng: Random) -> Theorem:
    a = rng.randint(1, 900)
    statement = Statement("x : Z", (f"Z.abs x = {a}",), f"x = {a} \\/ x = -{a}")
    return Theorem(f"Let |x| = {a}. What can the integer x be?", statement, "intros; lia.", (f"x = {a}", (-a,)))


def three_numbers(rng: Random) -> Theorem:
    x, y, z = (rng.randint(-9, 15) for _ in range(3))
    sums = (f"x + y = {_int(x + y)}", f"y + z = {_int(y + z)}", f"x + z = {_int(x + z)}")
    text = f"Three integers have the sums {x + y}, {y + z} and {x + z} in pairs. Find the first."
    wrong = (f"x = {_int(x + 1)}", (x, y, z))
    return Theorem(text, Statement("x y z : Z", sums, f"x = {_int(x)}"), "intros; lia.", wrong)


def even_number(rng: Random) -> Theorem:
    a = 2 * rng.randint(1, 450)
    statement = Statement("x : Z", ("(2 | x)",), f"(4 | {a} * x)")
    proof = f"intros x [k H]; exists ({a // 2} * k); lia."
    return Theorem(
        f"Show that {a} x is divisible by 4 for even x.", statement, proof, (f"({2 * a + 1} | {a} * x)", (2,))
    )


FAMILIES = tuple(
    StatementFamily(draw.__name__, split, draw)  # type: ignore[arg-type]
    for split, draws in (
        (
            "seen",
            (
                *(linear_equation, sum_and_difference, sum_bound, multiple, divisible_sum, product_of_sums),
                *(difference_of_squares, square_bound, remainder, difference_exists, rational_equation),
            ),
        ),
        ("unseen", (absolute_value, three_numbers, even_number)),
    )
    for draw in draws
)


def _int(n: int) -> str:
    """A negative number needs brackets behind an operator."""
    return str(n) if n >= 0 else f"({n})"

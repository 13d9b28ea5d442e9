"""Worked examples for few-shot prompts, written for this project: none is taken from a benchmark.

`EXEMPLARS` end with the answer in words; the questions of `PROGRAMS` are answered by what their program prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from src.evaluation.rows import read_rows


class Exemplar(NamedTuple):
    """`answer`: a worked solution, or a program."""

    question: str
    answer: str


def read_exemplars(path: Path) -> Sequence[Exemplar]:
    """A file of {"question", "answer"} rows, in order. Raises UserError for a missing or broken one."""
    return [Exemplar(row.text("question"), row.text("answer")) for row in read_rows(path)]


WORD_PROBLEMS = (
    (
        "Mia has 23 marbles. She gives 9 of them to her brother. How many marbles does she have left?",
        "Mia had 23 marbles at first. She gave away 9. So she has 23 - 9 = 14 marbles left. The answer is 14.",
    ),
    (
        "There were 17 birds on a fence. 5 more came, and then another 8. How many birds are on the fence now?",
        "There were 17 birds at first. When 5 more came there were 17 + 5 = 22. When another 8 came there were "
        "22 + 8 = 30. The answer is 30.",
    ),
    (
        "A baker fills 6 trays with 12 rolls each. She sells 45 rolls in the morning. How many rolls are left?",
        "There are 6 trays with 12 rolls each, so the baker makes 6 * 12 = 72 rolls. She sells 45 of them, so "
        "72 - 45 = 27 rolls are left. The answer is 27.",
    ),
    (
        "A teacher shares 36 pencils equally among 4 tables. How many pencils does each table get?",
        "There are 36 pencils and 4 tables. So each table gets 36 / 4 = 9 pencils. The answer is 9.",
    ),
    (
        "Nadia has 14 stamps. Her brother has 9 more stamps than she has. How many stamps do they have together?",
        "Her brother has 14 + 9 = 23 stamps. Together they have 14 + 23 = 37 stamps. The answer is 37.",
    ),
    (
        "A train ticket costs $18. Children pay half. How much do 2 adults and 3 children pay?",
        "A child's ticket costs 18 / 2 = 9 dollars. The adults pay 2 * 18 = 36 dollars and the children pay 3 * 9 = 27 "
        "dollars. That makes 36 + 27 = 63 dollars. The answer is 63.",
    ),
    (
        "A tank holds 250 litres. It is 40% full. How many litres must be added to fill it?",
        "The tank holds 0.40 * 250 = 100 litres now. To fill it takes 250 - 100 = 150 litres. The answer is 150.",
    ),
    (
        "Lena reads 15 pages a day. Her book has 210 pages and she has read 60. How many days does she still need?",
        "She has 210 - 60 = 150 pages left. At 15 pages a day this takes 150 / 15 = 10 days. The answer is 10.",
    ),
)

MATHEMATICS = (
    (
        "Solve $3x + 7 = 25$ for $x$.",
        "Subtracting 7 gives $3x = 18$, and dividing by 3 gives $x = 6$. The answer is $\\boxed{6}$.",
    ),
    (
        "A bag holds 5 red and 3 blue balls. Two balls are drawn without replacement. What is the probability that "
        "both are red?",
        "There are $\\binom{8}{2} = 28$ pairs of balls, and $\\binom{5}{2} = 10$ of them are red. The probability is "
        "$\\frac{10}{28} = \\frac{5}{14}$. The answer is $\\boxed{\\frac{5}{14}}$.",
    ),
    (
        "Factor $x^2 - 5x + 6$.",
        "We need two numbers with product 6 and sum $-5$: they are $-2$ and $-3$. So $x^2 - 5x + 6 = (x-2)(x-3)$. The "
        "answer is $\\boxed{(x-2)(x-3)}$.",
    ),
    (
        "Find the distance between the points $(1, 2)$ and $(4, 8)$.",
        "The differences are 3 and 6, so the distance is $\\sqrt{3^2 + 6^2} = \\sqrt{45} = 3\\sqrt{5}$. The answer is "
        "$\\boxed{3\\sqrt{5}}$.",
    ),
    (
        "For which real numbers $x$ is $x^2 < 9$? Give an interval.",
        "$x^2 < 9$ means $|x| < 3$, that is $-3 < x < 3$. The answer is $\\boxed{(-3, 3)}$.",
    ),
)

CHOICE = (
    (
        "A shirt costs $40 after a discount of 20%. What did it cost before?\n(A) $44\n(B) $48\n(C) $50\n(D) $60",
        "After the discount 80% of the price is left: 0.8 * p = 40, so p = 40 / 0.8 = 50. The answer is (C).",
    ),
    (
        "Which of these numbers is prime?\n(A) 51\n(B) 53\n(C) 57\n(D) 91",
        "51 = 3 * 17, 57 = 3 * 19 and 91 = 7 * 13 are not prime; 53 has no divisor up to 7. The answer is (B).",
    ),
    (
        "A car goes 150 km in 2.5 hours. What is its mean speed?\n(A) 50 km/h\n(B) 55 km/h\n(C) 65 km/h\n(D) 60 km/h",
        "The mean speed is 150 / 2.5 = 60 km/h. The answer is (D).",
    ),
    (
        "How many degrees are the angles of a triangle together?\n(A) 180\n(B) 90\n(C) 270\n(D) 360",
        "The angles of a triangle in the plane add up to 180 degrees. The answer is (A).",
    ),
    (
        "If $f(x) = 2x - 1$, what is $f(f(3))$?\n(A) 5\n(B) 7\n(C) 9\n(D) 11",
        "$f(3) = 2 * 3 - 1 = 5$ and $f(5) = 2 * 5 - 1 = 9$. The answer is (C).",
    ),
)

EXEMPLARS = {
    name: tuple(Exemplar(*pair) for pair in pairs)
    for name, pairs in {"word_problems": WORD_PROBLEMS, "mathematics": MATHEMATICS, "choice": CHOICE}.items()
}

WORD_PROBLEM_PROGRAMS = (
    (
        WORD_PROBLEMS[2][0],
        "trays = 6\nrolls_per_tray = 12\nsold = 45\nprint(trays * rolls_per_tray - sold)",
    ),
    (
        WORD_PROBLEMS[5][0],
        "adult = 18\nchild = adult / 2\nprint(2 * adult + 3 * child)",
    ),
    (
        WORD_PROBLEMS[0][0],
        "marbles = 23\ngiven_away = 9\nprint(marbles - given_away)",
    ),
    (
        WORD_PROBLEMS[7][0],
        "pages = 210\nread = 60\npages_a_day = 15\nprint((pages - read) / pages_a_day)",
    ),
    (
        WORD_PROBLEMS[6][0],
        "capacity = 250\nnow = 40 / 100 * capacity\nprint(capacity - now)",
    ),
)

MATHEMATICS_PROGRAMS = (
    (
        MATHEMATICS[0][0],
        "from sympy import latex, solve, symbols\n\nx = symbols('x')\nprint(latex(solve(3 * x + 7 - 25, x)[0]))",
    ),
    (
        MATHEMATICS[1][0],
        "from math import comb\nfrom sympy import Rational, latex\n\nprint(latex(Rational(comb(5, 2), comb(8, 2))))",
    ),
    (
        MATHEMATICS[2][0],
        "from sympy import factor, latex, symbols\n\nx = symbols('x')\nprint(latex(factor(x**2 - 5 * x + 6)))",
    ),
    (
        MATHEMATICS[3][0],
        "from sympy import latex, sqrt\n\nprint(latex(sqrt((4 - 1) ** 2 + (8 - 2) ** 2)))",
    ),
    (
        "How many integers from 1 to 1000 are divisible by 7 but not by 3?",
        "print(sum(1 for n in range(1, 1001) if n % 7 == 0 and n % 3 != 0))",
    ),
)

CHOICE_PROGRAMS = (
    (
        CHOICE[0][0],
        "price = 40 / (1 - 20 / 100)\nchoices = {'A': 44, 'B': 48, 'C': 50, 'D': 60}\n"
        "print(min(choices, key=lambda letter: abs(choices[letter] - price)))",
    ),
    (
        CHOICE[1][0],
        "choices = {'A': 51, 'B': 53, 'C': 57, 'D': 91}\n"
        "print(next(k for k, n in choices.items() if all(n % d for d in range(2, n))))",
    ),
    (
        CHOICE[2][0],
        "speed = 150 / 2.5\nchoices = {'A': 50, 'B': 55, 'C': 65, 'D': 60}\n"
        "print(next(letter for letter, value in choices.items() if value == speed))",
    ),
    (
        CHOICE[4][0],
        "def f(x):\n    return 2 * x - 1\n\nchoices = {'A': 5, 'B': 7, 'C': 9, 'D': 11}\n"
        "print(next(letter for letter, value in choices.items() if value == f(f(3))))",
    ),
)

PROGRAMS = {
    name: tuple(Exemplar(*pair) for pair in pairs)
    for name, pairs in {
        "word_problems": WORD_PROBLEM_PROGRAMS,
        "mathematics": MATHEMATICS_PROGRAMS,
        "choice": CHOICE_PROGRAMS,
    }.items()
}

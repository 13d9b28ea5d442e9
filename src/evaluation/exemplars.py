"""Worked examples for few-shot prompts, written for this project: none is taken from a benchmark."""

WORD_PROBLEMS = (
    (
        "A baker fills 6 trays with 12 rolls each. She sells 45 rolls in the morning. How many rolls are left?",
        "The baker makes 6 * 12 = 72 rolls. She sells 45 of them, so 72 - 45 = 27 rolls are left. The answer is 27.",
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
        "Omar walks 3 km to school and the same way back, 5 days a week. How far does he walk in 4 weeks?",
        "He walks 2 * 3 = 6 km a day and 5 * 6 = 30 km a week. In 4 weeks he walks 4 * 30 = 120 km. The answer is 120.",
    ),
    (
        "In a garden there are 84 flowers. One third are roses and the rest are tulips. How many tulips are there?",
        "There are 84 / 3 = 28 roses. So there are 84 - 28 = 56 tulips. The answer is 56.",
    ),
    (
        "Lena reads 15 pages a day. Her book has 210 pages and she has read 60. How many days does she still need?",
        "She has 210 - 60 = 150 pages left. At 15 pages a day this takes 150 / 15 = 10 days. The answer is 10.",
    ),
    (
        "Four friends share a bill of $70 and a tip of $10 equally. How much does each of them pay?",
        "Together they pay 70 + 10 = 80 dollars. Each pays 80 / 4 = 20 dollars. The answer is 20.",
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

EXEMPLARS = {"word_problems": WORD_PROBLEMS, "mathematics": MATHEMATICS, "choice": CHOICE}

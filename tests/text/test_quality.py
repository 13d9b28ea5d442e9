import dataclasses
import json
from pathlib import Path

import pytest

from src.text.parsing import ParsedProblem, format_response, parse_generation
from src.text.quality import Rules, latex_balances, repeated_share

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "corpus"

GOOD = ParsedProblem(
    "A box holds 12 eggs. How many eggs are in 7 boxes?",
    "Each box holds 12 eggs, so 7 boxes hold $7 \\cdot 12 = 84$ eggs. The answer is \\boxed{84}.",
    "84",
)


def test_a_good_problem_passes():
    assert Rules().reason(GOOD) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question": "What?"}, "question too short"),
        ({"question": "Why " * 2000}, "question too long"),
        ({"solution": "\\boxed{84}"}, "solution too short"),
        ({"solution": "and then " * 2000}, "solution too long"),
        ({"answer": None}, "no boxed answer"),
        ({"answer": "because " * 40}, "boxed answer too long"),
        ({"question": GOOD.question + "\n# Guidelines\nWrite one problem."}, "leftover prompt text"),
        ({"solution": GOOD.solution + " As an AI, I hope this helps."}, "leftover prompt text"),
        ({"solution": GOOD.solution + "\n[grade_school code] The integers"}, "leftover prompt text"),
        ({"question": "Find the area of the triangle in the figure, whose base is 4."}, "refers to a missing figure"),
        ({"question": "The roof is built as shown. How high is it, if it is 8 wide?"}, "refers to a missing figure"),
        ({"question": "According to the passage, how many primes are below 20?"}, "refers to a missing passage"),
        ({"question": "Solve $x^2 = 4 for positive $x$ and give the value."}, "unbalanced LaTeX"),
        ({"solution": "It is \\frac{12}{7 times seven, so that we have \\boxed{84}."}, "unbalanced LaTeX"),
        (
            {"solution": "so we add one more and go on with it as before " * 30 + "\\boxed{84}"},
            "solution repeats itself",
        ),
    ],
)
def test_each_rule_gives_its_reason(change, reason):
    assert Rules().reason(dataclasses.replace(GOOD, **change)) == reason


@pytest.mark.parametrize(
    ("change", "off"),
    [
        ({"question": "What?"}, {"question_chars": None}),
        ({"answer": None}, {"boxed": False}),
        ({"answer": "because " * 40}, {"answer_chars": None}),
        ({"question": GOOD.question + "\n# Guidelines"}, {"leftovers": False}),
        ({"question": "How high is the roof in the figure?"}, {"missing_context": False}),
        ({"question": "Solve $x^2 = 4 for positive $x$."}, {"latex": False}),
        ({"solution": "so we add one more and go on with it as before " * 30}, {"repeated_words": None}),
    ],
)
def test_each_rule_can_be_switched_off(change, off):
    assert Rules(**off).reason(dataclasses.replace(GOOD, **change)) is None


@pytest.mark.parametrize(
    "question",
    [
        "Each cookie costs $2, and each cupcake $3. What do 3 cookies and a cupcake cost, if $1 is taken off?",
        "The graph of $y = x^2$ meets the line $y = 4$. Where is that?",
        "The values are shown in the table:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nWhat is their sum, as shown?",
        "Show the set $\\{1, 2\\}$ to have $2^2$ subsets. How many of them are there?",
    ],
)
def test_innocent_questions_pass(question):
    assert Rules().reason(dataclasses.replace(GOOD, question=question)) is None


@pytest.mark.parametrize(
    ("text", "balanced"),
    [
        ("$a$ and $$b$$", True),
        ("\\left( a \\right)", True),
        ("\\left( a ", False),
        ("a \\leftarrow b", True),
        ("\\begin{array} x \\end{array}", True),
        ("\\begin{array} x", False),
        ("\\( x \\)", True),
        ("\\( x ", False),
        ("\\[2pt] after \\\\[2pt]", False),
        ("a \\\\[2pt] b", True),
        ("} {", False),
        ("\\$5 each", True),
        ("**$19** from 3 cakes", True),
    ],
)
def test_latex_balance(text, balanced):
    assert latex_balances(text) is balanced


def test_the_repeated_share_counts_covered_words():
    assert repeated_share(["a", "b", "c", "d"], n=2) == 0
    assert repeated_share(["a", "b", "a", "b"], n=2) == 0.5
    assert repeated_share(["a"] * 11, n=10) == 10 / 11
    assert repeated_share([], n=2) == 0


def test_output_of_a_program_may_repeat_itself():
    zeros = "0 " * 400
    tool = dataclasses.replace(GOOD, solution=f"```python\nprint(0)\n```\n```output\n{zeros}\n```\nSo \\boxed{{84}}.")
    assert Rules().reason(tool) is None


@pytest.mark.parametrize(
    "options",
    [{"question_chars": (9, 3)}, {"solution_chars": (-1, 3)}, {"repeated_words": 2.0}, {"answer_chars": 0}],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Rules(**options)


@pytest.mark.skipif(not DATA.exists(), reason="the released corpora's samples are not beside the repository")
@pytest.mark.parametrize("name", ["cot", "tool", "sft"])
def test_few_rows_of_the_released_corpora_are_refused(name):
    rows = [json.loads(line) for line in (DATA / f"jiuzhang_{name}_sample.jsonl").open()]
    refused = 0
    for row in rows:
        kind = "tool" if "## Code Solution" in row["input"] else "cot"
        question = row["input"].removeprefix("## Question\n").rpartition("\n## ")[0].strip()
        result = parse_generation(format_response(question, row["output"]), kind)
        refused += not isinstance(result, ParsedProblem) or Rules(boxed=False).reason(result) is not None
    assert refused / len(rows) < 0.03

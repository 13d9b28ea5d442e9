import dataclasses
import json
import re
from itertools import accumulate, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.text import quality
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
        ({"question": "A roof is shown below. It is 8: how high is that?"}, "refers to a missing figure"),
        ({"question": "According to the passage, how many primes are below 20?"}, "refers to a missing passage"),
        ({"question": "Solve $x^2 = 4 for positive $x$ and give the value."}, "unbalanced LaTeX"),
        ({"solution": "It is \\frac{12}{7 times seven, so that we have \\boxed{84}."}, "unbalanced LaTeX"),
        ({"answer": "\\text{Proved}"}, "boxed answer that does not parse"),
        ({"answer": "\\textbf{Q.E.D.}"}, "boxed answer that does not parse"),
        ({"answer": "see above"}, "boxed answer that does not parse"),
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
        "Which of 1, 2 and 3 lie in the image of f, where f(x) = 2x for whole numbers x?",
        "A bottle holds 330 mL, as is shown on the label. How many bottles hold 3.3 liters?",
        "The clock is off by the time shown on the display. If that is 5 minutes, how many seconds are that?",
        "It is shown to be prime: 7. What is the next prime after it?",
        "The graph of $y = x^2$ meets the line $y = 4$. Where is that?",
        "The values are shown in the table:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nWhat is their sum, as shown?",
        "Show the set $\\{1, 2\\}$ to have $2^2$ subsets. How many of them are there?",
        "The matrix that she wrote is shown below:\n\n$$M = (1, 2; 3, 4)$$\n\nWhat is its determinant?",
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
        ("He gets $20-$13 = $7 back.", True),
        ("Filling one costs $900/20=$45, not $.5", True),
        ("It came to $ 572 in all", True),
        ("Each pepper costs 15$, and 3 of them 45$, which is $45", True),
        ("She makes 9 * 2 = $<<9*2=18>>18 every day.", True),
        ("It is sold for $x a bag, so for $5x.\nThen $5x = $60 and $x = $12.", True),
        ("With a wage of $10, the price is $p = 26$", True),
        ("With a wage of $10, the price is $10 + p$", True),
        ("the value of `x` in `$ContextPath`", True),
        ("With a wage of $10, the price is $p + 26 and the amount $q + 48$, so $10", False),
        ("such that $A > 0$ and $\\gcd(A, B) = X", False),
        ("- For $b = 15$, $m_1 = 35$, $m...", False),
        ("charges x_1$ for each", False),
        ("One such order is $AAAOOBB. 210. What is X?", False),
        ("$x + 1\n\nand$", False),
        ("He pays 20 $ to Jack, and Jack has 120$", True),
        ("$N = {\\text{{ways with at least }} X \\text{{ girls}}}$", True),
        ("$x + 1\n\nand 2$ for $y$", False),
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


@pytest.mark.slow
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


GERMAN = "Jede Kiste fasst zwölf Eier und sieben Kisten "


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        ({"question": "一个盒子里有12个鸡蛋。七个盒子里有多少个鸡蛋?"}, {}, "not English"),
        ({"question": GERMAN, "solution": GERMAN * 8 + "\\boxed{84}"}, {}, "not English"),
        ({"question": "Find 7 * 12. The answer is 84."}, {}, "answer in the question"),
        ({"question": "Find 7 * 12, which is \\boxed{84}, and explain."}, {}, "answer in the question"),
        ({"question": "Find 7 * 12. The answer is \\boxed{84}."}, {}, "answer in the question"),
        ({"question": "Find 7 * 12, the answer is: 7 * 12 = \\boxed{84}, and explain."}, {}, "answer in the question"),
        ({"answer": "\\frac{3}{"}, {}, "boxed answer that does not parse"),
        ({"answer": "your answer here"}, {}, "boxed answer that does not parse"),
        ({"answer": "3 +"}, {}, "boxed answer that does not parse"),
        ({"question": "How many are red? How many are blue?"}, {"questions": 1}, "several questions in one"),
        (
            {"question": "Take 12 eggs.\n(a) Halve them.\n(b) Double them."},
            {"questions": 1},
            "several questions in one",
        ),
        ({"question": "For x, (a) find its square; (b) its cube"}, {"questions": 1}, "several questions in one"),
    ],
)
def test_more_rules_give_their_reason(change, options, reason):
    changed = dataclasses.replace(GOOD, **change)
    assert Rules(repeated_words=None, **options).reason(changed) == reason
    off = Rules(repeated_words=None, english=False, leaks=False, answer_parses=False, latex=False)
    assert off.reason(changed) is None


@pytest.mark.parametrize(
    "change",
    [
        {"question": "The answer is a two-digit number with digits 8 and 4. What is 7 * 12?"},
        {"question": "If the answer is 840 when doubled tenfold, what is it?", "answer": "84"},
        {"question": "Let $α + β = 84$ and $ℝ ∋ γ$. What is $α + β$?"},
        {"answer": "[0, 84)"},
        {"answer": "\\text{none of them}"},
        {"answer": "(3, 4), (5, 6)"},
        {"answer": "\\begin{array}{ccccc}\n" + "\\\\\n".join([" & ".join(["5.66"] * 5)] * 5) + "\n\\end{array}"},
        {
            "question": "Given $A$, compute $A^3$.",
            "solution": "Note $A^3 = -I$. Then " + "".join(f"A^{n} = -A + {n} " for n in range(40)) + "-I.",
        },
    ],
)
def test_what_only_looks_like_it_passes(change):
    assert Rules().reason(dataclasses.replace(GOOD, **change)) is None


def test_terms_from_above_the_stage_are_refused_by_option():
    hard = dataclasses.replace(GOOD, question="What is the derivative of 84 x at the point 7?")
    assert Rules(stage_terms=True).reason(hard, "grade_school") == "terms from above its stage"
    assert Rules(stage_terms=True).reason(hard, "college") is None
    assert Rules().reason(hard, "grade_school") is None


def test_options_that_ask_for_no_question_are_refused():
    with pytest.raises(ValueError, match="questions must be at least 1"):
        Rules(questions=0)


PIECES = [
    "\n",
    " ",
    "The ",
    "in the ",
    "as ",
    "is ",
    "above",
    "below",
    "given ",
    "here",
    "say",
    "shown",
    "pictured",
    "ſhown",
]
PIECES += ["Figure", " 3", "diagram", "GRAPHS ", "from the ", "passage", "Text ", "described in ", "given above", "é"]
PIECES += [
    "[amc8]",
    "[any code]",
    "{example}",
    "<|end|>",
    "</s>",
    "# Guidelines",
    "as an AI",
    "here is a problem",
    "math text",
]
PIECES += ["answer", "final ", "ans", ": 84", " is 84", "\\boxed", "{84}", "[", "<"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=7).map("".join))
def test_hints_pass_over_nothing_that_the_patterns_find(text):
    problem = dataclasses.replace(GOOD, question=text)
    figure, passage = quality._MISSING_FIGURE.search(text), quality._MISSING_PASSAGE.search(text)
    lacks = "refers to a missing figure" if figure else "refers to a missing passage" if passage else None
    assert quality.missing_context(problem, Rules()) == (None if quality._HAS_FIGURE.search(text) else lacks)
    assert quality._holds_leftover(text) == (quality._LEFTOVER.search(text) is not None)
    if quality._GIVEN_AWAY.search(text):
        assert quality._hinted(text, ("boxed", "ans"))


@given(st.text(alphabet="a{}$5\n", max_size=12))
def test_a_text_without_commands_balances_by_braces_and_dollars_alone(text):
    depths = list(accumulate({"{": 1, "}": -1}.get(c, 0) for c in text)) or [0]
    braces = min(depths) >= 0 and depths[-1] == 0
    assert latex_balances(text) == (braces and _some_dollars_are_money(text))


def _some_dollars_are_money(text: str) -> bool:
    """Whether some choice of those that may be money leaves neighbours of one paragraph: all choices tried."""
    places = [place for place, sign in enumerate(text) if sign == "$"]
    money = {match.start() + match[0].index("$") for match in quality._MONEY.finditer(text)}
    for chosen in product(*((False, True) if place in money else (False,) for place in places)):
        signs = "".join("m" if is_money else "$" for is_money in chosen)
        formulas = [(places[m.start()], places[m.start() + 1]) for m in re.finditer(r"\$\$", signs)]
        if "$" not in signs.replace("$$", "") and not any("\n\n" in text[a:b] for a, b in formulas):
            return True
    return False

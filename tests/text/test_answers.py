import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.evaluation.grading import grade
from src.text.answers import extract_answer, last_number
from tests.watchdog import ends


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        ("math", r"First \boxed{1}, so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        ("number", "She has 3 + 4 = <<3+4=7>>7 left.\n#### 7", "7"),
        ("number", "#### 1,234\nQuestion: what is 5?", "1,234"),
        ("number", "The answer is 12. Then I had 5 more ideas", "12"),
        ("number", "So the final answer is: $18.50.", "18.50"),
        ("number", "So the answer is -3/4.", "-3/4"),
        ("number", r"The answer is \(\frac{3}{4}\).", r"\frac{3}{4}"),
        ("number", "I count 3 dogs and then 14 cats", "14"),
        ("number", "**Answer:** 42", "42"),
        ("number", "no figures at all", None),
        ("math", r"So $\boxed{\frac{3}{4}}$. The final answer is in simplest form.", r"\frac{3}{4}"),
        ("math", "Therefore $x=\\boxed{5}$.\n\nThe final answer is correct because it fits.", "5"),
        ("number", r"Total: \boxed{18}. The final answer is reasonable, since 18 > 0.", "18"),
        ("number", r"Of 3 boxes \boxed{18}. No, the final answer is 19.", "19"),
        ("math", "$\\boxed{5}$\n" * 4, "5"),
        ("math", r"The roots are $\boxed{4}$ and $\boxed{5}$.", "4, 5"),
        ("number", "Answer: After 4 weeks she earns $72.", "72"),
        ("number", "#### After 4 weeks, she earns $72", "72"),
        ("number", "Final Answer: All 5 friends together have 45 marbles.", "45"),
        ("number", "The answer is that 3 boxes hold 36 pencils.", "36"),
        ("number", "#### She has 5 apples left after 2 days", "5"),
        ("number", "#### After 4 weeks for 5 friends she has 72", "72"),
        ("number", "Answer: John needs 15 (3*5) apples", "15"),
        ("number", "#### $1,200 in 3 weeks", "1,200"),
        ("number", "#### about 12 of the 30", "12"),
        ("number", "#### 2 million", "2 million"),
        ("number", "The answer is 7.8 billion.", "7.8 billion"),
        ("math", "The answer is $x^2 + 1$. Done.", "x^2 + 1"),
        ("math", "The answer is 3.5 and no more", "3.5 and no more"),
        ("choice", "The answer is (C).", "C"),
        ("choice", "Answer: Option D", "D"),
        ("choice", r"\boxed{\text{(B)}}", "B"),
        ("choice", "A plane flies. So we choose (E)", "E"),
        ("choice", "A plane flies.\nB", "B"),
        ("choice", "nothing here", None),
        ("text", "We look.\nThe answer is Friday.", "Friday"),
        ("text", "We look.\nFriday", "Friday"),
        ("puzzle", "The answer is 8 * (5 - 2) = 24", "8 * (5 - 2)"),
        ("puzzle", r"\boxed{94\times4 - 61 - 6}", "94*4 - 61 - 6"),
        ("puzzle", "No idea", None),
        ("math", "The answer is 1/2, not 1/3.", "1/2"),
        ("math", "The answer is not 5 but 6.", "6"),
        ("text", "The answer is yes, but not always.", "yes, but not always"),
        ("number", "The answer is 160 - 72 = 24", "24"),
        ("math", "The answer is 160 - 72 = 24.", "24"),
        ("math", "So the answer is $160 - 72 = 24$.", "24"),
        ("number", "The answer is $160 - $72 = $88.", "88"),
        ("number", "The answer is 2 * 3 * 4 = 6 * 4 = 24 eggs, as 24 / 4 = 6.", "24"),
        ("number", "#### 12 + 12 = 24", "24"),
        ("number", r"So \boxed{3 \times 4 = 12}.", "12"),
        ("math", r"The answer is \(\frac{1}{2} + \frac{1}{4} = \frac{3}{4}\).", r"\frac{3}{4}"),
        ("math", r"\boxed{\frac{1}{2} = 0.5}", "0.5"),
        ("number", "The answer is 24 = 4 * 6", "24"),
        ("number", "The answer is 24 because 4 * 6 = 12 * 2", "24"),
        ("number", "The answer is 160 - 72 =", "160"),
        ("math", "The answer is x = 24", "x = 24"),
        ("math", "The answer is $y = 2x + 1$.", "y = 2x + 1"),
        ("math", "The answer is 2x + 4 = 10", "2x + 4 = 10"),
        ("puzzle", "The answer is 160 - 72 = 88", "160 - 72"),
        ("number", "<think>It is 5 or \\boxed{6}</think>\n#### 7", "7"),
        ("number", "<think>It is 5", None),
        ("number", "#### Step 1\nAdd 2.\nThe answer is 5.", "5"),
        ("number", "#### 1. Count\nThere are 3 boxes.\n#### 2. Add\nThat makes 30.", "30"),
        ("number", "#### 3.5\n", "3.5"),
        ("math", r"Thus the probability is \frac{5}{14}.", r"\frac{5}{14}"),
        ("math", r"so x = \sqrt{2}+1", r"\sqrt{2}+1"),
        ("math", r"We are \textbf{done} and get \frac{1}{2}", r"\frac{1}{2}"),
        ("math", r"So we have \boxed{\frac{1}{2}", None),
        ("math", "The solutions are 2 and 3.", "2 and 3"),
        ("math", "The roots are -1, 2.5, and 3/4", "-1, 2.5, and 3/4"),
        ("number", "The answer is 12 x 5 = 60.", "60"),
        ("number", "The answer is 3x5 = 15", "15"),
        ("math", "The answer is 2x = 24", "2x = 24"),
        ("choice", "b", "B"),
        ("choice", "it is a", None),
        ("number", "The answer is -$5.", "-5"),
        ("number", "The answer is 1 234 567.", "1 234 567"),
        ("number", "The answer is 3 1/2 cups.", "3 1/2"),
        ("number", "The answer is 1.5e6.", "1.5e6"),
        ("math", r"So $n = \boxed{-2}$ or $n = \boxed{1}$.", "-2, 1"),
        ("math", r"It is \boxed{4}. Check: \boxed{}", "4"),
        ("math", r"\boxed{}", None),
        ("math", r"Therefore, x = \frac{5}{14}.", r"\frac{5}{14}"),
        ("math", r"so the area is $12\pi$ square units.", r"12\pi"),
        ("math", "The answer is 7, as required.", "7"),
        ("math", "The answer is **7**.", "7"),
        ("math", "The answers are 2 and 3.", "2 and 3"),
        ("math", "Final Answer: The final answer is $[2,5)$. I hope it is correct.", "[2,5)"),
        ("math", "Answer: 4<|im_end|>\n<|im_start|>user\nAnswer: 5", "4"),
        ("choice", "\\boxed{x = 5}\n\nThe answer is (B).", "B"),
        ("choice", "(A) is low, (D) is high, so C.", "C"),
        ("choice", "I think it is A because a car is fast.", "A"),
        ("choice", "A car goes 150 km. I get 60 km/h.", None),
        ("choice", "The answer is a multiple of 5, which is (J).", "J"),
        ("math", "The answer is 42 and Tom is happy.", "42"),
        ("math", "The answer is 36, and the proof is complete.", "36"),
        ("math", r"The answer is $\frac34$, and the fraction is reduced.", r"\frac34"),
        ("math", "The answer is 42, which is even.", "42"),
        ("number", "The answer is about 42, which is 6 more than 36.", "42"),
        ("math", "The answer is 8, given that the side is 2.", "8"),
        ("math", "The answer is $12$ when $x$ is $3$.", "12"),
        ("math", "The answer is 15 (this is exact).", "15"),
        ("math", "The answer is x = 5, which is prime.", "x = 5"),
        ("math", "The answer is 2 and 3, and the proof is complete.", "2 and 3"),
        ("math", "The answer is x = 2 and y = 3, which is unique.", "x = 2 and y = 3"),
        ("math", "The answer is the number of ways, which is 12.", "12"),
        ("math", "The answer is the area, which is 12, and the proof is complete.", "12"),
        ("math", "The answer is $f(3)$, which is $12$.", "12"),
        ("math", "The answer is $x$, which is $5$.", "5"),
        ("math", r"The answer is $\frac{1}{3}$, which is $0.33$.", r"\frac{1}{3}"),
        ("number", "The answer is 3 times 4, which is 12.", "12"),
        ("number", "The answer is 1/2 of 10, that is, 5.", "5"),
        ("number", "The answer is 3 boxes of 12 pencils, which is 36 pencils.", "36"),
        ("choice", "The answer is 15 km/h, so B is correct.", "B"),
        ("choice", "A is the correct answer.", "A"),
        ("choice", "So A is correct.", "A"),
        ("choice", "Therefore, A is right because B has no mass.", "A"),
        ("choice", "Hence **A** is the answer", "A"),
        ("choice", "Therefore A is correct and B is wrong.", "A"),
        ("choice", "A is correct only if x > 2. Hence D.", "D"),
        ("choice", "A is correct, it seems. No: we forgot a sign, hence D.", "D"),
        ("choice", "Statement A is correct. So D.", "D"),
        ("choice", "The option A is wrong, so C is correct.", "C"),
        ("choice", r"So \boxed{15}. Option B is correct.", "B"),
    ],
)
def test_extracts(kind, text, answer):
    assert extract_answer(text, kind) == answer


@pytest.mark.parametrize(
    ("text", "gold", "correct"),
    [
        (r"\boxed{3, 5}", "3", False),
        (r"\boxed{3 or 5}", "3", False),
        (r"\boxed{3} or \boxed{5}", "3", False),
        ("The answer is 3 and 5.", "3", False),
        (r"\boxed{2x+3}", "2", False),
        (r"\boxed{2(x+1)}", "2", False),
        (r"\boxed{2xy}", "2", False),
        (r"\boxed{x>3}", "3", False),
        (r"\boxed{3 < x}", "3", False),
        (r"\boxed{±3}", "3", False),
        (r"\boxed{5!}", "5", False),
        (r"\boxed{5!}", "120", True),
        ("So the answer is 5!", "5", True),
        (r"\boxed{5½}", "5", False),
        (r"\boxed{5½}", "5.5", True),
        ("#### 5 + 3", "5", False),
        ("#### 5 + 3", "8", True),
        (r"\boxed{10^6}", "10", False),
        (r"\boxed{10^6}", "1000000", True),
        (r"\boxed{10-15}", "10", False),
        (r"\boxed{3√2}", "3", False),
        (r"\boxed{3*4}", "12", True),
        ("The answer is 12 x 2.", "24", True),
        ("#### 3:4", "3", False),
        (r"\boxed{1,000}", "1000", True),
        ("#### $1,500/month", "1500", True),
        ("#### $18/day", "18", True),
        (r"\boxed{50%}", "50", True),
        ("#### 9 m/s^2", "9", True),
        ("#### 5 m²", "5", True),
        ("#### 5 °", "5", True),
        ("#### 3:00 pm", "3", True),
        ("#### 3:00", "3", True),
        ("#### 12 (3 * 4)", "12", True),
        ("#### => 7", "7", True),
        ("#### 5 *", "5", True),
        ("#### P(X > 2) = 0.3", "0.3", True),
        ("#### x = 5", "5", True),
        ("The answer is m + n = 37.", "37", True),
        ("So $m + n = 20 + 17 = 37$", "37", True),
        ("#### m + n = 3 or m + n = 5", "5", False),
        ("#### x^2 >= 9", "9", False),
        ("#### 5! = 120", "120", True),
        (r"\boxed{3×10^5}", "300000", True),
        (r"\boxed{9π ≈ 28.27}", "28.27", True),
        ("#### 5 cc", "5", True),
        ("#### 3个苹果", "3", True),
    ],
)
def test_a_number_is_all_that_an_answer_says(text, gold, correct):
    """A wrong answer that begins with the right number is wrong, and a calculation is worth what it comes to."""
    assert grade(gold, extract_answer(text, "number"), "number").correct is correct


@pytest.mark.parametrize(
    ("text", "gold", "correct"),
    [
        ("The answer is 7m.", "7", True),
        ("#### 7L", "7", True),
        ("#### 7g", "7", True),
        ("#### 7s", "7", True),
        ("#### 7h", "7", True),
        ("#### 7/h", "7", True),
        ("#### 7m/s", "7", True),
        ("#### 7m^2", "7", True),
        ("#### 7°C", "7", True),
        ("3 + 4 = 7m.", "7", True),
        ("$72g$", "72", True),
        ("#### 25c", "25", True),
        ("#### 25p", "25", True),
        ("#### 3/4L", "3/4", True),
        ("#### 7x", "7", False),
        ("#### 7n", "7", False),
        ("#### 7/x", "7", False),
        ("#### 7m + 2", "7", False),
        ("#### 7m(2)", "7", False),
        ("#### 7h^2", "7", False),
        ("#### 7h 30m", "7", False),
        ("#### 7 h 30", "7", False),
        ("#### 13 R 1", "13", True),
    ],
)
def test_a_unit_may_stand_against_its_number(text, gold, correct):
    """The letters that units have; any other letter is an unknown."""
    assert grade(gold, extract_answer(text, "number"), "number").correct is correct


@pytest.mark.parametrize(
    ("text", "correct"),
    [
        ("#### 72 #### 72", True),
        ("#### 72 #### 5", True),
        ("#### 72 72 72", True),
        ("#### 72, 72", True),
        (r"\boxed{72 and 72}", True),
        ("#### <b>72</b>", True),
        ("The answer is <b>72</b>.", True),
        ("<b>#### 72</b>", True),
        ('#### <span style="color: red">48 + 24 = 72</span><br/>', True),
        ("#### 72 </b>", True),
        ("#### 72 | 5", True),
        ("#### 72 [A]", True),
        ("#### 72 — 48 + 24", True),
        ("#### 72m — 48 + 24", True),
        ("#### 72 5", True),
        ("#### 72, 5", False),
        ("#### 72, 72, 5", False),
        ("#### 72, 725", False),
        ("#### 72; 5", False),
        ("#### 72 and 5", False),
        ("#### 72 or 5", False),
        ("#### 72 to 80", False),
        ("#### 72:5", False),
        ("#### 72 - 48", False),
        ("#### 72–80", False),
        ("#### 72—80", False),
        ("#### 72 + $5", False),
        ("#### 72<x", False),
    ],
)
def test_what_is_said_again_or_marked_up_is_one_number(text, correct):
    """Another number counts only where a sign or a word joins it."""
    assert grade("72", extract_answer(text, "number"), "number").correct is correct


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<|im_start|>assistant\nThe answer is 5.<|im_end|>", "5"),
        ("<|assistant|>\nThe answer is 5.</s>\n<|user|>\nThe answer is 6.", "5"),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nThe answer is 5.<|eot_id|>", "5"),
        ("<s> The answer is 5.</s>", "5"),
        ("<start_of_turn>model\nThe answer is 5.", "5"),
        ("<｜Assistant｜><think>It is 6.</think>\n\nThe answer is 5.", "5"),
        ("<think>It is 6.</think><|im_start|>assistant\nThe answer is 5.", "5"),
        ("<|im_start|>5<|im_end|>", "5"),
        ("<|im_end|>\nThe answer is 5.", None),
        ("<|im_start|>user\nThe answer is 5.<|im_end|>", None),
        ("<|user|>\nThe answer is 5.", None),
    ],
)
def test_markers_around_a_turn_are_no_part_of_it(text, answer):
    assert extract_answer(text, "math") == answer


def test_an_unclosed_box_is_no_box():
    assert extract_answer(r"The answer is 5. \boxed{7", "number") == "5"


def test_what_is_endless_is_no_answer():
    assert extract_answer("\\boxed{" + "9" * 3000 + "}", "math") is None


@given(st.integers(-(10**9), 10**9))
def test_every_integer_is_found_last(n):
    assert last_number(f"First 12, then {n} and so on") == str(n)


NASTY = {
    "spaces": "answer" + " " * 100_000,
    "newlines": "\n" * 100_000,
    "brackets": "(" * 100_000,
    "boxes": r"\boxed{" * 20_000,
    "digits": "1" * 100_000,
    "commas": "1,111" * 20_000,
    "minus": "-" * 100_000,
    "sums": "1+" * 50_000,
    "answers": "the answer is " * 8_000,
    "stars": "**" * 50_000,
    "sides": "the answer is " + "1+1=" * 100 + "\n####" + "1=" * 50_000,
    "nul": "\x00" * 100_000,
    "arabic digits": "٣" * 50_000,
    "letters": "A " * 50_000,
    "verbs": "the answer is 5" + ", which is f(3)" * 8_000,
    "tags": "the answer is 5 " + "<b " * 50_000,
    "the same": r"\boxed{7" + " 7" * 9_000 + "}",
    "markers": "<|im_start|> " * 8_000,
    "right letters": "A is correct " * 8_000,
}


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("kind", ["number", "math", "choice", "text", "puzzle"])
def test_babble_is_read_without_backtracking(name, kind):
    with ends():
        extract_answer(NASTY[name], kind)

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.evaluation.grading import WRONG, Grader, Pair, Verdict, as_number, grade, vote_key
from src.evaluation.grading import grader as module
from tests.watchdog import ends


@pytest.mark.parametrize(
    ("gold", "answer", "kind", "verdict"),
    [
        ("5", "5", "math", Verdict(True, "string")),
        ("5", "5.0", "number", Verdict(True, "number")),
        ("15%", "0.15", "math", Verdict(True, "number")),
        (r"3\sqrt{13}", r"\sqrt{117}", "math", Verdict(True, "symbol")),
        (r"\text{east}", "East", "math", Verdict(True, "string")),
        ("5", "6", "math", Verdict(False, "different")),
        ("5", "nobody knows", "math", Verdict(False, "unparsable")),
        ("5", " ", "math", Verdict(False, "no answer")),
        ("5", None, "math", Verdict(False, "no answer")),
        ("5", "5" * 3_000, "math", Verdict(False, "unparsable")),
        ("1", "9^{9^{9^9}}", "math", Verdict(False, "limit")),
        ("C", "(C)", "choice", Verdict(True, "string")),
        ("C", "D", "choice", Verdict(False, "different")),
        ("5", "5.0", "text", Verdict(False, "different")),
        ("24 from 8, 5, 10, 6", "10*(8 - 5) - 6", "puzzle", Verdict(True, "number")),
    ],
)
def test_a_verdict_has_its_reason(gold, answer, kind, verdict):
    assert grade(gold, answer, kind) == verdict


NASTY = {
    "tower": "9^{9^{9^{9^{9^9}}}}",
    "factorials": "((100000!)!)!",
    "unclosed": r"\frac{1}{" + "{" * 200,
    "deep": "(" * 900 + "1" + ")" * 900,
    "long": "1+" * 999 + "1",
    "digits": "٣٤",
    "superscripts": "x²³⁴⁵⁶⁷⁸⁹",
    "full-width tower": "９^{９^{９^{９^{９^９}}}}",
    "mathematical digits": "𝟗" * 1_000,
    "1,900 digits": "9" * 1_900,
    "huge exponent": "1e999999999",
    "huge power": "2^{10^{12}}",
    "roots in roots": "\\sqrt{" * 200 + "2" + "}" * 200,
    "fractions in fractions": "\\frac{1}{" * 150 + "2" + "}" * 150,
    "words in words": "\\text{" * 300 + "2" + "}" * 300,
    "matrix": r"\begin{pmatrix}" + r"1 & 2 \\ " * 150 + r"\end{pmatrix}",
    "power of a matrix": r"\begin{pmatrix}x & 2 \\ 3 & 4\end{pmatrix}^{20}" * 20,
    "spaces": " " * 1_900 + "1 " * 40,
    "words": "1" + " apples" * 280,
    "controls": "\x1b[31m\r\b\x7f\u202e\ufeff1",
    "nul": "1\x002",
    "surrogate": "\ud800",
    "endless sum": r"\sum_{k=1}^{10^{12}} \sin(k)^k",
    "sums of sums": r"\sum_{i=1}^{999} \sum_{j=1}^{999} \sum_{k=1}^{999} \sin(i^j)",
    "long product": r"\prod_{k=1}^{2000} (x+k)^{k}",
    "expansion": "(a+b+c+d+e+f+g)^{60} - (a+b+c+d+e+f+h)^{60}",
    "binomial": r"\binom{10^{9}}{5 \cdot 10^{8}}",
    "large angle": r"\sin(10^{9000}) + \Gamma",
    "long list": "1," * 900 + "2",
    "newline": "x\ny",
    "code": "__import__('os').system('touch /tmp/oops')",
}


@pytest.mark.parametrize(
    "answer", ["77°F", r"77^\circ F", r"77^{\circ}\text{F}", "77 degrees F", "77 degrees Fahrenheit"]
)
def test_degrees_fahrenheit_are_read(answer):
    assert grade(answer, "77").correct and grade(answer, r"77^\circ\mathrm{F}").correct
    assert not grade(answer, r"77^\circ C").correct


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("gold", [r"x^2 + \sqrt{2}", "(1, 2)", "7"])
def test_no_answer_takes_long_or_is_called_right(name, gold):
    with ends():
        verdict = grade(gold, NASTY[name])
    assert verdict == grade(gold, NASTY[name])
    assert not verdict.correct
    assert verdict.reason in WRONG


@given(st.text(alphabet=" 1,.{}()[]\\$%^_=+-/abandort\n\u0663²½", min_size=1, max_size=40), st.integers(1, 50))
@settings(max_examples=60)
def test_repeated_debris_is_graded_at_once(piece, times):
    """No pattern backtracks: the longest answers there may be take a fraction of a second."""
    with ends():
        grade("x+1", (piece * times)[:2_000])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.5", "2469/2"),
        (r"1\frac{4}{5}", "9/5"),
        ("15%", "3/20"),
        ("5 cm", "5"),
        ("6e3", "6000"),
        ("x", None),
        ("1/0", None),
    ],
)
def test_the_number_that_an_answer_states(text, number):
    assert str(as_number(text)) == str(number)


def test_answers_that_are_plainly_the_same_vote_together():
    assert vote_key("0.5") == vote_key(r"\frac{1}{2}") != vote_key("0.6")
    assert vote_key("Yes.") == vote_key(r"\text{yes}") != vote_key("no")
    assert vote_key("5 cm") != vote_key("5 m")
    assert vote_key("10") != vote_key("a")


@pytest.mark.parametrize(
    ("answer", "alike", "other"),
    [
        ("2023!", r"2023 \cdot 2022!", "2022!"),
        ("2023^{2023}", r"2023 \cdot 2023^{2022}", "2023^{2022}"),
        ("10^{5000}", r"100 \cdot 10^{4998}", "-10^{5000}"),
        (r"\frac{1}{10^{5000}}", "10^{-5000}", "10^{5000}"),
    ],
)
def test_numbers_of_thousands_of_digits_vote(answer, alike, other):
    """Python writes out no whole number of more than 4,300 digits: one such answer ended a whole evaluation."""
    assert vote_key(answer) == vote_key(alike) != vote_key(other)


@pytest.mark.parametrize("answer", [*NASTY.values(), "9" * 5_000, "9" * 5_000 + " out of 3", ""])
def test_whatever_the_answer_is_it_votes(answer):
    with ends():
        assert vote_key(answer) == vote_key(answer)


@pytest.mark.slow
def test_many_pairs_are_graded_on_processes_and_a_killed_one_costs_nothing(monkeypatch):
    monkeypatch.setattr(module, "MANY", 100)
    pairs = [Pair(f"\\sqrt{{{2 * n * n}}}", f"{n + n % 2}\\sqrt{{2}}") for n in range(1, 600)]
    with Grader(workers=2) as grader:
        verdicts = grader.grade_all([*pairs, *pairs])
        for process in grader._pool._processes.values():
            process.kill()
        again = grader.grade_all(pairs)
    assert [verdict.correct for verdict in verdicts] == [n % 2 == 0 for n in range(1, 600)] * 2
    assert again == verdicts[:599]

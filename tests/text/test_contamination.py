import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.text.contamination import ContaminationIndex, Decontamination, Overlap
from src.text.normalise import normalise
from src.text.spelling import comparison_key

QUESTION = "A train leaves Bern at noon and drives 90 km each hour. When has it driven 225 km in all?"
DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def index():
    return ContaminationIndex([("exam", "q1", QUESTION), ("quiz", "q2", "What is 2 + 2?")], ngram=13)


def test_the_same_question_is_found_in_another_dress(index):
    dressed = f"  {QUESTION.upper().replace(',', ' ;')} "
    assert index.find(dressed) == Overlap("exam", "q1", "same question")
    assert index.find("what is $2 + 2$") == Overlap("quiz", "q2", "same question")


def test_thirteen_shared_words_are_found_and_twelve_are_not(index):
    words = QUESTION.split()
    assert index.find("Once: " + " ".join(words[3:16])) == Overlap("exam", "q1", "shared words")
    assert index.find("Once: " + " ".join(words[3:15])) is None


def test_other_numbers_make_another_question(index):
    assert index.find("What is 2 + 3?") is None


def test_without_ngrams_only_whole_questions_count():
    index = ContaminationIndex([("exam", "q1", QUESTION)], ngram=None)
    assert index.find(QUESTION) is not None
    assert index.find(QUESTION + " Say why.") is None


def test_a_reworded_question_is_near_by_option():
    reworded = QUESTION.replace("Bern", "Rome")
    assert ContaminationIndex([("exam", "q1", QUESTION)], 13, near=0.7).find(reworded) is not None
    index = ContaminationIndex([("quiz", "q0", "What is 2 + 2?"), ("exam", "q1", QUESTION)], None, near=0.7)
    assert index.find(reworded) == Overlap("exam", "q1", "near question")
    assert index.find(QUESTION) == Overlap("exam", "q1", "same question")
    assert index.find("A train leaves Rome, and nobody knows when it will have driven 225 km in all.") is None
    assert ContaminationIndex([("exam", "q1", QUESTION)], None, near=0.95).find(reworded) is None


def test_many_are_looked_up_at_once_as_one_by_one(index):
    texts = ["nothing", QUESTION, "", "what is 2 + 2", "Once: " + " ".join(QUESTION.split()[3:16])]
    alone = {place: found for place, text in enumerate(texts) if (found := index.find(text))}
    assert index.find_all([comparison_key(text) for text in texts]) == alone and alone.keys() == {1, 3, 4}
    assert ContaminationIndex([], 13).find_all(["what"]) == {}


def test_short_grams_are_refused():
    with pytest.raises(ValueError, match="at least 5"):
        Decontamination(ngram=3)
    with pytest.raises(ValueError, match="near must lie"):
        Decontamination(near=0.2)


FORMULA = r"Compute $\dfrac{3}{4} \times \left(8 + 2^{3}\right)$, then add $1{,}000 \cdot x_{1}$ if $x_1 \leq 5$."
SPELLINGS = (
    r"Compute \(\frac{3}{4}\cdot(8+2^3)\), then add \(1,000\times x_1\) if \(x_{1}\le 5\).",
    "Compute 3/4 * (8 + 2³), then add 1000·x_1 if x_1 <= 5.",
    r"compute $$\tfrac34 \; \times \; ( 8+2^3 )$$ then add $1000 x_1$ if $x_1 \leqslant 5$".replace(
        "1000 x", "1000 * x"
    ),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_formulas_are_compared_in_one_spelling(spelling):
    index = ContaminationIndex([("exam", "q1", FORMULA)], ngram=None)
    assert index.find(spelling) == Overlap("exam", "q1", "same question")
    assert index.find(spelling.replace("8", "9")) is None


@pytest.mark.parametrize("tail", ["Give your answer as an integer.", "Show your work, step by step.", "(5 points)"])
def test_a_question_with_something_added_is_found(tail):
    index = ContaminationIndex([("exam", "q1", QUESTION), ("quiz", "q2", "What is the value of 3x + 1?")], ngram=13)
    assert index.find(f"{QUESTION} {tail}") == Overlap("exam", "q1", "shared words")
    assert index.find(f"Think. What is the value of $3x+1$? {tail}") == Overlap("quiz", "q2", "question inside")


def test_thirteen_signs_of_a_bare_formula_are_chance():
    asked = "Solve x^2 + 2x + 1 + 3y = 4x + 5y + 6 for y when x is known to be small."
    index = ContaminationIndex([("exam", "q1", asked)], ngram=13)
    assert index.find("Let x^2 + 2x + 1 + 3y = 4x + 5y + 6 be a curve.") is None
    assert index.find("First solve x^2 + 2x + 1 + 3y = 4x + 5y + 6 for y when x is known to be small.") is not None


def test_of_generated_benchmarks_only_whole_questions_count():
    """Thirteen words and near questions do not: an honest problem of the same template has them."""
    index = ContaminationIndex([("made", "q1", QUESTION), ("exam", "q2", QUESTION[::-1])], 13, 0.7, generated={"made"})
    assert index.find(QUESTION) == Overlap("made", "q1", "same question")
    assert index.find(QUESTION + " Say why.") == Overlap("made", "q1", "question inside")
    assert index.find(QUESTION.replace("Bern", "Rome")) is None and index.find(QUESTION.replace("225", "226")) is None


QUOTED = "First we read the task again. {} Now we solve it: $225 / 90 = 2.5$, so at half past two."


@pytest.mark.parametrize("generated", [set(), {"exam", "quiz"}])
@pytest.mark.parametrize(
    ("asked", "quoted"),
    [
        (QUESTION, QUESTION),
        (QUESTION, f"**Question:** {QUESTION.upper()}"),
        ("What is the value of $3x + 1$?", r"What is the value of \(3x+1\)?"),
        (
            r"Find $\frac{1}{2} + 3 \cdot 4$ as a fraction in lowest terms.",
            "Find 1/2 + 3×4 as a fraction in lowest terms.",
        ),
    ],
)
def test_a_question_quoted_in_a_solution_is_found(asked, quoted, generated):
    others = [("quiz", str(n), f"{QUESTION} And {n} more?") for n in range(3)]  # which begin as it does
    index = ContaminationIndex([*others, ("exam", "q1", asked)], 13, 0.8, generated)
    found = index.find_rows(["how late", "how late"], [comparison_key(QUOTED.format(quoted)), "no such thing"])
    how = "question inside" if generated or len(comparison_key(asked).split()) < 13 else "shared words"
    assert found.keys() == {0} and found[0].how == f"{how} in the solution"
    assert found[0].benchmark == "exam" or (asked == QUESTION and not generated)  # 13 words are in those others too
    assert index.find_rows([comparison_key(asked)], [comparison_key(quoted)])[0] == Overlap(
        "exam", "q1", "same question"
    )


@pytest.mark.parametrize("tail", ["+ 3", "* 3", " / 3"])
def test_a_formula_that_goes_on_is_no_whole_question(tail):
    index = ContaminationIndex([("made", "q1", "Find the whole sum of 12 + 34")], 13, generated={"made"})
    assert index.find_inside([comparison_key(f"Find the whole sum of 12 + 34 {tail} at once.")]) == {}
    assert index.find_inside([comparison_key("Find the whole sum of 12 + 34. It is 46.")]).keys() == {0}
    assert index.find_inside([comparison_key("Find the whole sum of 12 +")]) == {}


def test_the_worked_solution_of_another_problem_repeats_nothing():
    """An honest solution that takes up its own question's words, where an exam asks of the same scene."""
    index = ContaminationIndex([("exam", "q1", QUESTION)], 13, 0.8)
    solution = "The train drives 90 km each hour, so that it has driven 225 km after 225 / 90 = 2.5 hours in all."
    assert index.find_rows(["when does a train arrive"], [comparison_key(solution)]) == {}


def test_pictures_in_common_are_chance():
    drawing = '[asy]\ndraw((0,0)--(3,0)--(3,2)); label("A", A, NW); label("B", B, SE); dot(A); dot(B); dot(C);\n[/asy]'
    index = ContaminationIndex([("exam", "q1", f"How long is the side that is dashed? {drawing}")], 13)
    assert index.find(f"{drawing} Which of these angles is right, and which are the others?") is None


@given(
    st.lists(st.lists(st.sampled_from(["alpha", "beta", "gamma", "12"]), min_size=1, max_size=18), max_size=5),
    st.lists(st.lists(st.sampled_from(["alpha", "beta", "gamma", "12"]), max_size=40), min_size=1, max_size=4),
)
def test_generated_questions_are_found_wherever_they_stand_whole(asked, written):
    index = ContaminationIndex([("made", str(n), " ".join(q)) for n, q in enumerate(asked)], 13, generated={"made"})
    slow = {
        place
        for place, text in enumerate(written)
        for q in asked
        if len(q) >= 6 and sum(word != "12" for word in q) >= min(4, len(q) // 2)
        if any(text[at : at + len(q)] == q for at in range(len(text)))
    }
    assert index.find_inside([" ".join(text) for text in written]).keys() == slow


def test_other_numbers_and_names_are_the_same_family():
    asked = "Tom has 5 apples and buys 7 more apples at the big market. How many apples has he?"
    index = ContaminationIndex([("exam", "q1", asked), ("made", "q2", "A bag of 3 red pens and 2 blue pens")], 13, 0.8)
    again = asked.replace("Tom", "Ann").replace("he?", "she?").replace("5", "19").replace("7", "23")
    assert index.find_families(["What is 2 + 3?", again]) == {1: Overlap("exam", "q1", "same family")}


words = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "12", "34"]), max_size=30)


@given(words, words, st.integers(5, 8))
def test_an_overlap_is_found_exactly_when_there_is_one(asked, written, n):
    found = ContaminationIndex([("b", "q", " ".join(asked))], n).find(" ".join(written)) is not None
    length = len(asked) if 6 <= len(asked) < n else n
    grams = [{tuple(w[i : i + length]) for i in range(len(w) - length + 1)} for w in (asked, written)]
    shared = {gram for gram in grams[0] & grams[1] if sum(word.isalpha() for word in gram) >= min(4, length // 2)}
    assert found == bool((asked and asked == written) or shared)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="no sample data beside the repository")
def test_planted_gsm8k_questions_are_found_among_real_problems():
    asked = [json.loads(line)["question"] for line in (DATA / "benchmarks" / "gsm8k.jsonl").open()]
    index = ContaminationIndex((("gsm8k", str(i), q) for i, q in enumerate(asked)), ngram=13)
    corpus = [json.loads(line)["input"] for line in (DATA / "corpus" / "jiuzhang_cot_sample.jsonl").open()]
    assert sum(index.find(text) is not None for text in corpus) / len(corpus) < 0.01
    assert all(index.find(f"Here is a riddle. {q} Good luck!") for q in asked if len(q.split()) > 15)
    solutions = [
        comparison_key(normalise(json.loads(line)["output"]))
        for line in (DATA / "corpus" / "jiuzhang_cot_sample.jsonl").open()
    ]
    assert index.find_inside(solutions) == {}
    planted = [f"{s} {comparison_key(normalise(q))} {s}" for s, q in zip(solutions, asked) if len(q.split()) > 15]
    assert len(index.find_inside(planted)) == len(planted)

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.text.contamination import ContaminationIndex, Decontamination, Overlap
from src.text.normalise import question_key

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
    assert index.find_all([question_key(text) for text in texts]) == alone and alone.keys() == {1, 3, 4}
    assert ContaminationIndex([], 13).find_all(["what"]) == {}


def test_short_grams_are_refused():
    with pytest.raises(ValueError, match="at least 5"):
        Decontamination(ngram=3)
    with pytest.raises(ValueError, match="near must lie"):
        Decontamination(near=0.2)


words = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "12", "34"]), max_size=30)


@given(words, words, st.integers(5, 8))
def test_an_overlap_is_found_exactly_when_there_is_one(asked, written, n):
    found = ContaminationIndex([("b", "q", " ".join(asked))], n).find(" ".join(written)) is not None
    grams = [{tuple(w[i : i + n]) for i in range(len(w) - n + 1)} for w in (asked, written)]
    assert found == bool((asked and asked == written) or grams[0] & grams[1])


@pytest.mark.skipif(not DATA.exists(), reason="no sample data beside the repository")
def test_planted_gsm8k_questions_are_found_among_real_problems():
    asked = [json.loads(line)["question"] for line in (DATA / "benchmarks" / "gsm8k.jsonl").open()]
    index = ContaminationIndex((("gsm8k", str(i), q) for i, q in enumerate(asked)), ngram=13)
    corpus = [json.loads(line)["input"] for line in (DATA / "corpus" / "jiuzhang_cot_sample.jsonl").open()]
    assert sum(index.find(text) is not None for text in corpus) / len(corpus) < 0.01
    assert all(index.find(f"Here is a riddle. {q} Good luck!") for q in asked if len(q.split()) > 15)

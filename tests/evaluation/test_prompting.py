import pytest

from src.evaluation.benchmark import FileBenchmark
from src.evaluation.exemplars import EXEMPLARS
from src.evaluation.grading import quick_verdict
from src.evaluation.prompting import full_text, prompting
from src.evaluation.question import Question
from src.text.answers import extract_answer

PLAIN = Question("What is 1 + 1?", "2")
CHOICE = Question("Which is prime?", "B", choices=("51", "53"))


def benchmark(**options):
    return FileBenchmark(path="x.jsonl", fields={"question": "q", "answer": "a"}, **options)


def test_the_corpus_style_is_the_corpus_format():
    way = prompting("corpus", "unused")
    assert way.write(PLAIN, benchmark()) == "## Question\nWhat is 1 + 1?\n\n## Solution\n"
    assert "## Question" in way.stop


def test_choices_are_lettered():
    assert full_text(CHOICE) == "Which is prime?\n(A) 51\n(B) 53"


def test_few_shots_end_where_the_answer_begins():
    way = prompting("few_shot", "unused", shots=4)
    prompt = way.write(PLAIN, benchmark())
    assert prompt.count("Question:") == 5
    assert prompt.endswith("Question: What is 1 + 1?\nAnswer:")
    assert any(stop in prompt for stop in way.stop)  # a model that goes on with another question is stopped


@pytest.mark.parametrize("name", EXEMPLARS)
def test_exemplars_give_an_answer_that_the_extraction_finds(name):
    kind = "choice" if name == "choice" else "math"
    for question, answer in EXEMPLARS[name]:
        assert question
        found = extract_answer(answer, kind)
        assert found and quick_verdict(found, found, kind).correct
        assert len(found) < 20

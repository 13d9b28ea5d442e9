"""No student learns from rows that nobody compared with its examination."""

from types import SimpleNamespace

import pytest

from src.cleaning.gate import QUESTIONS, compared, gate, write_checked
from src.core.errors import UserError
from src.core.records import Example
from src.text.contamination import Decontamination


class Exam:
    def __init__(self, *texts):
        self.texts = texts

    def questions(self):
        return [SimpleNamespace(id=str(n), text=text) for n, text in enumerate(self.texts)]


QUIZ, TEST = Exam("What is 2 + 2?", "What is 3 + 3?"), Exam("Name a prime above 7.")


WHOLE = Decontamination()


def cleaned(folder, benchmarks, how=WHOLE):
    folder.mkdir()
    write_checked(folder, how, how.index(benchmarks) if how else None, sorted(benchmarks))
    return {"corpus": folder}


def test_a_checked_corpus_passes_under_whatever_name_and_in_part(tmp_path):
    corpora = cleaned(tmp_path / "c", {"quiz": QUIZ, "test": TEST})
    assert gate(corpora, {"renamed": QUIZ}, "refuse") == {"unchecked_questions": 0}
    assert gate(corpora, {"part": Exam("what is 2 + 2")}, "refuse") == {"unchecked_questions": 0}
    assert gate(corpora, {}, "refuse") == {"unchecked_questions": 0}


def test_an_unchecked_one_is_refused_and_the_missing_named(tmp_path, caplog):
    corpora = cleaned(tmp_path / "c", {"quiz": QUIZ})
    with pytest.raises(UserError, match=r"corpus: 1 of test\)[\s\S]*pretrain\.unchecked=allow"):
        gate(corpora, {"quiz": QUIZ, "test": TEST}, "refuse")
    assert gate(corpora, {"quiz": QUIZ, "test": TEST}, "allow") == {"unchecked_questions": 1}
    assert "not checked against" in caplog.text


@pytest.mark.parametrize("never", ["decontamination off", "no such file"])
def test_a_corpus_that_was_compared_with_nothing_is_refused(tmp_path, never):
    folder = tmp_path / "c"
    corpora = cleaned(folder, {"quiz": QUIZ}, how=None)
    if never == "no such file":
        (folder / QUESTIONS).unlink()
    with pytest.raises(UserError, match="2 of quiz"):
        gate(corpora, {"quiz": QUIZ}, "refuse")


def test_whole_questions_are_enough_only_where_templates_made_them(tmp_path):
    corpora = cleaned(tmp_path / "c", {"quiz": QUIZ}, how=Decontamination(ngram=None, near=None))
    with pytest.raises(UserError, match="2 of quiz"):
        gate(corpora, {"quiz": QUIZ}, "refuse")
    made = Exam(*QUIZ.texts)
    made.generated = True
    assert gate(corpora, {"quiz": made}, "refuse") == {"unchecked_questions": 0}


def test_rows_of_a_fine_tuning_set_are_told_what_they_repeat():
    asked = "Name the smallest prime number above seven that ends in the digit three, if there is any."
    prompts = ["## Question\nWhat is 5 + 5?\n\n## Solution\n", f"{asked} Answer briefly.", "What is 2 + 2?"]
    rows = [Example(str(n), "s", prompt, "4") for n, prompt in enumerate(prompts * 1_000)]
    index = Decontamination().index({"quiz": QUIZ, "exam": Exam(asked)})
    found = list(compared(lambda: iter(rows), index))
    assert [row for row, _ in found] == rows
    assert [o and o.benchmark for _, o in found] == [None, "exam", "quiz"] * 1_000


@pytest.mark.parametrize("generated", [False, True])
@pytest.mark.parametrize("place", ["response", "worked example", "chat template"])
def test_a_question_anywhere_in_a_fine_tuning_row_is_found(place, generated):
    asked = "A pen costs 3 coins more than a pencil, and both cost 11 coins. What does the pen cost?"
    exam = Exam(asked)
    exam.generated = generated
    prompt, response = {
        "response": ("Give a problem and solve it.", f"Problem: {asked}\nSolution: 7 coins."),
        "worked example": (f"Question: {asked}\nAnswer: 7\n\nQuestion: What is 5 + 5?\nAnswer:", "10"),
        "chat template": (f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n", "7"),
    }[place]
    index = Decontamination().index({"exam": exam})
    for numbers, repeats in (("11", True), ("13", False)):
        row = Example("r", "s", *(text.replace("11", numbers) for text in (prompt, response)))
        ((_, found),) = compared(lambda row=row: iter([row]), index)
        assert (found is not None) == repeats


def test_a_damaged_list_is_named(tmp_path):
    corpora = cleaned(tmp_path / "c", {"quiz": QUIZ})
    (tmp_path / "c" / QUESTIONS).write_bytes(b"\x93NUMPY torn")
    with pytest.raises(UserError, match="is damaged"):
        gate(corpora, {"quiz": QUIZ}, "refuse")

"""No student learns from rows that nobody compared with its examination."""

from types import SimpleNamespace

import pytest

from src.cleaning.gate import QUESTIONS, gate, write_checked
from src.core.errors import UserError
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


def test_a_damaged_list_is_named(tmp_path):
    corpora = cleaned(tmp_path / "c", {"quiz": QUIZ})
    (tmp_path / "c" / QUESTIONS).write_bytes(b"\x93NUMPY torn")
    with pytest.raises(UserError, match="is damaged"):
        gate(corpora, {"quiz": QUIZ}, "refuse")

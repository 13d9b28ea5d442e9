from __future__ import annotations

import pytest

from src.core.errors import UserError
from src.evaluation.benchmark import FileBenchmark, HubBenchmark, ProceduralBenchmark
from src.selection.ngram import NGram
from tests.selection.conftest import Families


class TestSplitOnly:
    """A benchmark that has nothing but its test questions."""

    __test__ = False

    def dev_examples(self):
        raise UserError("numbers has no training or dev part.", "Choose another benchmark as target.")


def test_a_target_that_only_has_a_test_split_is_refused_by_name():
    with pytest.raises(UserError, match=r"target 'exam' cannot be used: numbers has no training or dev part"):
        NGram(top_k=1, targets={"exam": TestSplitOnly()}).target_examples()


def test_test_questions_declared_as_dev_part_are_refused(tmp_path):
    file = str(tmp_path / "rows.jsonl")
    fields = {"question": "question", "answer": "answer"}
    exam = FileBenchmark(path=file, dev_path=file, version=1, fields=fields)
    with pytest.raises(ValueError, match=r"'exam' would choose by its own test questions \(dev_path: .*rows.jsonl"):
        NGram(top_k=1, targets={"exam": exam})
    hub = HubBenchmark(repo="a/b", split="main", dev_split="test", version=1, fields=fields)
    with pytest.raises(ValueError, match=r"dev_split: test"):
        NGram(top_k=1, targets={"exam": hub})


def test_a_benchmark_of_test_questions_gives_its_dev_ones():
    """Whatever split a benchmark asks, targets never see it."""
    unseen = ProceduralBenchmark(split="unseen", n=5, version=1)
    asked = {question.text for question in unseen.questions()}
    [examples] = NGram(top_k=1, targets={"unseen": unseen}).target_examples().values()
    assert examples and not any(text in row.prompt for row in examples for text in asked)


def test_the_first_rows_by_id_are_taken():
    [examples] = NGram(top_k=1, targets={"t": Families((1,), 9)}, target_rows=4).target_examples().values()
    assert examples == sorted(Families((1,), 9).dev_examples(), key=lambda row: row.id)[:4]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({}, "targets is empty"),
        ({"x": 3}, "target 'x' is no benchmark with dev examples, but a int"),
        ({"overall": Families((1,))}, "a target cannot be named overall"),
    ],
)
def test_targets_that_are_none_are_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        NGram(top_k=1, targets=targets)

import multiprocessing

import pytest

from src.core.errors import UserError
from src.evaluation import verdicts as module
from src.evaluation.grading import Grader, Pair, Verdict
from src.evaluation.verdicts import Verdicts

HARD = Pair(r"\sqrt{8}", r"2\sqrt{2}")


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "cache" / "verdicts.sqlite"


class Counted:
    """In place of the helper process: counts what it is asked."""

    def __init__(self, word):
        self.word, self.asked = word, 0

    def compare(self, gold, answer):
        self.asked += 1
        return self.word

    def close(self):
        pass


def grader_with(kept, helper):
    grader = Grader(workers=1, kept=kept)
    grader._free.get()
    grader._free.put(helper)
    return grader


@pytest.mark.parametrize(("word", "reason"), [("equal", "symbol"), ("different", "different")])
def test_another_run_compares_no_pair_again(kept, word, reason):
    for expected in (1, 0):
        helper = Counted(word)
        with grader_with(kept, helper) as grader:
            assert grader.grade(*HARD) == Verdict(word == "equal", reason)
        assert helper.asked == expected


@pytest.mark.parametrize("word", ["timeout", "memory", "crash"])
def test_giving_up_is_not_kept(kept, word):
    for _ in range(2):
        helper = Counted(word)
        with grader_with(kept, helper) as grader:
            assert grader.grade(*HARD) == Verdict(False, word)
        assert helper.asked == 1


def test_a_pair_is_compared_once_in_a_run():
    helper = Counted("equal")
    with grader_with(None, helper) as grader:
        assert [v.reason for v in grader.grade_all([HARD, Pair("1", "1"), HARD])] == ["symbol", "string", "symbol"]
    assert helper.asked == 1


def test_another_grader_judges_anew(kept, monkeypatch):
    first = Verdicts(kept)
    first.put(*HARD[:2], "equal")
    assert first.get(*HARD[:2]) == "equal"
    monkeypatch.setattr(module, "GRADER", module.GRADER + 1)
    assert Verdicts(kept).get(*HARD[:2]) is None
    assert first.get(HARD.answer, HARD.gold) is None


def _write(path, first):
    verdicts = Verdicts(path)
    for n in range(200):
        verdicts.put(str(first + n), "x", "equal")
        verdicts.put("shared", str(n), "different")


def test_several_processes_may_write_at_once(kept):
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_write, args=(kept, 1000 * n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    verdicts = Verdicts(kept)
    assert all(verdicts.get(str(1000 * p + n), "x") == "equal" for p in range(3) for n in range(200))
    assert verdicts.get("shared", "199") == "different"


def test_a_broken_file_is_named(kept):
    kept.parent.mkdir()
    kept.write_bytes(b"not a database at all" * 100)
    with pytest.raises(UserError, match=r"verdicts\.sqlite failed.*not a database"):
        Verdicts(kept)

import subprocess
import sys
from pathlib import Path

import pytest

from src.generation.base import Completion
from src.generation.cache import AnswerCache

ROOT = Path(__file__).parents[2]
DIES_WITH_A_CLAIM = """
import os, sys
from pathlib import Path
from src.generation.cache import AnswerCache
assert AnswerCache(Path(sys.argv[1])).claim("question")
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def opened(tmp_path):
    caches = []

    def open_one():
        caches.append(AnswerCache(tmp_path / "answers.sqlite"))
        return caches[-1]

    yield open_one
    for cache in caches:
        cache.close()


def test_a_question_belongs_to_one_asker_until_it_lets_go(opened):
    one, other = opened(), opened()
    assert one.claim("question")
    assert not one.claim("question")
    assert not other.claim("question")
    assert other.claim("another")
    other.release("question")  # not its own
    assert not other.claim("question")
    one.release("question")
    assert other.claim("question")


def test_closing_lets_go_of_everything(tmp_path, opened):
    one = AnswerCache(tmp_path / "answers.sqlite")
    assert one.claim("question")
    one.close()
    assert opened().claim("question")


def test_a_claim_dies_with_its_process(tmp_path, opened):
    waiting = opened()
    done = subprocess.run([sys.executable, "-c", DIES_WITH_A_CLAIM, str(tmp_path / "answers.sqlite")], cwd=ROOT)
    assert done.returncode == -9
    assert len(list((tmp_path / "answers.asking").iterdir())) == 2
    assert waiting.claim("question")
    opened()
    assert len(list((tmp_path / "answers.asking").iterdir())) == 2  # the dead one's file is swept away


def test_the_first_answer_stays(opened):
    cache = opened()
    for text in ("first", "second"):
        cache.put("question", Completion("a", text, "stop", 3, 4))
    assert cache.get("question", "b") == Completion("b", "first", "stop", 3, 4)

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.generation.base import Completion
from src.generation.cache import AnswerCache, Database

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


def test_a_cache_of_an_earlier_version_keeps_its_answers(tmp_path):
    import sqlite3

    old = sqlite3.connect(tmp_path / "answers.sqlite")
    old.execute(
        "CREATE TABLE answers (key TEXT PRIMARY KEY, text TEXT NOT NULL, finish_reason TEXT NOT NULL, prompt_tokens "
        "INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, error TEXT) WITHOUT ROWID"
    )
    old.execute("INSERT INTO answers VALUES ('question', 'paid for', 'stop', 3, 4, NULL)")
    old.commit()
    old.close()
    cache = AnswerCache(tmp_path / "answers.sqlite")
    assert cache.get("question", "a") == Completion("a", "paid for", "stop", 3, 4)
    new = Completion("b", "text", "length", 1, 2, None, 1, "odd", "thoughts")
    cache.put("another", new)
    assert cache.get("another", "b") == new
    cache.close()


def test_what_could_not_be_committed_is_undone_and_takes_nothing_that_comes_later_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr("src.generation.cache.is_shared_by_hosts", lambda folder: True)  # readers hold a writer up
    monkeypatch.setattr("src.generation.cache.LOCK_SECONDS", 0.05)
    database = Database(tmp_path / "a.sqlite", "CREATE TABLE IF NOT EXISTS seen (n INTEGER)")
    reader = sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM seen").fetchall()
    with pytest.raises(UserError, match="database is locked"), database.transaction():
        database.execute("INSERT INTO seen VALUES (1)")
    reader.execute("COMMIT")
    with database.transaction():
        database.execute("INSERT INTO seen VALUES (2)")
    database.close()
    assert reader.execute("SELECT n FROM seen").fetchall() == [(2,)]

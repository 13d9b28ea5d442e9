import asyncio
import threading
from contextlib import contextmanager

import pytest

from src.generation.budget import BudgetExhausted
from src.generation.cache import Database
from src.generation.group_commit import GroupCommit

HALF_A_PAIR = "\ud83d"  # which SQLite does not take


class Table:
    """Texts, in one database."""

    def __init__(self, path):
        self.database = Database(path, "CREATE TABLE IF NOT EXISTS texts (text TEXT)")
        self.transactions = 0

    @contextmanager
    def transaction(self):
        self.transactions += 1
        with self.database.transaction():
            yield

    def put(self, text):
        self.database.execute("INSERT INTO texts VALUES (?)", (text,))
        return text

    def close(self):
        self.database.close()


def write_at_once(path, works):
    """What came of works that wait while the thread is busy, so that they are one group; and the number of their
    transactions."""
    tables, began, go = [], threading.Event(), threading.Event()

    def hold_the_thread(table):
        began.set()
        go.wait(10)

    async def main():
        writer = GroupCommit(lambda: tables.append(Table(path)) or tables[0], asyncio.get_running_loop())
        first = writer.write(hold_the_thread)
        began.wait(10)
        writing = [writer.write(work) for work in works]
        go.set()
        await first
        done = await asyncio.gather(*writing, return_exceptions=True)
        writer.close()
        return done

    return asyncio.run(main()), tables[0].transactions - 1


def kept(path):
    return [text for (text,) in Database(path, "").execute("SELECT text FROM texts ORDER BY rowid")]


def test_what_waits_is_written_in_one_transaction_and_a_used_up_budget_stops_nobody(tmp_path):
    def used_up(table):
        raise BudgetExhausted("no")

    works = [lambda table: table.put("a"), used_up, lambda table: table.put("b")]
    (a, limit, b), transactions = write_at_once(tmp_path / "t.sqlite", works)
    assert (a, b, transactions) == ("a", "b", 1)
    assert isinstance(limit, BudgetExhausted)
    assert kept(tmp_path / "t.sqlite") == ["a", "b"]


def test_a_row_that_cannot_be_written_takes_no_other_with_it(tmp_path):
    texts = ["a", "b", HALF_A_PAIR, "c"]
    works = [lambda table, text=text: table.put(text) for text in texts]
    (a, b, bad, c), _ = write_at_once(tmp_path / "t.sqlite", works)
    assert (a, b, c) == ("a", "b", "c")
    assert isinstance(bad, UnicodeEncodeError)
    assert kept(tmp_path / "t.sqlite") == ["a", "b", "c"]


@pytest.mark.parametrize("n", [1, 3])
def test_a_disk_that_takes_nothing_is_told_to_all(tmp_path, monkeypatch, n):
    def full(self, text):
        raise OSError("no space left")

    monkeypatch.setattr(Table, "put", full)
    outcomes, _ = write_at_once(tmp_path / "t.sqlite", [lambda table: table.put("a")] * n)
    assert [str(outcome) for outcome in outcomes] == ["no space left"] * n

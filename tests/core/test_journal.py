import os
import signal
import subprocess
import sys
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.core.journal import Ids, Journal

pytestmark = pytest.mark.slow

ROWS = st.lists(st.tuples(st.text(max_size=5), st.dictionaries(st.text(max_size=3), st.text(max_size=5))))


@given(rows=ROWS, cut=st.integers(0, 40))
def test_a_torn_last_line_costs_that_row_only(tmp_path_factory, rows, cut):
    folder = tmp_path_factory.mktemp("journal")
    with Journal(folder) as journal:
        for id, row in rows:
            journal.append(id, row)
    path = folder / "0.jsonl"
    data = path.read_bytes()[: max(0, path.stat().st_size - cut)]
    path.write_bytes(data)
    whole = data.count(b"\n")
    with Journal(folder) as journal:
        survivors = list(journal.rows())
        assert survivors[:whole] == rows[:whole]
        journal.append("new", {"after": "1"})
        assert list(journal.rows())[-1] == ("new", {"after": "1"})


def test_shards_are_read_together(tmp_path):
    with Journal(tmp_path, "0") as a, Journal(tmp_path, "1") as b:
        a.append("x", {})
        b.append("y", {})
        for ids in (a.ids(), b.ids()):
            assert len(ids) == 2 and "x" in ids and "y" in ids and "z" not in ids


def test_ids_are_told_apart_in_eight_bytes_each():
    tracemalloc.start()
    ids = Ids(f"{i:020x}" for i in (*range(100_000), *range(50_000)))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(ids) == 100_000 and held < 10 * len(ids)
    assert all(f"{i:020x}" in ids for i in range(0, 100_000, 97))
    assert not any(f"{i:020x}" in ids for i in range(100_000, 103_000))
    assert "" not in Ids([]) and len(Ids([])) == 0


WRITER = """
import sys
from pathlib import Path
from src.core.journal import Journal
with Journal(Path(sys.argv[1])) as journal:
    for i in range(10**6):
        journal.append(str(i), {"i": i})
        print(i, flush=True)
"""


@pytest.mark.parametrize("after", [0.05, 0.2])
def test_what_a_killed_process_had_said_is_there(tmp_path, after):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after)
    os.kill(process.pid, signal.SIGKILL)
    last_said = max(int(line) for line in process.stdout.read().splitlines()[:-1])
    process.wait()
    with Journal(tmp_path) as journal:
        rows = [row["i"] for _, row in journal.rows()]
    assert rows == list(range(len(rows)))
    assert len(rows) > last_said

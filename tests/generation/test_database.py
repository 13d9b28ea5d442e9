import subprocess
import sys
from pathlib import Path

import pytest

from src.generation.cache import Database

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
OPEN_AND_WRITE = """
import sys
from pathlib import Path
from src.generation.cache import Database
for _ in range(20):
    database = Database(Path(sys.argv[1]), "CREATE TABLE IF NOT EXISTS seen (n INTEGER)")
    database.execute("INSERT INTO seen VALUES (1)")
    database.close()
"""


def test_processes_that_open_it_at_once_wait_for_each_other(tmp_path):
    command = [sys.executable, "-c", OPEN_AND_WRITE, str(tmp_path / "shared.sqlite")]
    running = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(process.communicate()[1], process.returncode) for process in running] == [("", 0)] * 4
    rows = Database(tmp_path / "shared.sqlite", "").execute("SELECT count(*) FROM seen").fetchone()
    assert rows == (80,)

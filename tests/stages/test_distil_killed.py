"""The real thing: a process that asks a real server, killed with SIGKILL at random moments."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from src.core.records import Problem, Prompt, read_table, write_table
from src.generation.budget import Ledger
from tests.generation.loopback import serving
from tests.stages.writers import prompts, table_bytes

CALLS, CONCURRENCY, KILLS = 150, 4, 4

SCRIPT = """
import sys
from pathlib import Path
from src.core.stage import Artifact, StageContext
from src.generation.openai import OpenAIGenerator
from src.stages.distil import Distil

url, prompts, folder, out = sys.argv[1:]
teacher = OpenAIGenerator("teacher", url, api_key_env=None, concurrency=4)
folder = Path(folder)
ctx = StageContext(Path(out), folder / "work", {"prompts": Artifact(Path(prompts))}, folder / "cache")
ctx.out.mkdir()
print("ready", flush=True)
Distil(teacher, calls=150, sampling={"cot": {}}, require_answer=False, checks=None).run(ctx)
ctx.tally.check()
"""


def start(server, tmp_path, folder, out):
    (tmp_path / folder / "work").mkdir(parents=True, exist_ok=True)
    arguments = [server.url, str(tmp_path), str(tmp_path / folder), str(tmp_path / folder / out)]
    command = [sys.executable, "-c", SCRIPT, *arguments]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def as_problem(body):
    return f"[Problem]\nAbout {body['messages'][0]['content']}\n\n[Solution]\nSeed {body['seed']}."


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bytes_and_pays_again_only_for_calls_in_flight(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.generation.loopback.text_for", as_problem)
    write_table(tmp_path / "prompts", Prompt, prompts(200))
    with serving() as server:
        assert start(server, tmp_path, "whole", "out").wait(120) == 0
        server.answered.clear()
        rng, killed = random.Random(0), 0
        for try_ in range(20):
            process = start(server, tmp_path, "killed", f"out{try_}")
            process.stdout.readline()
            before = server.answered.total()
            while killed < KILLS and process.poll() is None and server.answered.total() == before:
                time.sleep(0.005)
            if killed < KILLS:
                time.sleep(rng.uniform(0, 0.05))
                process.send_signal(signal.SIGKILL)
            if process.wait(120) == 0:
                break
            killed += 1
    whole, last = tmp_path / "whole" / "out", tmp_path / "killed" / f"out{try_}"
    assert killed >= 2
    assert len(list(read_table(last / "problems", Problem))) == CALLS
    assert table_bytes(last / "problems") == table_bytes(whole / "problems")
    assert len(server.answered) == CALLS
    assert server.answered.total() <= CALLS + killed * CONCURRENCY
    booked = Ledger(tmp_path / "killed" / "cache" / "ledger.sqlite").spent("default").calls
    assert server.answered.total() <= booked <= CALLS + killed * CONCURRENCY

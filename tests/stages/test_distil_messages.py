"""What goes wrong with a teacher that is asked over a network, told on the whole command; and where its key goes."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.generation.loopback import serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
KEY = "sk-very-secret-0123456789"
CORNER = [
    "base=untrained",
    "corpus.libraries=[mpmath]",  # enough texts, and six seconds less to read than all three
    "passages.limit=60",
    "candidates.prompts=60",
    "generate.prompts=60",
    "distil.sampling.cot.max_tokens=60",
    "compute.warm=false",
    "teacher.model=gpt-4o-mini",
]
PILOT = ["tracker=none", "round_1.calls=40", "++round_1.pilot=30"]  # ends with the teacher's stage


def command(outputs, url, *words):
    teacher = ["generator@teacher=openai", f"teacher.base_url={url}"]
    return [sys.executable, "-m", "src.train", *teacher, *CORNER, f"outputs={outputs}", *words]


def environment(**changes):
    return {**os.environ, "COLUMNS": "200", "OPENAI_API_KEY": KEY, **changes}


def train(outputs, url, *words, **changes):
    line = command(outputs, url, *PILOT, *words)
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, env=environment(**changes))


def told(done):
    """What the user reads of a command that ended with a clear message."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert KEY not in done.stderr + done.stdout
    return done.stderr


@pytest.fixture(scope="module")
def nothing_to_spend(tmp_path_factory):
    """A store with the stages before the teacher's, and the command that made it."""
    folder = tmp_path_factory.mktemp("outputs")
    return folder, train(folder, "http://127.0.0.1:9/v1", "teacher.budget.max_calls=0")


@pytest.fixture
def outputs(nothing_to_spend, tmp_path):
    return shutil.copytree(nothing_to_spend[0], tmp_path / "outputs", ignore=shutil.ignore_patterns("cache", "distil"))


REFUSALS = [  # after so many calls more
    (0, (400, "maximum context length is 8 tokens", None), r"refused the first \d+ calls: .*\n.*prompt_set\.chars"),
    (8, (401, f"Incorrect API key: {KEY}", None), r"refuses the key in OPENAI_API_KEY: HTTP 401: .*\*\*\*"),
    (5, (404, "no such model", None), r"does not know the model gpt-4o-mini: HTTP 404: .*no such model"),
    (5, (429, "you owe us", "insufficient_quota"), r"has no credit left: .*you owe us"),
]


def test_each_refusal_is_one_clear_message_and_what_was_paid_for_is_kept(outputs):
    """One run, refused again and again: every answer of before is found by the next command, and by the last one."""
    with serving() as server:
        paid = 0
        for calls, (status, message, code), expected in REFUSALS:
            begin = len(server.bodies) + calls
            error = (status, {"message": message, "code": code}, {})
            server.fault = lambda number, body, begin=begin, error=error: error if number >= begin else None
            assert re.search(expected, told(train(outputs, server.url)))
            paid += calls
            assert list(server.answered.values()) == [1] * paid
        server.fault = lambda number, body: None
        assert "The pilot: 30 calls answered" in train(outputs, server.url).stderr
        assert list(server.answered.values()) == [1] * 30


def test_no_calls_left_are_one_clear_message(nothing_to_spend):
    expected = r"The budget of demo is used up \(0 calls.*max_calls=0 does not allow"
    assert re.search(expected, told(nothing_to_spend[1]))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["teacher.budget.max_dollars=0"], r"The budget of demo is used up \(0 calls.*max_dollars=0\.0 does not allow"),
        ([], r"There is no answer from http://127\.0\.0\.1:9/v1: .*\n.*Is the server running"),
    ],
)
def test_no_money_left_and_nobody_there_are_one_clear_message(outputs, words, expected):
    assert re.search(expected, told(train(outputs, "http://127.0.0.1:9/v1", *words)))


def test_a_missing_key_is_told_before_anything_runs(tmp_path):
    said = told(train(tmp_path, "http://127.0.0.1:9/v1", OPENAI_API_KEY=""))
    assert "the environment variable OPENAI_API_KEY is not set" in said
    assert "Nothing was computed" in said
    assert not (tmp_path / "store").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_one_clear_message_and_what_was_paid_for_is_kept(outputs, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount")
    ballast = disk / "ballast"

    def filling(number, body):
        if number == 12:
            ballast.write_bytes(bytes(16 * 2**20))

    try:
        shutil.copytree(outputs, disk / "outputs")
        with serving(filling) as server:
            assert "No space left on the disk" in told(train(disk / "outputs", server.url, "teacher.concurrency=2"))
            assert 12 <= server.answered.total() < 30  # the disk is looked at twice a second
            ballast.unlink()
            server.fault = lambda number, body: None
            assert "The pilot: 30 calls answered" in train(disk / "outputs", server.url).stderr
            assert list(server.answered.values()) == [1] * 30
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def as_problem(body):
    return f"[Problem]\nWhat is {body['seed']} + 1?\n\n[Solution]\nIt is \\boxed{{{body['seed'] + 1}}}."


def test_the_key_is_in_no_file_and_no_line_of_a_run(outputs, tmp_path, monkeypatch):
    """Faults on the way, so that errors are told too; the run is ended when the teacher's stage is in the store."""
    monkeypatch.setattr("tests.generation.loopback.text_for", as_problem)
    spoiled = {3: (500, {"message": f"oops {KEY}"}, {}), 5: (400, {"message": f"your key {KEY} says odd things"}, {})}
    line = [
        *command(outputs, "", "tracker=wandb", "tracker.mode=offline", "round_1.calls=40", "++distil.max_failed=0.5")
    ]
    with serving(lambda number, body: spoiled.get(number)) as server, (tmp_path / "log").open("w") as log:
        line[line.index("teacher.base_url=")] = f"teacher.base_url={server.url}"
        run = subprocess.Popen(line, cwd=ROOT, stdout=log, stderr=log, env=environment())
        deadline = time.monotonic() + 100
        while not list(outputs.glob("store/distil/*/manifest.json")):
            assert run.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        run.terminate()
        run.wait()
    [manifest] = outputs.glob("store/distil/*/manifest.json")
    counts = json.loads(manifest.read_text())["counts"]
    assert (counts["in"], counts["failed"]) == (40, {"bad request": 1})
    assert counts["kept"] > 20
    looked_at = [path for path in tmp_path.rglob("*") if path.is_file()]
    for kind in (
        "manifest.json",
        "run.json",
        "answers.sqlite",
        "ledger.sqlite",
        "dead_letter.jsonl",
        ".wandb",
        ".parquet",
    ):
        assert any(path.name.endswith(kind) for path in looked_at), kind
    for path in looked_at:
        assert KEY.encode() not in path.read_bytes(), path

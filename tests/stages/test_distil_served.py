"""The stage against a real server (vLLM's, with a tiny model) behind a proxy that spoils three calls in ten."""

import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.core.records import Problem, Prompt, read_table, write_table
from src.core.stage import Artifact, StageContext
from src.generation import openai_session
from src.generation.base import Sampling
from src.generation.budget import Budget, Ledger
from src.generation.cache import AnswerCache, answer_key
from src.generation.openai import OpenAIGenerator
from src.stages.distil import Distil
from tests.generation.proxy import FAULTS, proxied
from tests.stages.writers import prompts, table_bytes

pytestmark = [pytest.mark.long, pytest.mark.vllm]

ROOT = Path(__file__).parents[2]
CALLS, DEAD, CONCURRENCY, KILLS, SPOILED, PATIENCE = 120, 3, 8, 20, 0.3, 3.0
SAMPLING = Sampling(max_tokens=24)
MODEL = "import sys; from pathlib import Path; from tests.generation.tiny import *; write_tiny_llama(Path(sys.argv[1]))"
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


@pytest.fixture(scope="module")
def vllm_server(tmp_path_factory):
    """The port of an OpenAI-compatible server; started once, for it takes half a minute."""
    folder = tmp_path_factory.mktemp("served")
    subprocess.run([sys.executable, "-c", MODEL, str(folder / "model")], cwd=ROOT, check=True)
    (folder / "template.jinja").write_text(TEMPLATE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "model": folder / "model",
        "served-model-name": "tiny",
        "chat-template": folder / "template.jinja",
        "dtype": "float32",
        "max-num-seqs": 16,
        "host": "127.0.0.1",
        "port": port,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager", *words]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "TORCHDYNAMO_DISABLE": "1"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 150
        while not answers(port):
            assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
            time.sleep(0.5)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def answers(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).status == 200
    except OSError:
        return False


@pytest.fixture
def proxy(vllm_server):
    with proxied(vllm_server, SPOILED, PATIENCE) as proxy:
        proxy.dead = lambda body: body["messages"][0]["content"].endswith("lost")
        proxy.dress = as_problem
        yield proxy


def as_problem(body, words):
    """The tiny model knows no mathematics: each of its texts stands for a problem, of which two of three have an
    answer."""
    told, drawn = body["messages"][0]["content"], zlib.crc32(words.encode())
    a, b = 10 + drawn % 89, 10 + drawn // 89 % 1_009
    boxed = f"\\boxed{{{a + b}}}" if sum(map(ord, told)) % 3 else "known"
    question = f"A library owns {a} atlases and is given {b} more by its town. How many atlases does it own now?"
    return f"[Problem]\n{question}\n\n[Solution]\nTogether they are {a} + {b} = {a + b}.\n\nThe answer is {boxed}."


@pytest.fixture
def source(tmp_path):
    rows = [*prompts(CALLS - DEAD - 40), *prompts(40, "please, longer"), *prompts(DEAD, "lost")]
    write_table(tmp_path / "source" / "prompts", Prompt, rows)
    return tmp_path / "source"


def teacher(url, **options):
    fixed = {"api_key_env": None, "concurrency": CONCURRENCY, "timeout": PATIENCE, "max_retries": 9, "family": "tiny"}
    return OpenAIGenerator("tiny", url, **{**fixed, **options})


def run_stage(url, source, folder, out, options):
    """Runs in a process of its own, which may be killed; leaves its tally when it comes to the end."""
    openai_session.FIRST_DELAY, openai_session.LONGEST_DELAY = 0.02, 0.1
    ctx = StageContext(folder / out, folder / f"{out}.work", {"prompts": Artifact(source)}, folder / "cache")
    for made in (ctx.out, ctx.work, ctx.cache):
        made.mkdir(parents=True, exist_ok=True)
    try:
        Distil(teacher(url, **options), CALLS, {"cot": SAMPLING}, max_failed=0.1).run(ctx)
    except UserError as error:
        (ctx.out / "stopped").write_text(str(error))
        return
    ctx.tally.check()
    (ctx.out / "tally").write_text(json.dumps([ctx.tally.as_dict(), ctx.summary]))


@pytest.fixture(scope="module")
def process():
    """Starts a stage in a process of its own, from a server that has the imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["src.generation.openai_session", "src.stages.distil", "tests.stages.writers"])

    def start(*arguments, **options):
        process = context.Process(target=run_stage, args=(*arguments, options))
        process.start()
        return process

    return start


def told(folder):
    """(tally, summary) of a stage that came to its end."""
    stopped = folder / "stopped"
    assert not stopped.exists(), stopped.read_text()
    return json.loads((folder / "tally").read_text())


def letters(folder):
    return sorted((folder / "dead_letter.jsonl").read_text().splitlines())


def test_killed_twenty_times_behind_a_bad_line_it_ends_like_an_undisturbed_run(proxy, process, source, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    proxy.share = 0.0
    undisturbed = process(proxy.url, source, whole, "out")
    undisturbed.join(120)
    assert proxy.delivered.total() == len(proxy.delivered) == CALLS - DEAD
    tally, summary = told(whole / "out")
    assert tally["in"] == CALLS
    assert tally["kept"] > 10
    assert tally["rejected"].keys() == {"cut off at the token limit", "no boxed answer"}
    assert tally["failed"] == {"server error": DEAD}

    proxy.reset()
    proxy.share = SPOILED
    (killed / "cache").mkdir(parents=True)
    kept = Kept(killed / "cache")
    proxy.asks_again = kept.has
    rng, kills = random.Random(1), 0
    while kills < KILLS:
        run = process(proxy.url, source, killed, "out")
        run.join(rng.uniform(0.05, 0.45))
        assert run.exitcode is None, f"the run was at its end after {kills} kills: give it more to do"
        run.kill()
        run.join()
        kills += 1
    last = process(proxy.url, source, killed, "out")
    last.join(150)
    assert last.exitcode == 0

    assert told(killed / "out") == [tally, summary]
    assert table_bytes(killed / "out" / "problems") == table_bytes(whole / "out" / "problems")
    assert letters(killed / "out") == letters(whole / "out")
    assert len(list(read_table(killed / "out" / "problems", Problem))) == tally["kept"]

    assert proxy.faults.keys() >= {*FAULTS}
    assert proxy.asked_again == 0  # what was paid for and kept is never asked again
    assert len(proxy.delivered) == CALLS - DEAD
    assert proxy.delivered.total() <= CALLS - DEAD + kills * CONCURRENCY  # what a kill loses: calls in flight
    assert Ledger(killed / "cache" / "ledger.sqlite").spent("default").calls >= proxy.forwarded


def test_on_a_bad_line_without_kills_nothing_is_delivered_twice(proxy, process, source, tmp_path):
    stopped = tmp_path / "run" / "out" / "stopped"
    run = process(proxy.url, source, tmp_path / "run", "out")
    run.join(150)
    if stopped.exists():  # the dead ones were asked last, when no other answer told that the server is well
        assert "max_retries=0 gives them up" in stopped.read_text()
        stopped.unlink()
        run = process(proxy.url, source, tmp_path / "run", "out", max_retries=0)
        run.join(150)
    tally, _ = told(tmp_path / "run" / "out")
    assert tally["kept"] + sum(tally["rejected"].values()) + sum(tally["failed"].values()) == CALLS
    assert set(proxy.delivered.values()) == {1}
    assert len(proxy.delivered) == CALLS - DEAD


def test_two_runs_side_by_side_pass_their_budget_by_no_call(proxy, process, source, tmp_path):
    limit = 60
    options = {"budget": Budget(max_calls=limit), "account": "study/run"}
    runs = [process(proxy.url, source, tmp_path / "both", out, **options) for out in ("one", "other")]
    for run in runs:
        run.join(120)
    said = [(tmp_path / "both" / out / "stopped").read_text() for out in ("one", "other")]
    assert all("The budget of study is used up" in words and f"max_calls={limit}" in words for words in said)
    assert limit * 0.6 < proxy.forwarded <= limit
    assert set(proxy.delivered.values()) == {1}
    assert Ledger(tmp_path / "both" / "cache" / "ledger.sqlite").spent("study").calls == limit


class Kept:
    """Whether the cache has the answer to what a client asks."""

    def __init__(self, folder):
        self.folder, self.local = folder, threading.local()

    def has(self, body):
        if not hasattr(self.local, "cache"):
            self.local.cache = AnswerCache(self.folder / "answers.sqlite")
        told = teacher("http://127.0.0.1").question(body["messages"][0]["content"], SAMPLING, body["seed"])
        return self.local.cache.get(answer_key(told), "") is not None

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.generation import openai_batch
from src.generation.base import Request, Sampling
from src.generation.budget import Budget, Ledger, Price, Spent
from src.generation.openai import Batch, OpenAIGenerator
from tests.generation.batch_server import batching
from tests.generation.loopback import text_for

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr(openai_batch, "FIRST_DELAY", 0.01)


@pytest.fixture
def server():
    with batching() as server:
        yield server


def client(server, **options):
    batch = Batch(options.pop("size", 100), poll_seconds=0.02)
    return OpenAIGenerator(
        **{"model": "teacher", "base_url": server.url, "api_key_env": None, "batch": batch, **options}
    )


def requests(n):
    return [Request(f"r{i}", f"prompt {i}", seed=i, sampling=Sampling(max_tokens=20, top_k=5)) for i in range(n)]


def ask(generator, cache, asked):
    with generator.open(None, cache) as session:
        return {c.id: c for c in session.stream(asked)}


def spent(cache):
    return Ledger(cache / "ledger.sqlite").spent("default")


def sizes(server):
    return [len(server.calls_in(batch)) for batch in server.batches.values()]


def test_answers_come_from_batches_and_are_paid_once(tmp_path, server):
    server.looks = 2
    asked = requests(25)
    done = ask(client(server, size=10), tmp_path, asked)
    assert {id: c.text for id, c in done.items()} == {
        r.id: text_for({"messages": [{"role": "user", "content": r.prompt}], "seed": r.seed}) for r in asked
    }
    assert sizes(server) == [10, 10, 5]
    body = server.calls_in(server.batches["batch-0"])[0]["body"]
    assert (body["top_k"], body["max_completion_tokens"]) == (5, 20)
    assert spent(tmp_path) == Spent(25, 175, 75, 0.0)
    assert ask(client(server), tmp_path, asked) == done
    assert ask(client(server, batch=None), tmp_path, asked) == done  # the same questions, however they are asked
    assert len(server.batches) == 3


def test_only_what_expired_is_sent_again(tmp_path, server):
    server.fate = lambda n, body: "expire" if n == 0 and body["seed"] % 3 == 0 else "answer"
    done = ask(client(server), tmp_path, requests(10))
    assert {c.finish_reason for c in done.values()} == {"stop"}
    assert sizes(server) == [10, 4]
    assert set(server.answered.values()) == {1}
    assert spent(tmp_path).calls == 10


def test_what_is_refused_is_an_error_and_what_fails_is_tried_as_often_as_is_said(tmp_path, server):
    fates = {0: (400, "odd prompt"), 1: (500, "oops"), 2: (400, "maximum context length is 8")}
    server.fate = lambda n, body: fates.get(body["seed"], "answer")
    done = ask(client(server, max_retries=2), tmp_path, requests(5))
    assert [done[f"r{i}"].error for i in range(4)] == [
        "bad request: odd prompt",
        "server error: HTTP 500, 3 batches",
        "prompt too long: maximum context length is 8",
        None,
    ]
    assert sizes(server) == [5, 1, 1]
    assert spent(tmp_path).calls == 2


DIES = """
import os, sys
from pathlib import Path
from src.generation.openai_batch import OpenAIBatchSession
from tests.generation.test_openai_batch import *

url, cache, moment = sys.argv[1:]
setattr(OpenAIBatchSession, moment, lambda *arguments: os.kill(os.getpid(), 9))
batch = Batch(100, poll_seconds=0.02)
generator = OpenAIGenerator("teacher", url, api_key_env=None, batch=batch, budget=Budget(max_calls=8))
list(generator.open(None, Path(cache)).stream(requests(8)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["_submit", "_note_id", "_wait_for", "_collect", "_close_batch", "_kept_ones"])
def test_killed_at_any_moment_it_sends_and_pays_nothing_twice(tmp_path, server, moment):
    command = [sys.executable, "-c", DIES, server.url, str(tmp_path), moment]
    assert subprocess.run(command, cwd=ROOT).returncode == -9
    done = ask(client(server, budget=Budget(max_calls=8)), tmp_path, requests(8))
    assert {c.finish_reason for c in done.values()} == {"stop"}
    assert sizes(server) == [8]
    assert set(server.answered.values()) == {1}
    assert spent(tmp_path) == Spent(8, 56, 24, 0.0)


def test_a_batch_whose_number_was_never_heard_is_found_again(tmp_path, server):
    server.deaf = True
    done = ask(client(server), tmp_path, requests(6))
    assert len(done) == 6
    assert sizes(server) == [6]


def test_two_at_the_same_time_wait_for_one_batch(tmp_path, server):
    server.looks = 5
    with ThreadPoolExecutor(2) as together:
        jobs = [together.submit(ask, client(server), tmp_path, requests(12)) for _ in range(2)]
        one, other = (job.result() for job in jobs)
    assert one == other
    assert sum(sizes(server)) == 12
    assert spent(tmp_path) == Spent(12, 84, 36, 0.0)


def test_a_batch_is_as_large_as_the_budget_allows(tmp_path, server):
    generator = client(server, budget=Budget(max_calls=7), prices={"teacher": Price(1, 1)})
    got = []
    with generator.open(None, tmp_path) as session, pytest.raises(UserError, match=r"used up .*max_calls=7"):
        got.extend(session.stream(requests(10)))
    assert len(got) == server.answered.total() == 7


def test_a_batch_that_is_refused_as_a_whole_is_one_clear_message_and_costs_nothing(tmp_path, server):
    server.invalid = True
    with pytest.raises(UserError, match=r"took batch batch-0, and then refused it: unknown model"):
        ask(client(server), tmp_path, requests(3))
    assert spent(tmp_path) == Spent()


def test_a_server_without_batches_is_one_clear_message(tmp_path, server):
    server.missing = True
    with pytest.raises(UserError, match="has no batch API"):
        ask(client(server), tmp_path, requests(3))
    server.missing = False
    assert len(ask(client(server), tmp_path, requests(3))) == 3
    assert spent(tmp_path).calls == 3


@pytest.mark.parametrize("options", [{"size": 0}, {"poll_seconds": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Batch(**options)

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.generation import openai_batch, openai_session
from src.generation.base import Completion, Request, Sampling
from src.generation.batch_book import BatchBook
from src.generation.budget import Budget, Ledger, Price, Spent
from src.generation.cache import AnswerCache, answer_key
from src.generation.openai import Batch, OpenAIGenerator
from src.generation.openai_session import FRAME_TOKENS
from tests.generation.batch_server import batching
from tests.generation.loopback import text_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr(openai_batch, "FIRST_DELAY", 0.01)


@pytest.fixture
def server():
    with batching() as server:
        yield server


def client(server, **options):
    sizes = {name: options.pop(name) for name in ("size", "max_bytes", "enqueued_tokens") if name in options}
    batch = Batch(**{"size": 100, "poll_seconds": 0.02, **sizes})
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
    """Calls in each of our batches."""
    return [len(server.calls_in(batch)) for batch in server.batches.values() if "input_file_id" in batch]


def test_answers_come_from_batches_and_are_paid_once(tmp_path, server):
    server.looks = 2
    asked = requests(25)
    done = ask(client(server, size=10), tmp_path, asked)
    assert {id: c.text for id, c in done.items()} == {
        r.id: text_for({"messages": [{"role": "user", "content": r.prompt}], "seed": r.seed}) for r in asked
    }
    assert sizes(server) == [10, 10, 5]
    body = server.calls_in(server.batches["batch-0"])[0]["body"]
    assert (body["top_k"], body["max_tokens"]) == (5, 20)
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
from src.generation import batch_book, openai_batch
from tests.generation.test_openai_batch import *

url, cache, where, moment = sys.argv[1:]
owner = batch_book.BatchBook if where == "book" else openai_batch.OpenAIBatchSession
setattr(owner, moment, lambda *arguments: os.kill(os.getpid(), 9))
batch = Batch(100, poll_seconds=0.02)
generator = OpenAIGenerator("teacher", url, api_key_env=None, batch=batch, budget=Budget(max_calls=8))
list(generator.open(None, Path(cache)).stream(requests(8)))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment", ["_submit", "book note_id", "_wait_for", "_collect", "book close", "_kept_ones", "book write"]
)
def test_killed_at_any_moment_it_sends_and_pays_nothing_twice(tmp_path, server, moment):
    where, _, name = moment.rpartition(" ")
    command = [sys.executable, "-c", DIES, server.url, str(tmp_path), where, name]
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


def test_it_is_found_behind_hundreds_of_newer_ones(tmp_path, server):
    server.deaf, server.others = True, 250
    assert len(ask(client(server), tmp_path, requests(6))) == 6
    assert server.lists[0] is None and len(server.lists) == 3
    assert sizes(server) == [6]


def test_the_list_is_read_no_further_back_than_the_batch_is_old(tmp_path, server):
    for _ in range(500):
        server.add_other(time.time() - 3 * 24 * 3600)
    server.makes = [False]
    assert len(ask(client(server), tmp_path, requests(6))) == 6
    assert server.lists == [None] * openai_batch.LOOKS


def test_a_server_that_knows_one_page_only_is_not_asked_without_end(tmp_path, server):
    server.makes, server.others, server.pages = [True], 250, False
    assert len(ask(client(server), tmp_path, requests(6))) == 6
    assert len(server.lists) == 2 * openai_batch.LOOKS


def test_two_at_the_same_time_wait_for_one_batch(tmp_path, server):
    server.looks = 5
    with ThreadPoolExecutor(2) as together:
        jobs = [together.submit(ask, client(server), tmp_path, requests(12)) for _ in range(2)]
        one, other = (job.result() for job in jobs)
    assert one == other
    assert sum(sizes(server)) == 12
    assert spent(tmp_path) == Spent(12, 84, 36, 0.0)


def test_an_answer_that_does_not_say_what_it_cost_is_charged_as_it_was_booked(tmp_path, server):
    server.usage = False
    prices = {"teacher": Price(1, 10)}
    [asked, other] = requests(2)
    prompt = len(asked.prompt) + FRAME_TOKENS
    [answer] = ask(client(server, prices=prices), tmp_path, [asked]).values()
    assert (answer.prompt_tokens, answer.completion_tokens) == (prompt, 20)
    [answer] = ask(client(server, prices=prices, batch=None), tmp_path, [other]).values()
    assert (answer.prompt_tokens, answer.completion_tokens) == (prompt, 20)
    assert spent(tmp_path) == Spent(2, 2 * prompt, 40, pytest.approx(2 * (prompt + 200) / 1e6))


def test_a_broken_answer_may_have_been_charged_and_stays_booked(tmp_path, server):
    server.fate = lambda n, body: "empty" if n == 0 and body["seed"] == 2 else "answer"
    done = ask(client(server), tmp_path, requests(4))
    assert {c.finish_reason for c in done.values()} == {"stop"}
    assert sizes(server) == [4, 1]
    assert spent(tmp_path) == Spent(5, 5 * 7, 5 * 3, 0.0)  # it says what it cost


def test_a_broken_answer_that_does_not_say_what_it_cost_stays_booked(tmp_path, server):
    server.fate = lambda n, body: "empty" if n == 0 and body["seed"] == 2 else "answer"
    server.usage = False
    ask(client(server), tmp_path, requests(4))
    assert spent(tmp_path) == Spent(5, 5 * (len("prompt 2") + FRAME_TOKENS), 5 * 20, 0.0)


def key_of(request):
    return answer_key(OpenAIGenerator("teacher").question(request.prompt, request.sampling, request.seed))


def test_what_is_under_way_in_a_batch_is_not_asked_call_by_call(tmp_path, server):
    asked = requests(3)
    single = client(server, batch=None, family="api.openai.com")
    book = BatchBook(Ledger(tmp_path / "ledger.sqlite"))
    book.write("token", "default", {key_of(asked[1]): Spent(1, 50, 20)})
    done = ask(single, tmp_path, asked)
    assert [done[f"r{i}"].error for i in range(3)] == [None, openai_session.IN_A_BATCH, None]
    book.close(book.under_way({key_of(asked[1])})[0], Spent())
    assert ask(single, tmp_path, asked)["r1"].finish_reason == "stop"
    assert set(server.answered.values()) == {1}


def test_a_batch_leaves_out_what_is_asked_call_by_call_and_waits_for_its_answer(tmp_path, server):
    asked = requests(4)
    other = AnswerCache(tmp_path / "answers.sqlite")
    assert other.claim(key_of(asked[2]))
    generator = client(server, max_retries=0, family="api.openai.com")
    with generator.open(None, tmp_path) as session:
        stream = session.stream(asked)
        first = [next(stream) for _ in range(3)]
        assert {c.id for c in first} == {"r0", "r1", "r3"}
        assert sizes(server) == [3]
        other.put(key_of(asked[2]), Completion("", "the other's", "stop", 1, 1))
        other.release(key_of(asked[2]))
        assert [c.text for c in stream] == ["the other's"]
    assert sizes(server) == [3]
    other.close()


@pytest.mark.slow
def test_batches_and_calls_one_by_one_side_by_side_pay_once(tmp_path, server):
    server.looks, server.pause = 2, 0.01
    asked, kinds = requests(40), ({"size": 10}, {"batch": None, "concurrency": 2})
    with ThreadPoolExecutor(2) as together:
        jobs = [together.submit(ask, client(server, **options), tmp_path, asked) for options in kinds]
        in_batches, one_by_one = (job.result() for job in jobs)
    assert {c.finish_reason for c in in_batches.values()} == {"stop"}
    assert {c.error for c in one_by_one.values()} <= {None, openai_session.IN_A_BATCH}
    assert set(server.answered.values()) == {1}
    assert len(server.answered) == spent(tmp_path).calls == 40
    assert ask(client(server, batch=None), tmp_path, asked) == in_batches


def test_a_batch_is_as_large_as_the_budget_allows(tmp_path, server):
    generator = client(server, budget=Budget(max_calls=7), prices={"teacher": Price(1, 1)})
    got = []
    with generator.open(None, tmp_path) as session, pytest.raises(UserError, match=r"used up .*max_calls=7"):
        got.extend(session.stream(requests(10)))
    assert len(got) == server.answered.total() == 7


def test_a_batch_that_is_too_much_is_halved_until_the_provider_takes_it(tmp_path, server, caplog):
    server.most = 3
    done = ask(client(server, max_retries=0), tmp_path, requests(10))
    assert {c.finish_reason for c in done.values()} == {"stop"}
    assert sizes(server)[:3] == [10, 5, 2] and max(sizes(server)[2:]) <= 3
    assert set(server.answered.values()) == {1}
    assert spent(tmp_path) == Spent(10, 70, 30, 0.0)
    assert "a batch of 10 calls is too much (token_limit_exceeded Enqueued token limit reached" in caplog.text


def test_batches_grow_again_when_the_queue_has_room(tmp_path, server, monkeypatch):
    monkeypatch.setattr(openai_batch, "FULL_SECONDS", 0.0)
    server.most = 1
    generator = client(server, size=8)
    with generator.open(None, tmp_path) as session:
        stream = session.stream(requests(24))
        first = next(stream)
        server.most = None
        done = [first, *stream]
    assert {c.finish_reason for c in done} == {"stop"}
    assert sizes(server) == [8, 4, 2, 1, 2, 4, 1, 8, 8]


def test_a_queue_that_is_full_is_waited_for_before_a_size_that_it_took_is_halved(tmp_path, server, monkeypatch):
    monkeypatch.setattr(openai_batch, "FULL_SECONDS", 0.1)
    with client(server, size=8).open(None, tmp_path) as session:
        stream = session.stream(requests(16))
        first = [next(stream) for _ in range(8)]
        server.most = 4
        done = [*first, *stream]
    assert {c.finish_reason for c in done} == {"stop"}
    assert sizes(server)[:3] == [8, 8, 8]
    assert sizes(server)[-2:] == [4, 4]


def test_no_batch_passes_the_sizes_that_are_known_beforehand(tmp_path, server):
    one = len(line_of(server, requests(1)[0]))
    assert len(ask(client(server, max_bytes=3 * one + 10), tmp_path / "bytes", requests(9))) == 9
    assert sizes(server) == [3, 3, 3]
    server.batches.clear()
    assert len(ask(client(server, enqueued_tokens=1), tmp_path / "tokens", requests(3))) == 3
    assert sizes(server) == [1, 1, 1]  # what passes a limit alone is sent alone


def line_of(server, request):
    generator = client(server)
    asked = request.prompt, request.sampling, request.seed
    body, key = generator.body(*asked), answer_key(generator.question(*asked))
    call = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(call) + "\n"


@pytest.mark.parametrize("made", [True, False])
def test_a_batch_that_could_not_be_created_is_looked_for_before_it_is_sent_again(tmp_path, server, made, caplog):
    server.makes = [made]
    done = ask(client(server, max_retries=1), tmp_path, requests(5))
    assert {c.finish_reason for c in done.values()} == {"stop"}
    assert sizes(server) == [5]
    assert set(server.answered.values()) == {1}
    assert spent(tmp_path).calls == 5
    assert "the database is away" in caplog.text


def test_what_can_never_be_sent_says_why_and_costs_nothing(tmp_path, server):
    server.makes = [False] * 9
    done = ask(client(server, max_retries=1), tmp_path, requests(2))
    assert all("the database is away" in c.error and c.transient for c in done.values())
    assert spent(tmp_path) == Spent() and not server.batches


def test_what_a_batch_did_not_cost_is_spent_on_the_next(tmp_path, server):
    """The budget allows three calls at the most that they can cost, and all twelve at what they do cost."""
    generator = client(server, prices={"teacher": Price(0, 1_000_000)}, budget=Budget(max_dollars=60))
    done = ask(generator, tmp_path, requests(12))
    assert len(done) == 12 and {c.finish_reason for c in done.values()} == {"stop"}
    assert sizes(server)[0] == 3 and len(server.batches) > 2
    assert spent(tmp_path).dollars == 36


@pytest.mark.parametrize(
    "errors",
    [{"data": [{"message": "unknown model"}]}, [{"message": "unknown model", "count": 3}], "unknown model"],
)
def test_a_batch_that_is_refused_as_a_whole_is_one_clear_message_and_costs_nothing(tmp_path, server, errors):
    server.invalid = errors
    with pytest.raises(UserError, match=r"took batch batch-0, and then refused it: unknown model"):
        ask(client(server), tmp_path, requests(3))
    assert spent(tmp_path) == Spent()


def test_a_batch_that_is_made_without_a_word_of_its_number_is_found_on_the_list(tmp_path, server):
    server.nameless = {"batch"}
    assert len(ask(client(server), tmp_path, requests(3))) == 3
    assert spent(tmp_path).calls == 3 and sizes(server) == [3]


def test_a_server_of_which_nothing_can_be_read_is_given_up_after_three_tries(tmp_path, server):
    server.nameless = {"file"}
    with pytest.raises(UserError, match=r"no text that could be read: no id in it\n.*Is base_url right"):
        ask(client(server), tmp_path, requests(3))
    assert len(server.files) == 3


def test_a_file_is_fetched_from_the_storage_it_is_sent_on_to_and_the_key_stays(tmp_path, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with batching() as storage:
        server.storage, storage.files = storage.url, server.files
        done = ask(client(server, api_key_env="OPENAI_API_KEY"), tmp_path, requests(3))
    assert {c.finish_reason for c in done.values()} == {"stop"}
    assert [key for _, key in server.files_asked_for] == ["Bearer sk-very-secret"]
    assert storage.files_asked_for == [("/v1/files/file-1?signature=a%2Fb", None)]
    assert sizes(server) == [3]
    assert spent(tmp_path).calls == 3


def test_a_file_that_is_sent_on_without_end_is_one_clear_message_and_nothing_is_sent_again(tmp_path, server):
    server.storage = server.url
    with pytest.raises(UserError, match=r"sends calls on to .*/files/file-1\?signature"):
        ask(client(server), tmp_path, requests(3))
    assert sizes(server) == [3]
    server.storage = None
    assert len(ask(client(server), tmp_path, requests(3))) == 3
    assert sizes(server) == [3]


def test_answers_that_come_later_than_the_end_of_their_batch_are_waited_for(tmp_path, server):
    server.late = 3
    done = ask(client(server, max_retries=0), tmp_path, requests(4))
    assert {c.finish_reason for c in done.values()} == {"stop"}
    assert sizes(server) == [4]
    assert spent(tmp_path) == Spent(4, 28, 12, 0.0)


def test_answers_that_never_come_are_charged_in_full(tmp_path, server):
    server.late = float("inf")
    done = ask(client(server, max_retries=1, patience=0.1), tmp_path, requests(2))
    assert [c.error for c in done.values()] == ["batch: no line for it, 2 batches"] * 2
    assert sizes(server) == [2, 2]
    assert spent(tmp_path) == Spent(4, 4 * (len("prompt 0") + FRAME_TOKENS), 4 * 20, 0.0)


def test_a_server_without_batches_is_one_clear_message(tmp_path, server):
    server.missing = True
    with pytest.raises(UserError, match="has no batch API"):
        ask(client(server), tmp_path, requests(3))
    server.missing = False
    assert len(ask(client(server), tmp_path, requests(3))) == 3
    assert spent(tmp_path).calls == 3


@pytest.mark.parametrize("forgotten", ["batch-0", "file-1"])
def test_a_batch_that_the_server_does_not_know_is_one_clear_message_and_is_not_sent_again(tmp_path, server, forgotten):
    server.forgotten = {forgotten}
    for _ in range(2):
        with pytest.raises(
            UserError, match=rf"does not know the batch batch-0, .* with 2 calls: .*{forgotten}"
        ) as said:
            ask(client(server), tmp_path, requests(2))
        assert "another project" in said.value.mend
    server.forgotten.clear()
    assert {c.finish_reason for c in ask(client(server), tmp_path, requests(2)).values()} == {"stop"}
    assert sizes(server) == [2]
    assert spent(tmp_path).calls == 2


def test_a_forgotten_batch_that_must_have_ended_counts_as_charged_and_its_calls_are_sent_again(
    tmp_path, server, monkeypatch, caplog
):
    monkeypatch.setattr(openai_batch, "WINDOW_SECONDS", 0.0)
    server.forgotten = {"batch-0"}
    done = ask(client(server), tmp_path, requests(2))
    assert {c.finish_reason for c in done.values()} == {"stop"}
    assert sizes(server) == [2, 2]
    most = Spent(2, 2 * (len("prompt 0") + FRAME_TOKENS), 2 * 20, 0.0)
    assert spent(tmp_path) == most + Spent(2, 14, 6, 0.0)
    assert "does not know the batch batch-0" in caplog.text


def test_a_batch_that_an_earlier_version_wrote_down_is_as_old_as_this_version_knows_it(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    BatchBook(ledger).write("token", "default", {"question": Spent(1, 50, 20)})
    ledger.database.execute("ALTER TABLE batches DROP COLUMN written_at")
    began = time.time()
    [batch] = BatchBook(ledger).under_way({"question"})
    assert began <= batch.written_at <= time.time()
    assert BatchBook(ledger).under_way({"question"}) == [batch]


@pytest.mark.parametrize("options", [{"size": 0}, {"poll_seconds": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Batch(**options)

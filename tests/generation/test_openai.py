import dataclasses
import email.utils
import json
import logging
import random
import re
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.generation import openai_log, openai_session, throttle
from src.generation.base import Request, Sampling
from src.generation.budget import Budget, Ledger, Price, Spent
from src.generation.openai import OpenAIGenerator
from src.generation.openai_session import FRAME_TOKENS
from src.generation.provider import Provider
from src.generation.rates import Rates
from tests.generation.loopback import Reply, serving, text_for

pytestmark = pytest.mark.slow  # processes and servers of their own

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def key_and_quick_retries(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(openai_session, "FIRST_DELAY", 0.01)


def client(server, **options):
    return OpenAIGenerator(**{"model": "teacher", "base_url": server.url, "concurrency": 8, "timeout": 5.0, **options})


def requests(n):
    return [Request(f"r{i}", f"prompt {i}", seed=i, sampling=Sampling(max_tokens=20)) for i in range(n)]


def ask(generator, cache, asked):
    with generator.open(None, cache) as session:
        return {c.id: c for c in session.stream(asked)}


def refusing(status, message="no", code=None, headers=None):
    return lambda n, body: (status, {"message": message, "code": code}, headers or {})


@pytest.mark.parametrize("written", ["http://127.0.0.1:{}", "127.0.0.1:{}"])
def test_a_proxy_of_the_environment_is_used(tmp_path, monkeypatch, written):
    with serving() as server:
        monkeypatch.setenv("http_proxy", written.format(server.server_port))
        answers = ask(client(server, base_url="http://teacher.invalid/v1"), tmp_path, requests(2))
    assert len(server.bodies) == 2 and all(answer.finish_reason == "stop" for answer in answers.values())


@pytest.mark.parametrize("proxy", ["socks5://me:secret@127.0.0.1:1080", "http://[::1", "http://127.0.0.1:99999"])
def test_a_proxy_of_no_use_is_one_clear_message_without_its_password(tmp_path, monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    generator = OpenAIGenerator(model="teacher", base_url="http://teacher.invalid/v1")
    with pytest.raises(UserError, match=r"proxy that the environment names .* is of no use: it must") as raised:
        ask(generator, tmp_path, requests(1))
    assert "secret" not in str(raised.value)


def test_what_a_proxy_did_not_let_through_is_not_booked(tmp_path, monkeypatch):
    with serving() as server:  # it knows no CONNECT
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.server_port}")
        generator = OpenAIGenerator(model="teacher", base_url="https://teacher.invalid/v1", account="a")
        with pytest.raises(UserError, match="no connection: the proxy says 501"):
            ask(generator, tmp_path, requests(2))
    assert Ledger(tmp_path / "ledger.sqlite").spent("a").calls == 0


def test_a_key_that_no_header_can_carry_is_one_clear_message(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nOTHER=1")
    with pytest.raises(UserError, match="OPENAI_API_KEY holds a line end") as raised:
        OpenAIGenerator(model="teacher").open(None, tmp_path)
    assert KEY not in str(raised.value)


def test_a_server_that_needs_no_proxy_is_asked_directly(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # where nobody listens
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server:
        assert ask(client(server), tmp_path, requests(1))["r0"].finish_reason == "stop"


def test_every_sampling_field_reaches_the_server(tmp_path):
    unusual = Sampling(0.5, 0.9, 7, 0.01, 33, 1.3, ("###",))
    with serving() as server:
        ask(client(server, system="Be brief."), tmp_path, [Request("a", "hello", 11, unusual)])
        [body] = server.bodies
    for option in dataclasses.fields(Sampling):
        asked = getattr(unusual, option.name)
        assert asked != option.default, f"{option.name}: give it an unusual value here"
        assert body[option.name] == (list(asked) if option.name == "stop" else asked), option.name
    assert body["seed"] == 11
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]


def test_fields_that_say_nothing_are_not_sent(tmp_path):
    """OpenAI's own servers refuse names they do not know."""
    with serving() as server:
        provider = Provider(omit=("seed", "temperature"), rename={"max_tokens": "max_completion_tokens"})
        ask(client(server, provider=provider, extra_body={"effort": "low"}), tmp_path, requests(1))
        assert server.bodies[0].keys() == {"model", "messages", "top_p", "max_completion_tokens", "effort"}


def test_calls_run_side_by_side_within_bounds(tmp_path):
    with serving() as server:
        assert len(ask(client(server, concurrency=5), tmp_path, requests(60))) == 60
        assert 2 <= server.most_running <= 5


def faults_in_a_third_of_calls(n, body):
    rng = random.Random(n)
    if rng.random() < 0.67:
        return None
    limited = (429, {"message": "slow down", "code": "rate_limit"}, {"Retry-After": "0.05"})
    return rng.choice([limited, (500, {"message": "oops"}, {}), (503, {}, {}), "hang up", "torn", "malformed", "empty"])


def test_under_all_faults_every_request_ends_right_and_a_second_run_pays_nothing(tmp_path):
    with serving(faults_in_a_third_of_calls) as server:
        done = ask(client(server, max_retries=12), tmp_path, requests(80))
        assert {id: c.text for id, c in done.items()} == {
            r.id: text_for({"messages": [{"role": "user", "content": r.prompt}], "seed": r.seed}) for r in requests(80)
        }
        assert set(server.answered.values()) == {1}
        calls = len(server.bodies)
        assert ask(client(server), tmp_path, requests(80)) == done
        assert len(server.bodies) == calls


def test_answers_are_kept_by_all_that_is_asked_and_by_nothing_else(tmp_path):
    [request] = requests(1)
    with serving() as server:
        first = ask(client(server), tmp_path, [request])["r0"]
        again = [
            (client(server, concurrency=1, timeout=9, account="other", prices={"teacher": Price(1, 1)}), request),
            (client(server), dataclasses.replace(request, id="another id")),
        ]
        for generator, same in again:
            assert ask(generator, tmp_path, [same])[same.id] == dataclasses.replace(first, id=same.id)
        assert len(server.bodies) == 1
        new = [
            (client(server, model="other"), request),
            (client(server, system="Be brief."), request),
            (client(server, family="elsewhere"), request),
            (client(server), dataclasses.replace(request, seed=5)),
            (client(server), dataclasses.replace(request, prompt="other")),
            (client(server), dataclasses.replace(request, sampling=Sampling(max_tokens=21))),
        ]
        for n, (generator, other) in enumerate(new, start=2):
            ask(generator, tmp_path, [other])
            assert len(server.bodies) == n


def test_an_answer_is_kept_before_it_is_handed_on(tmp_path):
    with serving() as server:
        with client(server).open(None, tmp_path) as session:
            stream = session.stream(requests(1))
            next(stream)
            stream.close()  # the reader dies here
        ask(client(server), tmp_path, requests(1))
        assert len(server.bodies) == 1


@pytest.mark.slow
def test_askers_side_by_side_pay_once_for_the_same_question(tmp_path):
    with serving(lambda n, body: "slow" if n == 0 else None) as server, ThreadPoolExecutor(3) as together:
        jobs = [together.submit(ask, client(server), tmp_path, requests(20)) for _ in range(3)]
        one, other, third = (job.result() for job in jobs)
        assert one == other == third
        assert set(server.answered.values()) == {1}
        assert len(server.bodies) == 20


def test_a_question_that_is_asked_twice_in_one_stream_is_paid_once(tmp_path):
    [request] = requests(1)
    with serving() as server, client(server).open(None, tmp_path) as session:
        twice = list(session.stream([request, dataclasses.replace(request, id="twin")]))
        assert {c.id for c in twice} == {"r0", "twin"}
        assert len(server.bodies) == 1


def test_a_failed_asker_leaves_the_question_to_the_next(tmp_path):
    def first_is_refused(n, body):
        return (400, {"message": "odd"}, {}) if n == 0 else None

    [request] = requests(1)
    with serving(first_is_refused) as server, client(server).open(None, tmp_path) as session:
        done = session.stream([request, dataclasses.replace(request, id="twin")])
        assert sorted(c.finish_reason for c in done) == ["error", "stop"]


def test_json_answers_read_like_all_others(tmp_path, monkeypatch):
    said = json.dumps({"problem": "What is 1 + 1?", "solution": "It is \\boxed{2}."})
    monkeypatch.setattr("tests.generation.loopback.text_for", lambda body: said)
    with serving() as server:
        done = ask(client(server, output="json"), tmp_path, requests(1))["r0"]
        assert done.text == "[Problem]\nWhat is 1 + 1?\n\n[Solution]\nIt is \\boxed{2}."
        schema = server.bodies[0]["response_format"]["json_schema"]["schema"]
        assert schema["required"] == list(json.loads(said))
        assert ask(client(server), tmp_path, requests(1))["r0"].text == said  # another question: no schema
        assert len(server.bodies) == 2


def test_json_that_is_cut_off_stays_as_it_is(tmp_path):
    with serving(lambda n, body: "length") as server:
        done = ask(client(server, output="json"), tmp_path, requests(1))["r0"]
    assert done.text.startswith("text ")
    assert done.finish_reason == "length"


def test_what_the_server_broke_off_is_asked_again(tmp_path):
    with serving(lambda n, body: "abort" if n == 0 else None) as server:
        assert ask(client(server), tmp_path, requests(1))["r0"].finish_reason == "stop"
        assert len(server.bodies) == 2


def test_nothing_is_paid_for_that_the_disk_may_not_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(openai_session, "SPARE_BYTES", 2**60)
    with serving() as server, pytest.raises(UserError, match="No space left on the disk"):
        ask(client(server), tmp_path, requests(3))
    assert server.bodies == []


def test_a_text_cut_at_the_limit_is_paid_once(tmp_path):
    with serving(lambda n, body: "length") as server:
        for _ in range(2):
            assert ask(client(server), tmp_path, requests(1))["r0"].finish_reason == "length"
        assert len(server.bodies) == 1


def test_what_the_server_will_not_write_is_an_error_with_a_reason(tmp_path):
    too_long = (
        400,
        {"message": "This model's maximum context length is 8 tokens", "code": "context_length_exceeded"},
        {},
    )
    faults = [None, too_long, (400, {"message": "odd prompt"}, {}), "content_filter"]
    with serving(lambda n, body: faults[int(body["messages"][0]["content"].split()[1])]) as server:
        done = ask(client(server, concurrency=1), tmp_path, requests(4))
        assert [done[f"r{i}"].error and done[f"r{i}"].error.partition(":")[0] for i in range(4)] == [
            None,
            "prompt too long",
            "bad request",
            "content filter",
        ]
        assert len(server.bodies) == 4


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured_by_all_calls(tmp_path, as_date):
    asked = email.utils.formatdate(time.time() + 2, usegmt=True) if as_date else "0.6"
    with serving(lambda n, body: (429, {"message": "wait"}, {"Retry-After": asked}) if n == 0 else None) as server:
        ask(client(server, concurrency=1), tmp_path, requests(3))
        assert server.times[1] - server.times[0] >= (0.9 if as_date else 0.6)


def test_what_fails_for_good_is_an_error_and_the_rest_goes_on(tmp_path):
    with serving(lambda n, body: (500, {}, {}) if "prompt 3" in str(body) else None) as server:
        done = ask(client(server, max_retries=2), tmp_path, requests(6))
    assert done["r3"].error == "server error: HTTP 500, 3 tries"
    assert sum(c.finish_reason == "stop" for c in done.values()) == 5


def test_a_slow_answer_is_given_up(tmp_path):
    with serving(lambda n, body: "slow" if n == 0 else None) as server:
        assert ask(client(server, timeout=0.3), tmp_path, requests(1))["r0"].finish_reason == "stop"
        assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (refusing(401, f"Incorrect API key provided: {KEY}"), r"refuses the key in OPENAI_API_KEY: HTTP 401"),
        (refusing(404, "no such model"), r"does not know the model teacher: HTTP 404"),
        (refusing(429, "pay first", "insufficient_quota"), "no credit left: .*pay first"),
        (refusing(400, "you must provide a chat template"), r"have its texts continued by teacher\.api=completions"),
        (refusing(400, "unknown option top_k"), r"refused the first 3 calls: .*unknown option top_k"),
    ],
)
def test_what_no_request_can_survive_is_one_clear_message(tmp_path, fault, message):
    with serving(fault) as server, pytest.raises(UserError, match=message) as caught:
        ask(client(server), tmp_path, requests(40))
    assert len(server.bodies) <= 3
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("calls", [3, 40])  # with many, no call is tried three times before all wait for the server
def test_a_server_that_is_not_there_is_one_clear_message(tmp_path, calls):
    with serving() as server:
        url = server.url
    with pytest.raises(UserError, match=f"There is no answer from {url}"):
        ask(OpenAIGenerator(model="teacher", base_url=url), tmp_path, requests(calls))


@pytest.mark.parametrize("calls", [1, 40])
def test_a_server_of_pages_is_one_clear_message(tmp_path, monkeypatch, calls):
    monkeypatch.setattr(throttle, "FIRST_PAUSE", 0.01)
    page = Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
    with serving(lambda n, body: page) as server:
        with pytest.raises(UserError, match=r"no text that could be read: no JSON object, but text/html") as told:
            ask(client(server, patience=10.0), tmp_path, requests(calls))
        assert len(server.bodies) <= openai_session.CALLS_TO_REACH + throttle.FIRST_CALLS
    assert "base_url" in told.value.mend


def test_a_missing_key_and_a_model_folder_are_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    for asked_for in (
        lambda: OpenAIGenerator(model="teacher").open(None, tmp_path),
        OpenAIGenerator("teacher").identity,
    ):
        with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
            asked_for()
    OpenAIGenerator(model="teacher", api_key_env=None).identity()
    with pytest.raises(UserError, match="cannot load the model"):
        OpenAIGenerator(model="teacher", api_key_env=None).open("folder", tmp_path)


def test_the_key_is_nowhere_but_in_the_request(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with serving(faults_in_a_third_of_calls) as server:
        generator = client(server)
        with generator.open(None, tmp_path) as session:
            list(session.stream(requests(20)))
            assert KEY not in repr(session) + repr(generator) + str(dataclasses.asdict(generator))
    captured = capfd.readouterr()
    assert KEY not in caplog.text + captured.out + captured.err
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert KEY.encode() not in path.read_bytes(), path


def test_a_fatal_error_comes_after_the_texts_that_were_paid_for(tmp_path):
    got = []
    with serving(lambda n, body: (401, {"message": "revoked"}, {}) if n == 10 else None) as server:
        with client(server).open(None, tmp_path) as session, pytest.raises(UserError, match="revoked"):
            got.extend(session.stream(requests(60)))
        assert len(got) == server.answered.total() >= 10


class TestBudget:
    @pytest.mark.parametrize(
        ("budget", "most"),
        [
            (Budget(max_calls=0), 0),
            (Budget(max_calls=13), 13),
            (Budget(max_tokens=200), 20),  # a call costs 10, and is booked at 60 before it is sent
            (Budget(max_dollars=0.002), 20),  # ten dollars for a million tokens: a call costs 0.0001
        ],
    )
    def test_no_call_passes_it_not_even_after_a_restart(self, tmp_path, budget, most):
        got = {}
        with serving() as server:
            generator = client(server, budget=budget, prices={"teacher": Price(10, 10)})
            for _ in range(2):
                with generator.open(None, tmp_path) as session, pytest.raises(UserError, match="used up") as caught:
                    for completion in session.stream(requests(40)):
                        got[completion.id] = completion
            assert len(got) == server.answered.total() <= most
            assert len(got) >= most * 0.6  # it is used, not only kept
        assert "max_" in str(caught.value)

    def test_it_is_used_until_no_call_fits_any_more(self, tmp_path):
        """The last call in flight may be settled while another is told that the budget does not allow it."""
        asked = [dataclasses.replace(request, sampling=Sampling(max_tokens=400)) for request in requests(80)]
        with serving() as server:
            budget, most = Budget(max_tokens=1_000), len("prompt 10") + FRAME_TOKENS + 400
            with pytest.raises(UserError, match="used up"):
                ask(client(server, concurrency=32, budget=budget), tmp_path, asked)
        assert 1_000 - most < Ledger(tmp_path / "ledger.sqlite").spent("default").tokens <= 1_000

    def test_kept_answers_cost_nothing(self, tmp_path):
        with serving() as server:
            ask(client(server), tmp_path, requests(5))
            assert len(ask(client(server, budget=Budget(max_calls=0)), tmp_path, requests(5))) == 5

    def test_the_ledger_agrees_with_the_server(self, tmp_path):
        def refusals(n, body):
            return (500, {}, {}) if n % 3 == 0 else None

        with serving(refusals) as server:
            ask(client(server, prices={"teacher": Price(2, 30)}), tmp_path, requests(30))
        spent = Ledger(tmp_path / "ledger.sqlite").spent("default")
        assert (spent.calls, spent.prompt_tokens, spent.completion_tokens) == (30, 210, 90)
        assert spent.dollars == pytest.approx(30 * (7 * 2 + 3 * 30) / 1e6)

    def test_runs_have_rows_of_their_own_and_share_their_studys_budget(self, tmp_path):
        with serving() as server:
            for run, n in (("a-s0", 10), ("b-s0", 14)):
                ask(client(server, account=f"demo/{run}"), tmp_path, requests(n))
            who = r"The budget of demo is used up \(14 calls.* went to a-s0 \(10 calls, .*\), b-s0 \(4 calls, "
            with pytest.raises(UserError, match=who):
                ask(client(server, account="demo/c-s0", budget=Budget(max_calls=14)), tmp_path, requests(15))
            ask(client(server, account="other/a-s0", budget=Budget(max_calls=1)), tmp_path, requests(15))
        ledger = Ledger(tmp_path / "ledger.sqlite")
        assert ledger.by_run("demo") == {"a-s0": Spent(10, 70, 30, 0.0), "b-s0": Spent(4, 28, 12, 0.0)}
        assert ledger.spent("demo/whatever") == Spent(14, 98, 42, 0.0)

    def test_a_call_that_may_have_been_charged_stays_booked(self, tmp_path):
        with serving(lambda n, body: "hang up" if n == 0 else None) as server:
            ask(client(server), tmp_path, requests(1))
        assert Ledger(tmp_path / "ledger.sqlite").spent("default").calls == 2

    def test_a_limit_in_dollars_wants_a_price(self):
        with pytest.raises(ValueError, match=r"no price of teacher: .*'<section>\.price=\{prompt: "):
            OpenAIGenerator(model="teacher", budget=Budget(max_dollars=1))


def test_requests_per_minute_are_kept(tmp_path):
    with serving() as server:
        ask(client(server, requests_per_minute=600), tmp_path, requests(36))
        times = sorted(server.times)
    assert times[-1] - times[0] >= 2.0  # 10 a second after a burst of 10 at the start: 2.5, if the first came at once


def test_a_run_that_is_stopped_leaves_the_rate_to_the_next(tmp_path):
    with serving() as server:
        generator = client(server, requests_per_minute=60)
        with generator.open(None, tmp_path) as session:
            stream = session.stream(requests(20))
            next(stream)
            stream.close()
    name = f"{generator.base_url} {generator.model} requests"
    assert Rates(tmp_path / "rates.sqlite").wait_seconds(name, 1, 60) < 3  # two turns sent or waited for, and this one


def test_jobs_that_ask_the_same_questions_use_the_rate_as_one(tmp_path):
    with serving(lambda n, body: time.sleep(0.3)) as server:
        generator = client(server, requests_per_minute=1200, concurrency=32)
        with ThreadPoolExecutor(4) as jobs:
            began = time.monotonic()
            for done in [jobs.submit(ask, generator, tmp_path, requests(60)) for _ in range(4)]:
                assert len(done.result()) == 60
        assert len(server.bodies) == 60
        assert time.monotonic() - began < 7.5  # 3 at this rate; each job took turns of its own: 12


def test_a_wait_for_the_rate_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(openai_session, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(openai_log, "SILENCE_SECONDS", 0.1)
    caplog.set_level(logging.INFO)
    with serving() as server:
        generator = client(server, requests_per_minute=60)
        Rates(tmp_path / "rates.sqlite").wait_seconds(f"{generator.base_url} {generator.model} requests", 2, 60)
        assert len(ask(generator, tmp_path, requests(1))) == 1
    assert re.search(r"next call in \d s \(requests_per_minute, tokens_per_minute\)", caplog.text)


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "api.openai.com"},
        {"base_url": "http:///v1"},
        {"base_url": "http://a..b/v1"},
        {"base_url": "http://teacher:99999/v1"},
        {"base_url": "http://me:secret@teacher/v1"},
        {"output": "json", "api": "completions"},
        {"concurrency": 0},
        {"timeout": 0},
        {"max_retries": -1},
        {"requests_per_minute": 0},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))) as raised:
        OpenAIGenerator(**{"model": "teacher", **options})
    assert "secret" not in str(raised.value)


def test_name_and_password_go_in_the_header_of_the_key(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "Basic bWU6c2VjcmV0")
    with serving() as server:
        assert len(ask(client(server, provider=Provider(key_header="Authorization")), tmp_path, requests(1))) == 1
        assert server.headers[0]["Authorization"] == "Basic bWU6c2VjcmV0"


def test_a_stop_string_that_cannot_be_sent_ends_the_text_all_the_same(tmp_path):
    said = "It is 4.\n\nQuestion: What is 3 + 3?\nIt is 6."
    reply = {"choices": [{"message": {"content": said}, "finish_reason": "length"}]}
    asked = [Request("cut", "2 + 2?", 0, Sampling(stop=("\n\nQuestion:",))), Request("whole", "2 + 2?", 0, Sampling())]
    with serving(lambda n, body: Reply(200, reply)) as server:
        for _ in range(2):  # the second time from the cache
            answers = ask(client(server, provider=Provider(omit=("stop",))), tmp_path, asked)
            assert (answers["cut"].text, answers["cut"].finish_reason) == ("It is 4.", "stop")
            assert (answers["whole"].text, answers["whole"].finish_reason) == (said, "length")
        assert len(server.bodies) == 1
    assert Provider(omit=("stop",)).identity() and not Provider(omit=("seed",)).identity()


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_a_query_of_the_address_goes_along_with_every_call(tmp_path, path):
    with serving() as server:
        base_url = server.url.removesuffix("/v1") + f"{path}?api-version=2024-10-21"
        assert len(ask(client(server, base_url=base_url), tmp_path, requests(2))) == 2
        assert set(server.paths) == {"/v1/chat/completions?api-version=2024-10-21"}


def test_the_configs_prices_are_plain_numbers():
    generator = OpenAIGenerator(model="a", prices={"a": {"prompt": 1.0, "completion": 2.0}})
    assert generator.dollars(1_000_000, 500_000) == 2.0
    assert json.loads(json.dumps(dataclasses.asdict(generator)))["prices"] == {
        "a": {"prompt": 1.0, "completion": 2.0, "cached": None}
    }

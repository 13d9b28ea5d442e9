"""What each provider does in its own way, played by a loopback server and read with the provider's option file."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.config.build import build
from src.core.errors import UserError
from src.generation import openai_session, throttle
from src.generation.base import Request, Sampling
from src.generation.budget import Ledger, Price
from src.generation.openai_log import CallLog
from src.generation.provider import AnswerVerdict
from tests.generation.loopback import Reply, serving

pytestmark = pytest.mark.slow  # servers of their own

CONF = Path(__file__).parents[2] / "conf"


def inherits(name: str) -> set[str]:
    """An option file's ancestors, itself included."""
    defaults = yaml.safe_load((CONF / "generator" / f"{name}.yaml").read_text()).get("defaults", [])
    return {name}.union(*(inherits(parent) for parent in defaults if parent != "_self_"))


PROFILES = sorted(path.stem for path in (CONF / "generator").glob("*.yaml") if "compatible" in inherits(path.stem))
OPEN = {"model": "m", "base_url": "http://127.0.0.1:1", "account": "a", "price": {"prompt": 1.0, "completion": 2.0}}


@pytest.fixture(autouse=True)
def quick_pauses(monkeypatch):
    monkeypatch.setattr(openai_session, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(throttle, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(throttle, "SPREAD_SECONDS", 0.01)


@cache
def profile(name: str) -> Any:
    """The generator that the option file describes."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        options = OmegaConf.to_container(compose(f"generator/{name}"), resolve=False)["generator"]
    needed = {key: value for key, value in OPEN.items() if options.get(key) in ("???", None) or key == "account"}
    return build({**options, **needed})


def client(name, server, **options):
    fixed = {"base_url": server.url, "api_key_env": None, "timeout": 5.0, "max_retries": 2, "batch": None}
    return dataclasses.replace(profile(name), **{**fixed, **options})


def requests(n):
    return [Request(f"r{i}", f"prompt {i}", seed=i, sampling=Sampling(max_tokens=20)) for i in range(n)]


def ask(generator, cache, asked):
    with generator.open(None, cache) as session:
        return {c.id: c for c in session.stream(asked)}


def said(content, reason="stop", usage=(7, 3), **message):
    usage = usage if isinstance(usage, dict) else {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": content, **message}}
    return Reply(200, {"choices": [choice], "usage": usage})


def refused(status, message, headers=None, **error):
    return Reply(status, {"error": {"message": message, **error}}, headers or {})


@dataclass(frozen=True)
class Oddity:
    """A reply and what is to come of it: a text (with its note, thoughts and tokens), or an error of this call."""

    profile: str
    reply: Reply
    text: str = "four"
    finish: str = "stop"
    note: str | None = None
    thinking: str = ""
    tokens: tuple[int, int, int] = (7, 3, 0)
    error: str | None = None


BOOKED = (40, 20, 0)  # where the reply does not say: as many tokens as "prompt 1" has bytes, and its frame


def answers():
    yield "content in parts", Oddity("mistral", said([{"type": "text", "text": "fo"}, {"type": "text", "text": "ur"}]))
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "two, two"}]},
        {"type": "text", "text": "four"},
    ]
    yield "thoughts in parts", Oddity("mistral", said(parts), thinking="two, two")
    yield "content in bare strings", Oddity("mistral", said(["fo", {"text": "ur"}]))
    yield "content as one part", Oddity("mistral", said({"type": "text", "text": "four"}))
    yield (
        "a bare thought in parts",
        Oddity("mistral", said([{"type": "thinking", "thinking": ["hm"]}, "four"]), thinking="hm"),
    )
    yield "a number as finish reason", Oddity("gemini", said("four", 1), note="finish reason: 1")
    yield "usage without end", Oddity("tgi", said("four", usage={"prompt_tokens": 1e400}), tokens=BOOKED)
    yield "usage beyond sense", Oddity("tgi", said("four", usage={"prompt_tokens": 10**30}), tokens=BOOKED)
    plain = said("fo\nur").body
    marked = b"\xef\xbb\xbf" + json.dumps(plain).encode()
    yield "a byte-order mark", Oddity("azure", Reply(200, marked), text="fo\nur")
    bare = json.dumps(plain).encode().replace(rb"fo\nur", b"fo\nur")
    yield "a bare line end in JSON", Oddity("ollama", Reply(200, bare), text="fo\nur")
    for reason in ("eos", "eos_token", "stop_sequence", "end_turn", "STOP"):
        yield reason, Oddity("tgi", said("four", reason))
    yield "MAX_TOKENS", Oddity("gemini", said("fo", "MAX_TOKENS"), text="fo", finish="length")
    yield "model_length", Oddity("mistral", said("fo", "model_length"), text="fo", finish="length")
    for reason in ("tool_calls", "something new"):
        yield reason, Oddity("openrouter", said("four", reason), note=f"finish reason: {reason}")
    yield "null", Oddity("openai", said("four", None), note="finish reason: None")
    yield (
        "null at the limit",
        Oddity(
            "openai",
            said("fo", None, (7, 20)),
            text="fo",
            finish="length",
            note="finish reason: None",
            tokens=(7, 20, 0),
        ),
    )
    yield "reasoning_content", Oddity("deepseek", said("four", reasoning_content="two, two"), thinking="two, two")
    yield "reasoning", Oddity("openrouter", said("four", reasoning="two, two"), thinking="two, two")
    drafts = "<think>[Problem] a draft</think> no <think>two, two</think>\n\nfour"
    yield (
        "thoughts in the text",
        Oddity("vllm_server", said(drafts), thinking="[Problem] a draft</think> no <think>two, two"),
    )
    yield (
        "thoughts that never end",
        Oddity(
            "vllm_server",
            said("<think>two, tw", "length", (7, 20)),
            text="",
            finish="length",
            note="cut off while it was thinking",
            thinking="two, tw",
            tokens=(7, 20, 0),
        ),
    )
    yield (
        "half a surrogate pair and NUL",
        Oddity(
            "ollama", Reply(200, said("fo\ud835 \0ur").body), text="fo\ufffd \ufffdur", note="unreadable characters"
        ),
    )
    half = "fo\ud835"
    yield (
        "half a surrogate pair in a filtered text",
        Oddity("gemini", said(half, "SAFETY"), text="fo\ufffd", finish="error", error="content filter"),
    )
    yield (
        "half a surrogate pair in a refusal",
        Oddity("anthropic", said(None, refusal=half), text="fo\ufffd", finish="error", error="content filter"),
    )
    yield "half a surrogate pair as finish reason", Oddity("tgi", said("four", half), note="finish reason: fo\ufffd")
    yield "a whole surrogate pair", Oddity("ollama", said("\U0001d465"), text="\U0001d465")
    cached = {"prompt_tokens": 70, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 64}}
    yield "cached prompt", Oddity("openai", said("four", usage=cached), tokens=(70, 3, 64))
    hits = {"prompt_tokens": 70, "completion_tokens": 3, "prompt_cache_hit_tokens": 64}
    yield "cache hits", Oddity("deepseek", said("four", usage=hits), tokens=(70, 3, 64))
    total = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 110}
    yield "thoughts in total_tokens alone", Oddity("gemini", said("four", usage=total), tokens=(7, 103, 0))
    yield "SAFETY", Oddity("gemini", said("", "SAFETY"), text="", finish="error", error="content filter")
    yield (
        "refusal",
        Oddity(
            "anthropic",
            said(None, "stop", refusal="I cannot."),
            text="I cannot.",
            finish="error",
            error="content filter",
        ),
    )
    moderated = refused(403, "Your chosen model requires moderation and your input was flagged", code=403)
    yield (
        "moderation",
        Oddity("openrouter", moderated, text="", finish="error", tokens=(0, 0, 0), error="content filter"),
    )
    azure = refused(400, "The response was filtered", code="content_filter", innererror={"code": "ResponsibleAIPolicy"})
    yield "content_filter", Oddity("azure", azure, text="", finish="error", tokens=(0, 0, 0), error="content filter")
    risk = refused(400, "Content Exists Risk", code="invalid_request_error")
    yield "risk", Oddity("deepseek", risk, text="", finish="error", tokens=(0, 0, 0), error="content filter")
    for name, words in (
        ("openai", "This model's maximum context length is 8 tokens"),
        ("anthropic", "prompt is too long: 9 tokens > 8 maximum"),
    ):
        long = refused(400, words)
        yield (
            f"too long ({name})",
            Oddity(name, long, text="", finish="error", tokens=(0, 0, 0), error="prompt too long"),
        )
    detail = Reply(422, {"detail": [{"loc": ["body"], "msg": "odd field"}]})
    yield "FastAPI", Oddity("vllm_server", detail, text="", finish="error", tokens=(0, 0, 0), error="bad request")


@pytest.mark.parametrize("oddity", [pytest.param(oddity, id=name) for name, oddity in answers()])
def test_an_odd_reply_is_read_for_what_it_is_paid_once_and_kept(tmp_path, oddity):
    with serving(lambda n, body: oddity.reply if n == 1 else None) as server:
        generator = client(oddity.profile, server, concurrency=1)
        done = ask(generator, tmp_path, requests(2))["r1"]
        assert (done.text, done.finish_reason, done.note, done.thinking) == (
            oddity.text,
            oddity.finish,
            oddity.note,
            oddity.thinking,
        )
        assert (done.prompt_tokens, done.completion_tokens, done.cached_tokens) == oddity.tokens
        assert (done.error or "").partition(":")[0] == (oddity.error or "")
        assert not done.transient
        assert len(server.bodies) == 2
        if oddity.tokens[0]:  # what was paid for is kept, for good
            assert ask(generator, tmp_path, requests(2))["r1"] == done
            assert len(server.bodies) == 2
            spent = Ledger(tmp_path / "ledger.sqlite").spent("a")
            assert spent.tokens == 10 + sum(oddity.tokens[:2])


def throttlings():
    yield "openai", refused(429, "Rate limit reached. Please try again in 20ms.", code="rate_limit_exceeded")
    yield "openai", refused(429, "slow down", {"Retry-After-Ms": "20"})
    yield "azure", refused(429, "Please retry after 1 second.", {"Retry-After": "0.02"}, code="429")
    yield "deepseek", refused(503, "Server overloaded")
    yield "anthropic", Reply(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    exhausted = {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details"}
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.02s"}
    yield "gemini", Reply(429, [{"error": {**exhausted, "status": "RESOURCE_EXHAUSTED", "details": [retry]}}])
    yield "openrouter", Reply(200, {"error": {"code": 429, "message": "Rate limit exceeded upstream"}})
    yield "mistral", Reply(429, {"object": "error", "message": "Requests rate limit exceeded", "type": "rate_limited"})
    yield "tgi", Reply(429, {"error": "Model is overloaded", "error_type": "overloaded"})
    yield (
        "ollama",
        Reply(503, {"error": {"message": "server busy, please try again. maximum pending requests exceeded"}}),
    )
    yield "vllm_server", Reply(503, b"<html>Service Unavailable</html>")


@pytest.mark.parametrize(("name", "reply"), throttlings())
def test_throttling_is_waited_out_and_costs_no_try_and_no_cent(tmp_path, name, reply):
    """A third of the first 30 calls is throttled, with no retry allowed: nothing is lost, nothing is paid twice."""
    with serving(lambda n, body: reply if n < 30 and n % 3 == 0 else None) as server:
        done = ask(client(name, server, concurrency=8, max_retries=0), tmp_path, requests(40))
        assert {c.finish_reason for c in done.values()} == {"stop"}
        assert set(server.answered.values()) == {1}
    assert Ledger(tmp_path / "ledger.sqlite").spent("a").calls == 40


def fatalities():
    yield "openai", refused(401, "Incorrect API key provided", code="invalid_api_key"), "refuses a call without a key"
    quota = refused(429, "You exceeded your current quota", type="insufficient_quota", code="insufficient_quota")
    yield "openai", quota, "no credit left"
    yield "openai", refused(404, "The model `m` does not exist", code="model_not_found"), "does not know the model"
    yield "deepseek", refused(402, "Insufficient Balance"), "no credit left: .*Insufficient Balance"
    broke = {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}
    yield "anthropic", Reply(400, broke), "no credit left"
    limit = "You have reached your specified API usage limits. You will regain access on 2026-12-01"
    yield "anthropic", Reply(400, {"error": {"message": limit}}), "limit is reached: .*regain access on 2026-12-01"
    day = [{"error": {"code": 429, "message": "quota", "details": [{"violations": [{"quotaId": "RequestsPerDay"}]}]}}]
    yield "gemini", Reply(429, day), "limit is reached: .*PerDay"
    yield "gemini", refused(400, "API key not valid. Please pass a valid API key."), "refuses a call without a key"
    yield "openrouter", refused(402, "Insufficient credits"), "no credit left"
    yield "openrouter", Reply(200, {"error": {"code": 402, "message": "Insufficient credits"}}), "no credit left"
    yield "mistral", Reply(401, {"detail": "Unauthorized"}), "refuses a call without a key: HTTP 401: Unauthorized"
    yield "mistral", Reply(429, {"message": "Monthly token limit exceeded"}), "limit is reached: .*Monthly token limit"
    yield "azure", refused(404, "The API deployment does not exist", code="DeploymentNotFound"), "does not know"
    yield "ollama", Reply(404, {"error": {"message": 'model "m" not found, try pulling it first'}}), "try pulling it"
    yield "openai", Reply(302, b"", {"Location": "/login"}), "sends calls on to /login: HTTP 302"
    yield "openai", Reply(407, b"who are you?"), "proxy on the way to .* wants to know who asks: .*who are you"
    yield "openai", Reply(200, {"error": {"message": "Insufficient balance"}}), "no credit left"
    yield "openai", refused(429, "wait", {"Retry-After": "198000"}), "wants a pause of 55 hours: .*wait"
    refusal = "Unsupported parameter: 'temperature' is not supported with this model."
    yield (
        "openai",
        refused(400, refusal, code="unsupported_parameter"),
        r"(?s)refused the first 3 calls.*provider\.omit",
    )


@pytest.mark.parametrize(("name", "reply", "message"), fatalities())
def test_what_no_call_survives_ends_the_run_within_three_calls_with_one_message(tmp_path, name, reply, message):
    with serving(lambda n, body: reply) as server, pytest.raises(UserError, match=message):
        ask(client(name, server, concurrency=256), tmp_path, requests(400))
    assert len(server.bodies) <= 3
    assert Ledger(tmp_path / "ledger.sqlite").spent("a").calls == 0


@pytest.mark.parametrize("concurrency", [1, 16])
def test_after_a_fatal_refusal_nothing_more_is_sent(tmp_path, concurrency):
    got, last = [], 60
    with serving(lambda n, body: refused(402, "Insufficient Balance") if n >= last else None) as server:
        generator = client("deepseek", server, concurrency=concurrency)
        with generator.open(None, tmp_path) as session, pytest.raises(UserError, match="no credit left"):
            got.extend(session.stream(requests(400)))
        assert len(got) == server.answered.total()
        assert len(server.bodies) <= last + concurrency  # those in flight when the first refusal came


def test_after_a_fatal_refusal_calls_in_flight_that_fail_are_not_waited_for(tmp_path):
    def fault(n, body):
        if n == 30:
            return refused(402, "Insufficient Balance")
        if n > 20:
            time.sleep(0.3)
            return (502, {}, {})
        return None

    began = time.monotonic()
    with serving(fault) as server, pytest.raises(UserError, match="no credit left"):
        ask(client("deepseek", server, concurrency=16, max_retries=20, patience=20.0), tmp_path, requests(60))
    assert time.monotonic() - began < 5


def test_one_forbidden_prompt_ends_nothing_and_a_key_that_was_taken_back_does(tmp_path):
    with serving(lambda n, body: refused(403, "no") if n == 5 else None) as server:
        done = ask(client("openai", server, concurrency=1), tmp_path, requests(10))
    assert [c.error for c in done.values() if c.error] == ["bad request: no"]
    with serving(lambda n, body: refused(403, "no") if n >= 5 else None) as server:
        with pytest.raises(UserError, match="refuses a call without a key: HTTP 403"):
            ask(client("openai", server, concurrency=1, family="other"), tmp_path, requests(30))
        assert len(server.bodies) == 8


def test_an_empty_answer_is_asked_again_and_never_kept(tmp_path):
    with serving(lambda n, body: said("", "stop") if n == 1 else None) as server:
        done = ask(client("openai", server, concurrency=1), tmp_path, requests(2))
        assert {c.finish_reason for c in done.values()} == {"stop"}
        assert len(server.bodies) == 3
    assert Ledger(tmp_path / "ledger.sqlite").spent("a").calls == 3  # it was charged all the same
    with serving(lambda n, body: said(" \n") if n else None) as server:
        done = ask(client("openai", server, concurrency=1, family="b"), tmp_path, requests(2))
        assert done["r1"].error == "broken answer: empty answer, 3 tries"
        assert not done["r1"].transient
        assert len(server.bodies) == 4


def test_a_server_that_is_down_for_a_while_costs_no_call_its_tries(tmp_path, monkeypatch):
    """Forty failures in a row, and three tries a call: more than eight calls could take, even where one that was
    answered before is heard of after the first failures."""
    monkeypatch.setattr(throttle, "LONGEST_PAUSE", 0.1)
    with serving(lambda n, body: (502, {}, {}) if 10 <= n < 50 else None) as server:
        done = ask(client("openai", server, concurrency=8, max_retries=2), tmp_path, requests(60))
    assert {c.finish_reason for c in done.values()} == {"stop"}


def test_a_server_that_stays_down_ends_the_run_with_what_it_said(tmp_path, monkeypatch):
    monkeypatch.setattr(throttle, "LONGEST_PAUSE", 0.1)
    with serving(lambda n, body: (502, {}, {}) if n >= 10 else None) as server:
        generator = client("openai", server, concurrency=8, patience=1.0)
        with pytest.raises(UserError, match=r"has not answered any call for \d+ seconds?: server error: HTTP 502"):
            ask(generator, tmp_path, requests(60))
        assert len(server.bodies) < 60


def test_what_failed_while_nothing_was_answered_is_transient(tmp_path):
    """At the end of a run nobody can tell a server that is down from a call that it cannot do."""
    with serving(lambda n, body: (500, {}, {}) if n >= 3 else None) as server:
        done = ask(client("openai", server, concurrency=1, max_retries=1), tmp_path, requests(4))
        assert (done["r3"].error, done["r3"].transient) == ("server error: HTTP 500, 2 tries", True)
        given_up = ask(client("openai", server, concurrency=1, max_retries=0), tmp_path, requests(4))["r3"]
        assert (given_up.error, given_up.transient) == ("server error: HTTP 500, 1 tries", False)


def test_a_silence_is_told_before_its_minute_and_once(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    clock = iter([0.0, 1.0, 5.9, 6.1, 30.0, 61.0, 67.0, 70.0])
    monkeypatch.setattr("src.generation.openai_log.time", SimpleNamespace(monotonic=lambda: next(clock)))
    told = CallLog("teacher")  # at 0
    for _ in range(5):  # at 1, 5.9, 6.1, 30, 61: told when five seconds have passed, and then not for a minute
        told.say("no answer", None)
    assert len(caplog.records) == 1 and "no answer" in caplog.text
    told.say("no answer", None)  # 67: a minute later
    assert len(caplog.records) == 2
    told.say(None, None)  # 70
    assert len(caplog.records) == 2


def test_a_line_a_minute_says_what_is_done_spent_failed_and_waited_for(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("src.generation.openai_log.LOG_SECONDS", 0.05)
    monkeypatch.setattr(openai_session, "LOG_SECONDS", 0.05)
    caplog.set_level(logging.INFO)

    def some(n, body):
        if n == 2:
            return refused(400, "odd")
        return refused(429, "slow down", {"Retry-After": "0.5"}) if n == 5 else None

    with serving(some) as server:
        generator = client("openai", server, concurrency=1, price=Price(100_000, 0))
        with generator.open(None, tmp_path) as session:
            session.expected = 10
            list(session.stream(requests(10)))
    lines = "\n".join(record.getMessage() for record in caplog.records if record.name.endswith("openai_log"))
    assert "calls/s" in lines
    assert "about $" in lines
    assert "failed: 1 x bad request" in lines
    assert "no answer for 0 s (HTTP 429: slow down); next try in" in lines


def test_every_option_file_is_played_here():
    played = {oddity.profile for _, oddity in answers()} | {name for name, *_ in (*throttlings(), *fatalities())}
    inherit_all = {"compatible", "openai_batch", "openai_mini", "openai_reasoning", "sglang_server"}
    assert played == {*PROFILES} - inherit_all


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_sends_no_field_that_it_omits_and_no_name_that_it_renames(name):
    generator = profile(name)
    body = generator.body("hello", Sampling(0.5, 0.9, 7, 0.01, 33, 1.3, ("#",)), seed=1)
    assert not body.keys() & {*generator.provider.omit, *generator.provider.rename}
    assert body["messages"][-1]["content"].startswith("hello")
    assert 33 in body.values()


def test_reasoning_models_are_sent_no_temperature():
    body = profile("openai_reasoning").body("hello", Sampling(max_tokens=33), seed=1)
    assert body["max_completion_tokens"] == 33
    assert body["reasoning_effort"] == "medium"
    assert not body.keys() & {"temperature", "top_p", "max_tokens"}


def test_words_that_no_verdict_has_are_refused():
    from src.generation.provider import Provider

    with pytest.raises(ValueError, match="errors has no weather; it takes: no credit, "):
        Provider(errors={"weather": ["429 rain"]})
    assert Provider(errors={AnswerVerdict.NO_CREDIT: ["429 rain"]})

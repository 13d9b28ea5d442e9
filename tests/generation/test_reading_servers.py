"""Refusals, pauses, thoughts and file systems, read from what they look like."""

import email.utils
import json
import time
from pathlib import Path

import pytest

from src.generation.batch_output import read_output
from src.generation.budget import Price, Spent
from src.generation.cache import AnswerCache
from src.generation.filesystems import SHARED, type_of_mount
from src.generation.openai_answers import read_reply
from src.generation.provider import AnswerVerdict, Provider
from src.generation.refusals import Refusal, Unreadable, refusal_in
from src.generation.thinking import ends_in_thinking, split_thinking


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "7"}, None, 7.0),
        ({"retry-after": "0.25"}, None, 0.25),
        ({"Retry-After": "9", "retry-after-ms": "1500"}, None, 1.5),
        ({"Retry-After": "-3"}, None, 0.0),
        ({"Retry-After": "nan"}, None, None),
        ({"Retry-After": "soon"}, None, None),
        ({"Retry-After": "198000"}, None, 198_000.0),
        ({}, {"error": {"message": "Please try again in 7m12s."}}, 432.0),
        ({}, {"error": {"message": "Please try again in 890ms."}}, 0.89),
        ({}, {"error": {"message": "Please retry after 26 seconds."}}, 26.0),
        ({}, [{"error": {"message": "quota", "details": [{"retryDelay": "37s"}]}}], 37.0),
        ({}, {"error": {"message": "Please try again in 1.2.3s, or in .s"}}, None),
        ({}, {"error": {"message": "no"}}, None),
    ],
)
def test_pauses_are_read_from_headers_and_words(headers, body, seconds):
    assert Refusal(429, body, headers).pause == (None if seconds is None else pytest.approx(seconds))


def test_a_pause_may_be_a_date():
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert Refusal(429, None, {"Retry-After": date}).pause == pytest.approx(100, abs=20)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "no", "code": "c", "type": "t"}}, "c t no"),
        ({"error": "plain"}, "plain"),
        ({"error": {"message": "unexpected \ud83d"}}, "unexpected \ufffd"),
        ("odd \ud83d", "odd \ufffd"),
        ({"object": "error", "message": "flat"}, "flat"),
        ({"detail": "Unauthorized"}, "Unauthorized"),
        ("<html>\n oops </html>", "<html> oops </html>"),
        ({}, "{}"),
        (None, ""),
    ],
)
def test_a_refusals_words_are_found_wherever_they_stand(body, words):
    assert Refusal(500, body).words == words


def test_an_error_in_a_reply_that_claims_success_has_its_own_status():
    assert refusal_in({"error": {"code": 402, "message": "pay"}}, {}).status == 402
    assert refusal_in({"error": "odd"}, {}).status == 200
    assert refusal_in({"choices": [1], "error": None}, {}) is None


def test_a_providers_own_patterns_come_before_the_common_ones():
    refusal = Refusal(429, {"error": {"message": "Daily quota"}})
    assert Provider().verdict(refusal) is AnswerVerdict.THROTTLED
    assert Provider(errors={"spending limit": ["429 daily"]}).verdict(refusal) is AnswerVerdict.SPENDING_LIMIT
    assert Provider(errors={"spending limit": ["403 daily"]}).verdict(refusal) is AnswerVerdict.THROTTLED
    assert Provider().verdict(Refusal(418, "teapot")) is AnswerVerdict.BAD_REQUEST


def test_a_call_that_no_pause_makes_small_enough_is_not_waited_for():
    words = "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 41000."
    error = {"message": words, "type": "tokens", "code": "rate_limit_exceeded"}
    assert Provider().verdict(Refusal(429, {"error": error})) is AnswerVerdict.TOO_LONG
    error["message"] = "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000."
    assert Provider().verdict(Refusal(429, {"error": error})) is AnswerVerdict.THROTTLED


@pytest.mark.parametrize(
    ("text", "opened", "split"),
    [
        ("four", False, ("", "four")),
        ("<think>a</think>\n\nfour", False, ("a", "four")),
        ("a</think>four", True, ("a", "four")),
        ("a</think>b</think>four", False, ("a</think>b", "four")),
        ("<think>a and on", False, ("a and on", "")),
        ("a and on", True, ("a and on", "")),
        ("[THINK]a[/THINK]four", False, ("a", "four")),
        ("is 3 < 4 or <thin", False, ("", "is 3 < 4 or <thin")),
    ],
)
def test_the_answer_begins_after_the_last_thought(text, opened, split):
    assert split_thinking(text, opened) == split


def test_a_template_may_leave_the_model_inside_its_thoughts():
    assert ends_in_thinking("<|assistant|><think>\n")
    assert not ends_in_thinking("<|assistant|><think>\n\n</think>\n\n")


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
35 22 0:33 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
36 35 254:1 / /home/me/fast\\040disk rw - xfs /dev/vdb rw
37 22 0:40 / /scratch rw - lustre mds@tcp:/scratch rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/tmp/x", "ext4"), ("/home/me/x", "nfs4"), ("/home/me/fast disk/x", "xfs"), ("/scratch", "lustre")],
)
def test_the_deepest_mount_says_what_a_folder_lies_on(path, kind):
    assert type_of_mount(Path(path), MOUNTS) == kind
    assert (kind in SHARED) == (kind in ("nfs4", "lustre"))


def test_no_write_ahead_log_where_several_hosts_may_write(tmp_path, monkeypatch):
    monkeypatch.setattr("src.generation.cache.is_shared_by_hosts", lambda folder: "shared" in str(folder))
    for folder, mode in (("shared", "delete"), ("local", "wal")):
        cache = AnswerCache(tmp_path / folder / "answers.sqlite")
        assert cache.database.execute("PRAGMA journal_mode").fetchone() == (mode,)
        cache.close()


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 7, "total_tokens": 47}, (7, 40)),
        ({"prompt_tokens": 7, "completion_tokens": None, "total_tokens": 7}, (7, 500)),  # no text costs nothing
        ({"prompt_tokens": 7, "total_tokens": 0}, (7, 500)),
        ({"prompt_tokens": 7}, (7, 500)),
        ({"completion_tokens": 3, "total_tokens": 10}, (90, 3)),
        ({"total_tokens": 10}, (90, 500)),
    ],
)
def test_a_count_that_is_left_out_is_what_the_others_leave_or_what_was_booked(usage, tokens):
    reply = {"choices": [{"finish_reason": "stop", "message": {"content": "four"}}], "usage": usage}
    answer = read_reply(reply, "a", Spent(1, 90, 500), Provider(), as_json=False)
    assert (answer.prompt_tokens, answer.completion_tokens) == tokens


def test_cached_tokens_have_their_price():
    assert Price(10, 20, cached=1).of(1_000_000, 500_000, 400_000) == pytest.approx(6 + 0.4 + 10)
    assert Price(10, 20).of(1_000_000, 500_000, 400_000) == 20


def line(key, text="four", status=200):
    body = {"choices": [{"finish_reason": "stop", "message": {"content": text}}], "usage": {"prompt_tokens": 7}}
    body = body if status == 200 else {"error": {"message": text}}
    return json.dumps({"custom_id": key, "response": {"status_code": status, "body": body}}, ensure_ascii=False)


BOOKED = {key: Spent(1, 50, 20, 0.0) for key in "abcde"}


def test_lines_of_a_batch_end_at_newlines_alone_and_a_bad_one_costs_its_row():
    odd = "one\u2028two\u0085three\u000cfour"
    file = "\n".join([line("a", odd), line("b")[:30], line("c"), line("d", "slow down", 429)]).encode()
    output = read_output([file, b""], BOOKED, Provider(), as_json=False)
    assert {answer.id: answer.text for answer in output.answers} == {"a": odd, "c": "four"}
    assert sorted(output.charged_in_full) == ["b", "e"]  # of one of the two the answer may have been there
    assert output.failures["d"].transient
    assert not output.failures["d"].counts
    assert not output.failures["b"].final


def test_lines_of_a_batch_are_read_though_no_strict_reader_would():
    byte = line("a", "caf\u00e9").encode("latin-1")
    bare = line("b", "one+two").replace("+", "\t").encode()
    unsaid = line("c").replace('"status_code": 200, ', "").encode()
    output = read_output([b"\xef\xbb\xbf" + byte, bare, unsaid, b'{"custom_id": ["x"]}'], BOOKED, Provider(), False)
    assert {answer.id: answer.text for answer in output.answers} == {"a": "caf\ufffd", "b": "one\ttwo", "c": "four"}
    assert output.charged_in_full == []


@pytest.mark.parametrize(
    "body",
    [
        {"choices": {"0": "four"}},
        {"choices": True},
        {"choices": [{"message": {"content": [None, 3, {"type": ["x"]}]}, "finish_reason": "stop"}]},
        {"choices": [{"message": 7, "text": [], "finish_reason": "stop"}], "usage": [1]},
        {"data": [{"embedding": ["x"]}]},
    ],
)
def test_a_reply_of_any_shape_is_unreadable_at_worst(body):
    with pytest.raises(Unreadable):
        read_reply(body, "r", Spent(1, 50, 20, 0.0), Provider(), as_json=False)


@pytest.mark.parametrize(("promised", "short"), [(2, False), (3, True)])
def test_lines_that_a_batch_promised_and_has_not_may_have_been_charged(promised, short):
    """Those of refused calls do not make up for them."""
    file = "\n".join([line("a"), line("b", ""), line("c", "odd prompt", 400)]).encode()
    output = read_output([file], BOOKED, Provider(), False, promised)
    assert output.is_short == short
    assert output.charged_in_full == (["d", "e"] if short else [])


def test_what_a_batch_has_no_line_for_was_not_charged():
    output = read_output([line("a").encode()], BOOKED, Provider(), as_json=False)
    assert output.charged_in_full == []
    assert {key for key, failure in output.failures.items() if failure.transient} == {*"bcde"}

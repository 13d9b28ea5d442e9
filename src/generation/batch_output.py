"""The files that a provider leaves of a batch, as providers really write them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from src.generation.base import Completion
from src.generation.budget import Spent
from src.generation.openai_answers import read_reply, worth_keeping
from src.generation.provider import OF_THE_CALL, AnswerVerdict, Provider
from src.generation.refusals import Refusal, Unreadable, refusal_in

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why a call of a batch has no answer.

    final: the same call would get none either. transient: it says nothing about the call. counts: as a try.
    """

    reason: str
    final: bool = False
    transient: bool = False
    counts: bool = True

    def after(self, batches: int) -> Failure:
        """The same, when it was sent often enough."""
        return replace(self, reason=f"{self.reason}, {batches} batches", final=True)

    def completion(self, id: str) -> Completion:
        return Completion(id, "", "error", error=self.reason, transient=self.transient)


@dataclass
class Output:
    """What the files hold. `answers` carry the key of their question as id; `charged`: tokens of answers that are
    none; `charged_in_full`: keys of which nothing is known but that they may have been charged. `replies`: lines with
    what a model wrote, readable or not; `is_short`: they are fewer than were promised."""

    answers: list[Completion] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)
    charged: list[tuple[int, int, int]] = field(default_factory=list)
    charged_in_full: list[str] = field(default_factory=list)
    replies: int = 0
    is_short: bool = False


def read_output(
    files: Iterable[bytes], booked: Mapping[str, Spent], provider: Provider, as_json: bool, promised: int = 0
) -> Output:
    """Lines end at a newline and nowhere else: a text may hold U+2028 or U+0085. A bad line costs its row alone.

    promised: how many replies there are by the provider's count. Where lines are missing, theirs were charged."""
    output, bad = Output(), 0
    for line in (line for file in files for line in file.split(b"\n") if line.strip()):
        try:
            row = json.loads(line.decode("utf-8-sig", errors="replace"), strict=False)
            key = str(row["custom_id"])
        except (ValueError, TypeError, KeyError, RecursionError):
            bad += 1
            continue
        _read_row(row, key, booked.get(key, Spent()), provider, as_json, output)
    seen = {answer.id for answer in output.answers} | output.failures.keys()
    missing = [key for key in booked if key not in seen]
    output.is_short = bool(missing) and output.replies + bad < promised
    if bad:
        log.warning("%d lines of a batch's output are unreadable: as many calls are asked again", bad)
    if bad or output.is_short:
        output.charged_in_full += missing
    output.failures |= {key: Failure("batch: no line for it", transient=not bad) for key in missing}
    return output


def _read_row(row: Mapping[str, Any], key: str, most: Spent, provider: Provider, as_json: bool, output: Output) -> None:
    reply = row.get("response")
    if not isinstance(reply, dict):
        error = row.get("error")
        code = error.get("code") if isinstance(error, dict) else error
        output.failures[key] = Failure(f"batch: {code or 'no answer'}", transient=True)
        return
    body, said = reply.get("body"), str(reply.get("status_code"))
    status = int(said) if said.isdecimal() else 200  # not said: then the body tells
    refusal = refusal_in(body, {}) if status == 200 else Refusal(status, body)
    if refusal is not None:
        output.failures[key] = _failure(provider.verdict(refusal), refusal)
        return
    output.replies += 1
    try:
        answer = read_reply(body, key, most, provider, as_json)
    except Unreadable as problem:
        if problem.charged is None:
            output.charged_in_full.append(key)
        else:
            output.charged.append(problem.charged)
        output.failures[key] = Failure(f"broken answer: {problem}")
        return
    output.answers.append(answer)
    if not worth_keeping(answer):
        output.failures[key] = Failure(answer.error or "", final=True)


def _failure(verdict: AnswerVerdict, refusal: Refusal) -> Failure:
    if verdict is AnswerVerdict.SERVER_ERROR:
        return Failure(f"server error: HTTP {refusal.status}")
    if verdict in OF_THE_CALL:
        return Failure(f"{verdict}: {refusal.words}", final=True)
    return Failure(f"{verdict}: {refusal}", transient=True, counts=verdict is not AnswerVerdict.THROTTLED)

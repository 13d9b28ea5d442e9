"""The provider's batch API: calls at a lower price, answered within a day.

What is under way stands in the ledger, beside what it was booked at: a batch is written down before it is sent and
carries its name there as metadata. So a process that is killed, or started again a day later, finds its batches and
sends none twice; of a batch that expired, only what has no answer is sent again.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import uuid4

import openai

from src.core.errors import UserError
from src.generation.base import Completion, Request
from src.generation.budget import BudgetExhausted, Spent
from src.generation.openai_answers import Unreadable, read_reply, refusal, worth_keeping
from src.generation.openai_session import FIRST_DELAY, LONGEST_DELAY, OpenAISession

if TYPE_CHECKING:
    from src.generation.openai import Batch, OpenAIGenerator

log = logging.getLogger(__name__)
T = TypeVar("T")

ENDED = ("completed", "expired", "cancelled", "failed")
METADATA = "asked_by"
LISTED = 100  # of the provider's batches, newest first, when a batch is looked for whose number was never heard

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    token TEXT PRIMARY KEY, id TEXT, account TEXT NOT NULL, calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, dollars REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch_calls (key TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID
"""


@dataclass(frozen=True)
class _UnderWay:
    token: str
    id: str | None  # None: written down, and perhaps sent
    account: str
    booked: Spent


@dataclass(frozen=True)
class _Failure:
    """Why a call of a batch has no answer, and whether the same call could get one."""

    reason: str
    final: bool


class OpenAIBatchSession(OpenAISession):
    """Sends a batch, waits for it, hands on its answers, and so on; holds at most `batch.size` requests."""

    def __init__(self, options: OpenAIGenerator, batch: Batch, key: str, cache: Path):
        super().__init__(options, key, cache)
        self._batch, self._books = batch, self._ledger.database
        for statement in _SCHEMA.split(";"):
            self._books.execute(statement)

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Raises UserError when the budget ends, after what it allowed was answered and yielded."""
        source = iter(requests)
        while some := list(islice(source, self._batch.size)):
            waiting: dict[str, list[Request]] = {}
            for request in some:
                waiting.setdefault(self._key_of(request), []).append(request)
            yield from self._answers_to(waiting)

    def _answers_to(self, waiting: dict[str, list[Request]]) -> Iterator[Completion]:
        """`waiting`: requests by the key of their question; what is answered is taken out."""
        for batch in self._under_way(waiting):  # left by a run that was killed, perhaps with all of it collected
            self._look_after(batch)
        yield from self._kept_ones(waiting)
        failures: dict[str, _Failure] = {}
        for _ in range(self._options.max_retries + 1):
            if not waiting:
                return
            over = self._send_rest(waiting)
            failures |= self._wait_for(waiting)
            yield from self._kept_ones(waiting)
            yield from _failed(waiting, {key: f for key, f in failures.items() if f.final})
            if over is not None:
                raise over
        tries, unsent = f", {self._options.max_retries + 1} batches", _Failure("batch: could not be sent", final=False)
        yield from _failed(waiting, {k: _Failure(f"{failures.get(k, unsent).reason}{tries}", True) for k in waiting})

    def _kept_ones(self, waiting: dict[str, list[Request]]) -> Iterator[Completion]:
        for key in list(waiting):
            if self._cache.get(key, "") is not None:
                yield from (kept for request in waiting.pop(key) if (kept := self._cache.get(key, request.id)))

    def _send_rest(self, waiting: dict[str, list[Request]]) -> UserError | None:
        """Send what is in no batch yet, as far as the budget goes; returns the word that it goes no further."""
        self._check_disk()
        token = uuid4().hex
        self._cache.claim(token)  # until it is sent, no other process may think it lost
        try:
            chosen, over = self._write_down(token, waiting)
            if chosen:
                self._submit(token, chosen)
        finally:
            self._cache.release(token)
        return over

    def _write_down(self, token: str, waiting: dict[str, list[Request]]) -> tuple[dict[str, Request], UserError | None]:
        """Book and note a batch of what nobody has under way, all in one transaction."""
        chosen: dict[str, Request] = {}
        booked, over = Spent(), None
        with self._books.transaction():
            for key, asked in waiting.items():
                if self._books.execute("SELECT 1 FROM batch_calls WHERE key = ?", (key,)).fetchone():
                    continue
                if self._cache.get(key, "") is not None:  # another process has collected it a moment ago
                    continue
                most = self._most(asked[0])
                try:
                    self._ledger.book(self._options.account, most, self._options.budget)
                except BudgetExhausted as limit:
                    over = self._used_up(limit)
                    break
                chosen[key], booked = asked[0], booked + most
                self._books.execute("INSERT INTO batch_calls VALUES (?, ?)", (key, token))
            if chosen:
                row = (token, None, self._options.account, *astuple(booked))
                self._books.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return chosen, over

    def _submit(self, token: str, chosen: dict[str, Request]) -> None:
        path: Literal["/v1/chat/completions", "/v1/completions"] = "/v1/completions"
        if self._options.api == "chat":
            path = "/v1/chat/completions"
        lines = []
        for key, request in chosen.items():
            body = self._options.payload(request.prompt, request.sampling, request.seed)
            body |= body.pop("extra_body", {})
            lines.append(json.dumps({"custom_id": key, "method": "POST", "url": path, "body": body}))
        data = "\n".join(lines).encode()
        file = self._patiently(lambda: self._client.files.create(file=("calls.jsonl", data), purpose="batch"))
        try:
            sent = self._loop.run(
                self._client.batches.create(
                    input_file_id=file.id, endpoint=path, completion_window="24h", metadata={METADATA: token}
                )
            )
        except openai.OpenAIError as error:  # it may have arrived all the same: the provider's list will tell
            log.info("sending a batch of %d calls: %s", len(chosen), self._clean(error))
            return
        self._note_id(token, sent.id)
        log.info("batch %s: %d calls sent", sent.id, len(chosen))

    def _wait_for(self, waiting: dict[str, list[Request]]) -> dict[str, _Failure]:
        """Wait until none of the questions is under way; returns why some have no answer."""
        failures: dict[str, _Failure] = {}
        while under_way := self._under_way(waiting):
            for batch in under_way:
                failures |= self._look_after(batch)
            if self._under_way(waiting):
                time.sleep(self._batch.poll_seconds)
        return failures

    def _under_way(self, waiting: dict[str, list[Request]]) -> list[_UnderWay]:
        calls = self._books.execute("SELECT key, token FROM batch_calls")
        tokens = sorted({token for key, token in calls if key in waiting})
        columns = "token, id, account, calls, prompt_tokens, completion_tokens, dollars"
        rows = (self._books.execute(f"SELECT {columns} FROM batches WHERE token = ?", (t,)).fetchone() for t in tokens)
        return [_UnderWay(token, id, account, Spent(*sums)) for token, id, account, *sums in filter(None, rows)]

    def _look_after(self, batch: _UnderWay) -> dict[str, _Failure]:
        """Collect the batch if it has ended; forget it if it was never sent."""
        id = batch.id or self._search(batch)
        if id is None:
            return {}
        state = self._patiently(lambda: self._client.batches.retrieve(id))
        if counts := state.request_counts:
            log.info("batch %s: %s, %d of %d calls", id, state.status, counts.completed, counts.total)
        if state.status not in ENDED:
            return {}
        actual, failures = Spent(), dict[str, _Failure]()
        for file in (state.output_file_id, state.error_file_id):
            if file is not None:
                cost, failed = self._collect(file)
                actual, failures = actual + cost, failures | failed
        self._close_batch(batch, actual)
        if state.status == "failed":
            problems = "; ".join(e.message or "" for e in (state.errors and state.errors.data) or []) or "no reason"
            raise UserError(
                f"{self._server} took batch {id}, and then refused it: {problems}",
                "Does it know the model and all the options that are set? Nothing of it was charged.",
            )
        return failures

    def _search(self, batch: _UnderWay) -> str | None:
        """The number of a batch that was written down by a process that died, or lost its line, as it sent it."""
        if not self._cache.claim(batch.token):
            return None  # somebody is sending it right now
        try:
            for sent in self._patiently(lambda: self._client.batches.list(limit=LISTED)).data:
                if (sent.metadata or {}).get(METADATA) == batch.token:
                    self._note_id(batch.token, sent.id)
                    return str(sent.id)
            self._close_batch(batch, Spent())
            return None
        finally:
            self._cache.release(batch.token)

    def _collect(self, file: str) -> tuple[Spent, dict[str, _Failure]]:
        """Keep the answers that a file holds; returns what they cost, and why other calls have none."""
        cost, failures = Spent(), dict[str, _Failure]()
        content = self._patiently(lambda: self._client.files.content(file))
        for line in filter(str.strip, content.text.splitlines()):
            row = json.loads(line, object_hook=lambda fields: SimpleNamespace(**fields))
            try:
                answer = self._read(row)
            except Unreadable as problem:
                failures[row.custom_id] = _failure(row, str(problem))
                continue
            cost += self._cost(answer.prompt_tokens, answer.completion_tokens)
            if worth_keeping(answer):
                self._cache.put(row.custom_id, answer)
            else:
                failures[row.custom_id] = _Failure(answer.error or "", final=True)
        return cost, failures

    def _read(self, row: Any) -> Completion:
        reply = getattr(row, "response", None)
        if reply is None or reply.status_code != 200:
            raise Unreadable("no answer")
        return read_reply(reply.body, Request(row.custom_id, "", seed=0), self._options.output == "json")

    def _note_id(self, token: str, id: str) -> None:
        self._books.execute("UPDATE batches SET id = ? WHERE token = ?", (id, token))

    def _close_batch(self, batch: _UnderWay, actual: Spent) -> None:
        """Replace the booking by the cost, once, whoever comes first."""
        with self._books.transaction():
            if self._books.execute("DELETE FROM batches WHERE token = ?", (batch.token,)).rowcount:
                self._books.execute("DELETE FROM batch_calls WHERE token = ?", (batch.token,))
                self._ledger.settle(batch.account, batch.booked, actual)

    def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Do what costs nothing to do again. Raises UserError when the server stays away or cannot do it at all."""
        for attempt in range(self._options.max_retries + 1):
            try:
                return self._loop.run(_awaited(call))
            except openai.APIStatusError as error:
                if error.status_code == 404:
                    raise UserError(
                        f"{self._server} has no batch API, or forgot the batch (HTTP 404): {self._clean(error)}",
                        "Take generator=openai, which asks call by call.",
                    ) from None
                self._raise_if_hopeless(error)
                if error.status_code < 500 and error.status_code not in (408, 409, 429):
                    raise UserError(f"{self._server} refuses a batch: {self._clean(error)}") from None
                problem: Exception = error
            except openai.APIConnectionError as error:
                problem = error
            time.sleep(min(LONGEST_DELAY, FIRST_DELAY * 2**attempt) * random.uniform(0.5, 1.0))
        raise self._unreachable(problem)


async def _awaited(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


def _failed(waiting: dict[str, list[Request]], failures: dict[str, _Failure]) -> Iterator[Completion]:
    for key in failures.keys() & waiting.keys():
        yield from (Completion(request.id, "", "error", error=failures[key].reason) for request in waiting.pop(key))


def _failure(row: Any, problem: str) -> _Failure:
    """Of a line of a batch's output that holds no text: expired, refused, or broken off."""
    reply, error = getattr(row, "response", None), getattr(row, "error", None)
    if reply is None:
        return _Failure(f"batch: {getattr(error, 'code', None) or problem}", final=False)
    if reply.status_code == 200:
        return _Failure(f"broken answer: {problem}", final=False)
    if reply.status_code in (408, 409, 429) or reply.status_code >= 500:
        return _Failure(f"server error: HTTP {reply.status_code}", final=False)
    said = getattr(reply.body, "error", SimpleNamespace())
    code, message = str(getattr(said, "code", None) or ""), str(getattr(said, "message", None) or reply.status_code)
    return _Failure(f"{refusal(code, message)}: {message}", final=True)

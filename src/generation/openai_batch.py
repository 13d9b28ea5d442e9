"""The provider's batch API: calls at a lower price, answered within a day.

A batch is written down (`batch_book`) before it is sent, and carries its name there as metadata. So a process that is
killed, or started again a day later, finds its batches and sends none twice; of a batch that expired, only what has no
answer is sent again. A question that is asked call by call meanwhile is left to whoever asks it, and the reverse.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import uuid4

import openai

from src.core.errors import UserError
from src.generation.base import Completion, Request
from src.generation.batch_book import UnderWay
from src.generation.budget import BudgetExhausted, Spent
from src.generation.openai_answers import Unreadable, read_reply, refusal, worth_keeping
from src.generation.openai_session import FIRST_DELAY, LONGEST_DELAY, LOOK_AGAIN_SECONDS, OpenAISession

if TYPE_CHECKING:
    from src.generation.openai import Batch, OpenAIGenerator

log = logging.getLogger(__name__)
T = TypeVar("T")

ENDED = ("completed", "expired", "cancelled", "failed")
METADATA = "asked_by"
LISTED = 100  # of the provider's batches, newest first, when a batch is looked for whose number was never heard


@dataclass(frozen=True)
class _Failure:
    """Why a call of a batch has no answer, and whether the same call could get one."""

    reason: str
    final: bool


class OpenAIBatchSession(OpenAISession):
    """Sends a batch, waits for it, hands on its answers, and so on; holds at most `batch.size` requests."""

    def __init__(self, options: OpenAIGenerator, batch: Batch, key: str, cache: Path):
        super().__init__(options, key, cache)
        self._batch = batch

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
        for batch in self._batches.under_way(waiting):  # of a run that was killed, perhaps with all of it collected
            self._look_after(batch)
        yield from self._kept_ones(waiting)
        tries, failures = Counter[str](), dict[str, _Failure]()
        while waiting:
            sent, over = self._send_rest(waiting)
            tries.update(sent)
            failures |= self._wait_for(waiting)
            yield from self._kept_ones(waiting)
            failures |= self._given_up(tries, failures)
            yield from _failed(waiting, {key: f for key, f in failures.items() if f.final})
            if over is not None:
                raise over
            if not sent:  # all of it is asked by others right now
                time.sleep(LOOK_AGAIN_SECONDS)

    def _given_up(self, tries: Counter[str], failures: dict[str, _Failure]) -> dict[str, _Failure]:
        """What was sent as often as is allowed: why it has no answer still."""
        unsent = _Failure("batch: could not be sent", final=False)
        return {
            key: _Failure(f"{failures.get(key, unsent).reason}, {n} batches", final=True)
            for key, n in tries.items()
            if n > self._options.max_retries and not failures.get(key, unsent).final
        }

    def _kept_ones(self, waiting: dict[str, list[Request]]) -> Iterator[Completion]:
        for key in list(waiting):
            if self._cache.get(key, "") is not None:
                yield from (kept for request in waiting.pop(key) if (kept := self._cache.get(key, request.id)))

    def _send_rest(self, waiting: dict[str, list[Request]]) -> tuple[list[str], UserError | None]:
        """Send what nobody asks already, as far as the budget goes; returns what was sent, and the word that it goes
        no further."""
        self._check_disk()
        token = uuid4().hex
        # the token: no other process may think the batch lost; the questions: none may ask them call by call
        claimed = self._cache.claim_all([token, *waiting])
        try:
            chosen, over = self._write_down(token, {key: asked[0] for key, asked in waiting.items() if key in claimed})
            if chosen:
                self._submit(token, chosen)
        finally:
            self._cache.release_all(claimed)
        return list(chosen), over

    def _write_down(self, token: str, ours: dict[str, Request]) -> tuple[dict[str, Request], UserError | None]:
        """Book and note a batch of what nobody has under way, all in one transaction."""
        booked: dict[str, Spent] = {}
        over = None
        with self._ledger.database.transaction():
            for key, request in ours.items():
                if self._batches.holds(key) or self._cache.get(key, "") is not None:  # collected a moment ago
                    continue
                most = self._most(request)
                try:
                    self._ledger.book(self._options.account, most, self._options.budget)
                except BudgetExhausted as limit:
                    over = self._used_up(limit)
                    break
                booked[key] = most
            if booked:
                self._batches.write(token, self._options.account, booked)
        return {key: ours[key] for key in booked}, over

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
        self._batches.note_id(token, sent.id)
        log.info("batch %s: %d calls sent", sent.id, len(chosen))

    def _wait_for(self, waiting: dict[str, list[Request]]) -> dict[str, _Failure]:
        """Wait until none of the questions is under way; returns why some have no answer."""
        failures: dict[str, _Failure] = {}
        while under_way := self._batches.under_way(waiting):
            for batch in under_way:
                failures |= self._look_after(batch)
            if self._batches.under_way(waiting):
                time.sleep(self._batch.poll_seconds)
        return failures

    def _look_after(self, batch: UnderWay) -> dict[str, _Failure]:
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
        booked = self._batches.booked(batch.token)
        for file in (state.output_file_id, state.error_file_id):
            if file is not None:
                cost, failed = self._collect(file, booked)
                actual, failures = actual + cost, failures | failed
        self._batches.close(batch, actual)
        if state.status == "failed":
            problems = "; ".join(e.message or "" for e in (state.errors and state.errors.data) or []) or "no reason"
            raise UserError(
                f"{self._server} took batch {id}, and then refused it: {problems}",
                "Does it know the model and all the options that are set? Nothing of it was charged.",
            )
        return failures

    def _search(self, batch: UnderWay) -> str | None:
        """The number of a batch that was written down by a process that died, or lost its line, as it sent it."""
        if not self._cache.claim(batch.token):
            return None  # somebody is sending it right now
        try:
            for sent in self._patiently(lambda: self._client.batches.list(limit=LISTED)).data:
                if (sent.metadata or {}).get(METADATA) == batch.token:
                    self._batches.note_id(batch.token, sent.id)
                    return str(sent.id)
            self._batches.close(batch, Spent())
            return None
        finally:
            self._cache.release(batch.token)

    def _collect(self, file: str, booked: dict[str, Spent]) -> tuple[Spent, dict[str, _Failure]]:
        """Keep the answers that a file holds; returns what they cost, and why other calls have none."""
        cost, failures = Spent(), dict[str, _Failure]()
        content = self._patiently(lambda: self._client.files.content(file))
        for line in filter(str.strip, content.text.splitlines()):
            row = json.loads(line, object_hook=lambda fields: SimpleNamespace(**fields))
            most = booked.get(row.custom_id, Spent())  # none: another process has closed the batch, and paid for it
            try:
                answer = self._read(row, most)
            except Unreadable as problem:
                cost += most if _was_answered(row) else Spent()
                failures[row.custom_id] = _failure(row, str(problem))
                continue
            cost += self._cost(answer.prompt_tokens, answer.completion_tokens)
            if worth_keeping(answer):
                self._cache.put(row.custom_id, answer)
            else:
                failures[row.custom_id] = _Failure(answer.error or "", final=True)
        return cost, failures

    def _read(self, row: Any, most: Spent) -> Completion:
        if not _was_answered(row):
            raise Unreadable("no answer")
        return read_reply(row.response.body, row.custom_id, most, self._options.output == "json")

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


def _was_answered(row: Any) -> bool:
    reply = getattr(row, "response", None)
    return reply is not None and reply.status_code == 200


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

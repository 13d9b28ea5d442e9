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
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from src.core.errors import UserError
from src.core.progress import span
from src.generation.base import Completion, Request
from src.generation.batch_book import UnderWay
from src.generation.batch_output import Failure, Output, read_output
from src.generation.budget import BudgetExhausted, Spent
from src.generation.openai_answers import worth_keeping
from src.generation.openai_session import FIRST_DELAY, LONGEST_DELAY, LOOK_AGAIN_SECONDS, TRIES_TO_REACH, OpenAISession
from src.generation.provider import FATAL, AnswerVerdict
from src.generation.refusals import NoAnswer, Refusal, Unreadable
from src.generation.throttle import OutOfPatience

if TYPE_CHECKING:
    from src.generation.openai import Batch, OpenAIGenerator

log = logging.getLogger(__name__)
T = TypeVar("T")

ENDED = ("completed", "expired", "cancelled", "failed")
METADATA = "asked_by"
WINDOW_SECONDS = 24 * 3600.0  # a batch's completion window: afterwards it has ended, whatever came of it
LISTED = 100  # batches on a page of the provider's list, when one is looked for whose number was never heard
LOOKS = 2  # at that list, before the batch is taken never to have been made
MARGIN_SECONDS = 24 * 3600.0  # by which it may seem older there: clocks differ, and an earlier version noted no time
FULL_SECONDS = 60.0  # for so long a queue that was full is taken to be full
TOO_MUCH = ("token_limit", "enqueued", "too large", "too many requests in", "maximum number of requests", "413")


class OpenAIBatchSession(OpenAISession):
    """Sends a batch, waits for it, hands on its answers, and so on; holds at most `batch.size` requests."""

    def __init__(self, options: OpenAIGenerator, batch: Batch, key: str, cache: Path):
        super().__init__(options, key, cache)
        self._batch = batch
        self._size = batch.size  # halved where the provider takes less, doubled again where it took that
        self._accepted = 0  # calls in the largest batch that it took
        self._too_much_at = 0.0
        self._heard = False
        self._full_since: float | None = None
        self._short_since: dict[str, float] = {}  # by token: batches that have ended, with answers yet to come
        self._reason = "could not be sent"

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
        for batch in self._books.batches.under_way(waiting):  # of a run that was killed, perhaps with all collected
            self._look_after(batch)
        yield from self._kept_ones(waiting)
        tries, failures = Counter[str](), dict[str, Failure]()
        while waiting:
            sent, over = self._send_rest(waiting)
            found = self._wait_for(waiting)
            failures |= found
            tries.update(key for key in sent if key not in found or found[key].counts)
            yield from self._kept_ones(waiting)
            failures |= self._given_up(tries, failures)
            yield from _failed(waiting, {key: f for key, f in failures.items() if f.final})
            if over is not None and not sent:  # what was settled since may have left room for more
                raise over
            if not sent:  # all of it is asked by others right now
                time.sleep(LOOK_AGAIN_SECONDS)

    def _given_up(self, tries: Counter[str], failures: dict[str, Failure]) -> dict[str, Failure]:
        """What was sent as often as is allowed: why it has no answer still."""
        unsent = Failure(f"batch: {self._reason}", transient=True)
        gone = {key: failures.get(key, unsent) for key, n in tries.items() if n > self._options.max_retries}
        return {key: failure.after(tries[key]) for key, failure in gone.items() if not failure.final}

    def _kept_ones(self, waiting: dict[str, list[Request]]) -> Iterator[Completion]:
        answers = self._books.answers
        for key in list(waiting):
            if answers.get(key, "") is not None:
                for request in waiting.pop(key):
                    if kept := answers.get(key, request.id):
                        yield self._as_asked(request, kept)

    def _send_rest(self, waiting: dict[str, list[Request]]) -> tuple[list[str], UserError | None]:
        """Send what nobody asks already, as far as sizes and the budget go; returns what was sent, and the word that
        the budget goes no further."""
        self._check_disk()
        token = uuid4().hex
        # the token: no other process may think the batch lost; the questions: none may ask them call by call
        claimed = self._books.answers.claim_all([token, *waiting])
        try:
            chosen, over = self._write_down(token, {key: asked[0] for key, asked in waiting.items() if key in claimed})
            if chosen:
                self._submit(token, chosen)
        finally:
            self._books.answers.release_all(claimed)
        return list(chosen), over

    def _write_down(self, token: str, ours: dict[str, Request]) -> tuple[dict[str, bytes], UserError | None]:
        """Book and note a batch of what nobody has under way, all in one transaction; returns its lines."""
        booked, lines = dict[str, Spent](), dict[str, bytes]()
        size = tokens = 0
        books = self._books
        with books.ledger.database.transaction():
            for key, request in ours.items():
                if books.batches.holds(key) or books.answers.get(key, "") is not None:  # collected a moment ago
                    continue
                line, most = self._line(key, request), self._most(request)
                size, tokens = size + len(line) + 1, tokens + most.tokens
                full = len(lines) >= self._size or size > self._batch.max_bytes
                if lines and (full or tokens > (self._batch.enqueued_tokens or tokens)):
                    break
                try:
                    books.ledger.book(self._options.account, most, self._options.budget)
                except BudgetExhausted as limit:
                    if booked:
                        books.batches.write(token, self._options.account, booked)
                    return lines, self._problems.used_up(limit, books.ledger)
                booked[key], lines[key] = most, line
            if booked:
                books.batches.write(token, self._options.account, booked)
        return lines, None

    def _line(self, key: str, request: Request) -> bytes:
        body = self._options.body(request.prompt, request.sampling, request.seed)
        return json.dumps({"custom_id": key, "method": "POST", "url": self._endpoint, "body": body}).encode()

    @property
    def _endpoint(self) -> str:
        return f"/v1{self._options.path}"

    def _submit(self, token: str, lines: dict[str, bytes]) -> None:
        """Send the batch. Whether it arrived may stay unknown: then the provider's list will tell."""
        data, batch = b"\n".join(lines.values()), UnderWay(token, None, self._options.account, time.time())
        try:
            file = self._patiently(lambda: _named(self._client.upload("/files", "calls.jsonl", data, purpose="batch")))
            made = {"input_file_id": file["id"], "endpoint": self._endpoint, "completion_window": "24h"}
            sent = self._patiently(
                lambda: _named(self._client.post("/batches", made | {"metadata": {METADATA: token}})), is_safe=False
            )
        except Refusal as refusal:  # it was surely not made
            self._books.batches.close(batch, Spent())
            if not self._is_too_much(str(refusal), len(lines)):
                raise UserError(f"{self._problems.server} refuses a batch: {self._problems.clean(refusal)}") from None
            return
        except (NoAnswer, Unreadable) as problem:
            self._reason = self._problems.clean(problem)
            log.warning("sending a batch of %d calls: %s; the provider's list will tell", len(lines), self._reason)
            return
        self._books.batches.note_id(token, sent["id"])
        log.info("batch %s: %d calls sent", sent["id"], len(lines))

    def _is_too_much(self, words: str, calls: int) -> bool:
        """Whether the provider takes no batch of this size now; then the next, after a while, is half as large."""
        if not any(pattern in words.lower() for pattern in TOO_MUCH):
            return False
        self._too_much_at = time.monotonic()
        self._full_since = self._full_since or self._too_much_at
        waited = self._too_much_at - self._full_since
        if calls == 1 and waited > self._options.patience:
            raise self._problems.out_of_patience(OutOfPatience(waited, words, asked=False))
        if calls > self._accepted or waited >= FULL_SECONDS:  # else the queue is full, and may have room soon
            self._size = max(1, calls // 2)
        log.warning("a batch of %d calls is too much (%s): %d next", calls, self._problems.clean(words), self._size)
        time.sleep(self._batch.poll_seconds)
        return True

    def _wait_for(self, waiting: dict[str, list[Request]]) -> dict[str, Failure]:
        """Wait until none of the questions is under way; returns why some have no answer."""
        failures: dict[str, Failure] = {}
        while under_way := self._books.batches.under_way(waiting):
            for batch in under_way:
                failures |= self._look_after(batch)
            if self._books.batches.under_way(waiting):
                time.sleep(self._batch.poll_seconds)
        return failures

    def _look_after(self, batch: UnderWay) -> dict[str, Failure]:
        """Collect the batch if it has ended; forget it if it was never sent."""
        id = batch.id or self._search(batch)
        if id is None:
            return {}
        try:
            return self._collect_if_ended(batch, id)
        except Refusal as refusal:
            return self._let_go(batch, id, refusal)

    def _let_go(self, batch: UnderWay, id: str, refusal: Refusal) -> dict[str, Failure]:
        """Forget a batch that the server does not know, once it must have ended; before that, raise UserError."""
        booked, age = self._books.batches.booked(batch.token), time.time() - batch.written_at
        unknown = f"the batch {id}, sent {span(age)} ago with {len(booked)} calls: {self._problems.clean(refusal)}"
        if age < WINDOW_SECONDS:
            raise UserError(
                f"{self._problems.server} does not know {unknown}",
                "Is the key that of another project than the one that sent it? Use that one's: its calls may have been "
                f"charged. When the batch is {span(WINDOW_SECONDS)} old, it counts as charged in full, and the same "
                "command asks again.",
            )
        log.warning("%s does not know %s; they count as charged in full", self._problems.server, unknown)
        self._books.batches.close(batch, sum(booked.values(), Spent()))
        return {key: Failure("batch: the server does not know it any more", transient=True) for key in booked}

    def _collect_if_ended(self, batch: UnderWay, id: str) -> dict[str, Failure]:
        """Raises Refusal where the server does not know the batch, or its files."""
        state = self._patiently(lambda: self._client.get(f"/batches/{id}"), is_known=True)
        counts = state.get("request_counts") or {}
        status = str(state.get("status")).lower()
        log.info("batch %s: %s, %s of %s calls", id, status, counts.get("completed"), counts.get("total"))
        if status not in ENDED:
            return {}
        booked = self._books.batches.booked(batch.token)
        files = [state[name] for name in ("output_file_id", "error_file_id") if state.get(name)]
        output = self._read(files, booked, _promised(status, counts, files))
        if output.is_short and self._may_yet_come(batch):
            log.warning("batch %s: %s, and answers are missing in its files: waiting for them", id, status)
            return {}
        self._books.batches.close(batch, self._collect(output, booked))
        if status == "failed":
            problems = Refusal(200, state.get("errors")).words or "no reason"
            if self._is_too_much(problems, len(booked)):
                return {key: Failure(f"batch: {problems}", transient=True, counts=False) for key in booked}
            raise UserError(
                f"{self._problems.server} took batch {id}, and then refused it: {problems}",
                "Does it know the model and all the options that are set? Nothing of it was charged.",
            )
        self._full_since = None
        if status == "completed":
            self._accepted = max(self._accepted, len(booked))
            if time.monotonic() - self._too_much_at >= FULL_SECONDS:
                self._size = min(self._batch.size, 2 * self._size)
        return output.failures

    def _may_yet_come(self, batch: UnderWay) -> bool:
        """Whether to wait on for answers that the files of a batch that has ended do not hold yet."""
        now = time.monotonic()
        return now - self._short_since.setdefault(batch.token, now) < self._options.patience

    def _search(self, batch: UnderWay) -> str | None:
        """The number of a batch that was written down by a process that died, or lost its line, as it sent it."""
        if not self._books.answers.claim(batch.token):
            return None  # somebody is sending it right now
        try:
            for look in range(LOOKS):
                if look:
                    time.sleep(self._batch.poll_seconds)
                for sent in self._listed(batch.written_at - MARGIN_SECONDS):
                    if (sent.get("metadata") or {}).get(METADATA) == batch.token:
                        self._books.batches.note_id(batch.token, sent["id"])
                        return str(sent["id"])
            self._books.batches.close(batch, Spent())
            return None
        finally:
            self._books.answers.release(batch.token)

    def _listed(self, since: float) -> Iterator[Mapping[str, Any]]:
        """The provider's batches, newest first, page by page, until they are older than `since` (seconds since
        1970)."""
        seen, after = set[str](), dict[str, str]()
        while True:
            page = self._patiently(lambda: self._client.get("/batches", limit=str(LISTED), **after))  # noqa: B023
            listed = page.get("data") or []
            new = [sent for sent in listed if sent["id"] not in seen]  # none: the server knows no `after`
            yield from new
            made = [sent.get("created_at") or since for sent in new]
            if not new or max(made) < since or not page.get("has_more", len(listed) >= LISTED):
                return
            seen.update(sent["id"] for sent in new)
            after = {"after": new[-1]["id"]}

    def _read(self, files: list[str], booked: dict[str, Spent], promised: int) -> Output:
        options, contents = self._options, list[bytes]()
        for file in files:
            path = f"/files/{file}/content"
            contents.append(self._patiently(lambda: self._client.download(path), is_known=True))  # noqa: B023
        return read_output(contents, booked, options.provider, options.output == "json", promised)

    def _collect(self, output: Output, booked: dict[str, Spent]) -> Spent:
        """Keep the answers; returns what they cost."""
        cost = sum((booked.get(key, Spent()) for key in output.charged_in_full), Spent())
        cost = sum((self._cost(*tokens) for tokens in output.charged), cost)
        with self._books.answers.database.transaction():
            for answer in output.answers:
                cost += self._cost(answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens)
                if worth_keeping(answer):
                    self._books.answers.put(answer.id, answer)
        return cost

    def _patiently(self, call: Callable[[], Coroutine[Any, Any, T]], is_safe: bool = True, is_known: bool = False) -> T:
        """Do it, again where that can help. `is_safe`: doing it twice does no harm; where not, what may have been done
        raises. `is_known`: it is about a batch that the server took; where not, 404 tells that it takes none.
        Raises UserError when the server stays away, Refusal when it will not do it."""
        started = time.monotonic()
        for attempt in range(1_000_000):
            pause = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1.0)
            try:
                done = self._run(call())
                self._heard = True
                return done
            except Refusal as refusal:
                pause = max(pause, self._judged(refusal, is_safe, is_known) or 0.0)
                problem = self._problems.clean(refusal)
            except (NoAnswer, Unreadable) as error:
                if not self._heard and attempt + 1 >= TRIES_TO_REACH:
                    if isinstance(error, NoAnswer):
                        raise self._problems.unreachable(error) from None
                    raise self._problems.answers_with_no_text(error) from None
                if not is_safe and getattr(error, "sent", True):
                    raise
                problem = self._problems.clean(error)
            waited = time.monotonic() - started
            if waited + pause > self._options.patience:
                raise self._problems.out_of_patience(OutOfPatience(max(waited, pause), problem, pause > LONGEST_DELAY))
            if pause > 1:
                log.info("%s; next try in %.0f s", problem, pause)
            self._sleep(pause, problem)
        raise AssertionError("patience has no end")

    def _judged(self, refusal: Refusal, is_safe: bool, is_known: bool) -> float | None:
        """The pause that is asked for before another try; raises what makes one useless."""
        self._heard = True
        verdict = self._options.provider.verdict(refusal)
        if refusal.status == 404:
            if is_known:
                raise refusal
            raise UserError(
                f"{self._problems.server} has no batch API: {self._problems.clean(refusal)}",
                "Choose the generator openai, which asks call by call.",
            ) from None
        if verdict in FATAL:
            raise self._problems.fatal(verdict, refusal) from None
        if verdict is AnswerVerdict.THROTTLED:
            return refusal.pause
        if verdict is not AnswerVerdict.SERVER_ERROR:
            raise refusal
        if not is_safe:
            raise NoAnswer(f"server error: {refusal}")
        return None

    @staticmethod
    def _sleep(seconds: float, problem: str) -> None:
        """Never silent for longer than a minute."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LONGEST_DELAY))
            if left > LONGEST_DELAY:
                log.info("waiting for the server (%s): %.0f s left", problem, left - LONGEST_DELAY)


async def _named(call: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """What the server has made, with its `id`. Raises Unreadable where the reply has none."""
    made = await call
    if not isinstance(made.get("id"), str):
        raise Unreadable("no id in it")
    return made


def _promised(status: str, counts: Mapping[str, Any], files: list[str]) -> int:
    """How many answers the files of a batch that has ended hold, once the provider has written them all."""
    said = counts.get("completed")
    return said if isinstance(said, int) else int(status == "completed" and not files)  # a completed one has some file


def _failed(waiting: dict[str, list[Request]], failures: dict[str, Failure]) -> Iterator[Completion]:
    for key in failures.keys() & waiting.keys():
        yield from (failures[key].completion(request.id) for request in waiting.pop(key))

"""The live client: calls side by side, tried again where that can help, kept before they are handed on."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Iterable, Iterator
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai

from src.core.errors import UserError
from src.core.store import full_disk
from src.generation.base import Completion, Request, Session
from src.generation.batch_book import BatchBook
from src.generation.budget import BudgetExhausted, Ledger, Spent
from src.generation.cache import AnswerCache, answer_key
from src.generation.openai_answers import Unreadable, never_sent, read_reply, refusal, retry_after, worth_keeping

if TYPE_CHECKING:
    from src.generation.openai import OpenAIGenerator

FIRST_DELAY, LONGEST_DELAY = 0.5, 60.0
CONNECT_SECONDS = 10.0
TRIES_TO_REACH = 3  # a server that never answered is tried no more often
REFUSALS_TO_GIVE_UP = 10  # bad requests before the first answer: then it is not the prompts
FRAME_TOKENS = 32  # what a chat template puts around a message, at most
CHARACTERS_A_TOKEN = 4  # for the rate alone, which is no limit
LOOK_AGAIN_SECONDS = 0.1  # whether another asker of the same question has its answer
IN_A_BATCH = "under way in a batch, which generator=openai_batch collects"
RUNS_NAMED = 3  # of a study whose budget is used up
SPARE_BYTES = 16 * 2**20  # of disk: no text is paid for that might find no room


class OpenAISession(Session):
    """Owns an event loop, which runs while `stream` waits. The key stays inside the client."""

    def __init__(self, options: OpenAIGenerator, key: str, cache: Path):
        self._options, self._key = options, key
        self._loop = asyncio.Runner()
        patience = openai.Timeout(options.timeout, connect=min(options.timeout, CONNECT_SECONDS))
        self._client = openai.AsyncOpenAI(api_key=key, base_url=options.base_url, timeout=patience, max_retries=0)
        self._cache = AnswerCache(cache / "answers.sqlite")
        self._ledger = Ledger(cache / "ledger.sqlite")
        self._batches = BatchBook(self._ledger)
        self._folder = cache
        self._answered = self._refused = self._charging = 0
        self._not_before = 0.0  # the server asked for a pause: it holds for all calls

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Raises UserError when no call can succeed: after calls in flight have ended and their texts were yielded."""
        source = iter(requests)
        tasks: set[asyncio.Task[Completion]] = set()
        fatal: UserError | None = None
        exhausted = False
        try:
            while True:
                while len(tasks) < self._options.concurrency and not exhausted and fatal is None:
                    request = next(source, None)
                    if request is None:
                        exhausted = True
                    elif (kept := self._kept(request)) is not None:
                        yield kept
                    else:
                        tasks.add(self._loop.get_loop().create_task(self._answer(request)))
                if not tasks:
                    break
                done, tasks = self._loop.run(_first_done(tasks))
                for task in done:
                    if isinstance(error := task.exception(), UserError):
                        fatal = fatal or error
                    else:
                        yield task.result()
        finally:
            if tasks:
                self._loop.run(_cancel(tasks))
        if fatal is not None:
            raise fatal

    def close(self) -> None:
        self._loop.run(self._client.close())
        self._loop.close()
        self._cache.close()
        self._ledger.close()

    def _kept(self, request: Request) -> Completion | None:
        return self._cache.get(self._key_of(request), request.id)

    def _key_of(self, request: Request) -> str:
        return answer_key(self._options.question(request.prompt, request.sampling, request.seed))

    async def _answer(self, request: Request) -> Completion:
        """Ask, unless somebody asks this very question already: then the answer is theirs."""
        key = self._key_of(request)
        while not self._cache.claim(key):
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        try:
            if (kept := self._kept(request)) is not None:
                return kept
            if self._batches.holds(key):
                return Completion(request.id, "", "error", error=IN_A_BATCH)
            return await self._ask(request)
        finally:
            self._cache.release(key)

    async def _ask(self, request: Request) -> Completion:
        """Try until there is an answer, or none to be had."""
        reason = ""
        for attempt in range(self._options.max_retries + 1):
            await self._wait_for_turn(request)
            try:
                return await self._call(request)
            except openai.APIStatusError as error:
                if (final := self._judge(request, error)) is not None:
                    return final
                reason, asked_delay = f"server error: HTTP {error.status_code}", retry_after(error.response.headers)
            except TimeoutError:
                reason, asked_delay = f"timeout: no answer in {self._options.timeout:g} s", None
            except (openai.APIConnectionError, Unreadable) as error:
                reason, asked_delay = f"broken answer: {self._clean(error)}", None
                if (
                    isinstance(error, openai.APIConnectionError)
                    and not self._answered
                    and attempt + 1 >= min(TRIES_TO_REACH, self._options.max_retries + 1)
                ):
                    raise self._unreachable(error) from None
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2**attempt) * random.uniform(0.5, 1.0)
            if asked_delay is not None:
                self._not_before = max(self._not_before, time.monotonic() + asked_delay)
            if attempt < self._options.max_retries:
                await asyncio.sleep(max(delay, asked_delay or 0.0))
        tries = self._options.max_retries + 1
        return Completion(request.id, "", "error", error=f"{reason}, {tries} tries")

    async def _wait_for_turn(self, request: Request) -> None:
        options, seconds = self._options, 0.0
        if options.requests_per_minute is not None:
            seconds = self._ledger.wait_seconds(f"{options.base_url} requests", 1, options.requests_per_minute)
        if options.tokens_per_minute is not None:
            tokens = len(request.prompt) / CHARACTERS_A_TOKEN + request.sampling.max_tokens
            waiting = self._ledger.wait_seconds(f"{options.base_url} tokens", tokens, options.tokens_per_minute)
            seconds = max(seconds, waiting)
        await asyncio.sleep(max(seconds, self._not_before - time.monotonic(), 0.0))

    async def _call(self, request: Request) -> Completion:
        """One try, booked before it is sent. What may have been charged stays booked."""
        self._check_disk()
        most = await self._book(request)
        charged = most
        try:
            async with asyncio.timeout(self._options.timeout):
                reply = await self._send(request)
            answer = read_reply(reply, request.id, most, self._options.output == "json")
            self._answered += 1
            if worth_keeping(answer):
                self._cache.put(self._key_of(request), answer)
            charged = self._cost(answer.prompt_tokens, answer.completion_tokens)
            return answer
        except openai.APIStatusError:
            charged = Spent()
            raise
        except openai.APIConnectionError as error:
            if never_sent(error):
                charged = Spent()
            elif isinstance(error, openai.APITimeoutError):
                raise TimeoutError from None
            raise
        except (JSONDecodeError, openai.APIResponseValidationError, UnicodeDecodeError):
            raise Unreadable("no JSON") from None
        finally:
            self._charging -= 1
            self._ledger.settle(self._options.account, most, charged)

    async def _send(self, request: Request) -> Any:
        payload = self._options.payload(request.prompt, request.sampling, request.seed)
        if self._options.api == "chat":
            return await self._client.chat.completions.create(**payload)
        return await self._client.completions.create(**payload)

    async def _book(self, request: Request) -> Spent:
        """Book the most the call can cost. Near the limit it waits for calls of ours to give back what they do not
        need; raises UserError when there are none and the limit still stands."""
        most = self._most(request)
        while True:
            try:
                self._ledger.book(self._options.account, most, self._options.budget)
            except BudgetExhausted as limit:
                if not self._charging:
                    raise self._used_up(limit) from None
                await asyncio.sleep(0.05)
            else:
                self._charging += 1
                return most

    def _most(self, request: Request) -> Spent:
        """The most that a call can cost: no text has more tokens than bytes."""
        text = f"{self._options.system or ''}{request.prompt}"
        return self._cost(len(text.encode()) + FRAME_TOKENS, request.sampling.max_tokens)

    def _used_up(self, limit: BudgetExhausted) -> UserError:
        spent, by_run = self._ledger.spent(self._options.account), self._ledger.by_run(self._options.account)
        most = sorted(by_run.items(), key=lambda run: (-run[1].dollars, -run[1].tokens))[:RUNS_NAMED]
        went = f" Most of it went to {', '.join(f'{run} ({sum})' for run, sum in most)}." if len(by_run) > 1 else ""
        return UserError(
            f"The budget of {self._options.account.partition('/')[0]} is used up ({spent}): {limit}.{went}",
            "Raise the generator's `budget` to go on: every answer so far is kept, and paid for once.",
        )

    def _check_disk(self) -> None:
        if shutil.disk_usage(self._folder).free < SPARE_BYTES:
            raise full_disk(self._folder)

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> Spent:
        dollars = self._options.dollars(prompt_tokens, completion_tokens)
        return Spent(1, prompt_tokens, completion_tokens, dollars)

    def _judge(self, request: Request, error: openai.APIStatusError) -> Completion | None:
        """A final completion, None to try again; raises UserError for what no other request would be spared."""
        status, said = error.status_code, self._clean(error)
        self._raise_if_hopeless(error)
        if status in (408, 409, 429) or status >= 500:
            return None
        self._refused += 1
        reason = refusal(str(error.code or ""), said)
        if not self._answered and self._refused >= REFUSALS_TO_GIVE_UP:
            raise UserError(
                f"{self._server} refused the first {self._refused} requests (HTTP {status}): {said}",
                "Ask for shorter texts (sampling.*.max_tokens) or with shorter prompts (prompt_set.chars)."
                if reason == "prompt too long"
                else "Does it know all the sampling options that are set?",
            ) from None
        return Completion(request.id, "", "error", error=f"{reason}: {said}")

    def _raise_if_hopeless(self, error: openai.APIStatusError) -> None:
        """Raises UserError for a wrong key, a wrong model or address, and an empty account."""
        status, said = error.status_code, self._clean(error)
        if status in (401, 403):
            key = f"the key in {self._options.api_key_env}" if self._options.api_key_env else "a call without a key"
            mend = "Is it the right key for it?"
            raise UserError(f"{self._server} refuses {key} (HTTP {status}): {said}", mend) from None
        if status == 404:
            raise UserError(
                f"{self._server} does not know the model {self._options.model} (HTTP 404): {said}",
                "Check the generator's `model`, and its `base_url`: most end in /v1.",
            ) from None
        if status == 429 and error.code == "insufficient_quota":
            raise UserError(f"{self._server} says that the account has no credit left: {said}", "Top it up.") from None

    @property
    def _server(self) -> str:
        return f"The server at {self._options.base_url}"

    def _unreachable(self, error: Exception) -> UserError:
        return UserError(
            f"There is no answer from {self._options.base_url}: {self._clean(error)}",
            "Is the server running, base_url right, and the network up?",
        )

    def _clean(self, error: Exception) -> str:
        """The error's text in one line, without the key, should the server repeat it."""
        text = " ".join(str(error).split())
        if error.__cause__ is not None and isinstance(error, openai.APIConnectionError):
            text = f"{text} {error.__cause__}"
        return text.replace(self._key, "***") if self._key != "none" else text


async def _first_done(tasks: set[asyncio.Task[Completion]]) -> tuple[set[Any], set[Any]]:
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _cancel(tasks: set[asyncio.Task[Completion]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

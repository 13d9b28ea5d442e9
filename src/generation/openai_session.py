"""The live client: calls side by side, tried again where that can help, on disk before they are handed on."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from src.core.errors import UserError
from src.core.store import full_disk
from src.generation.base import Completion, Request, Session
from src.generation.bookkeeping import Begun, Bookkeeping
from src.generation.budget import BudgetExhausted, Spent
from src.generation.cache import answer_key
from src.generation.group_commit import GroupCommit
from src.generation.openai_answers import read_reply, worth_keeping
from src.generation.openai_http import Client
from src.generation.openai_log import LOG_SECONDS, SILENCE_SECONDS, CallLog
from src.generation.openai_problems import Problems
from src.generation.provider import FATAL, OF_THE_CALL, AnswerVerdict
from src.generation.rates import Rates
from src.generation.refusals import NoAnswer, Refusal, Unreadable
from src.generation.stop_strings import cut
from src.generation.throttle import OutOfPatience, Throttle

if TYPE_CHECKING:
    from src.generation.openai import OpenAIGenerator

T = TypeVar("T")

FIRST_DELAY, LONGEST_DELAY = 0.5, 60.0  # before a call is tried again
TRIES_TO_REACH = 3  # a server that never answered is tried no more often with one call
CALLS_TO_REACH = 9  # nor with so many, whichever they are
TRIES_PAID_FOR = 3  # of a call whose answers are charged, and empty
REFUSALS_TO_GIVE_UP = {AnswerVerdict.BAD_REQUEST: 3}  # before the first answer: then it is not the prompts
REFUSED_PROMPTS_TO_GIVE_UP = 10  # the same where a refusal is about the prompt
FORBIDDEN_IN_A_ROW = 3  # a 403 after answers may be one prompt's; so many are the key's
FRAME_TOKENS = 32  # what a chat template puts around a message, at most
CHARACTERS_A_TOKEN = 4  # for the rate alone, which is no limit
LOOK_AGAIN_SECONDS = 0.1  # whether another asker of the same question has its answer
SET_ASIDE = 8  # calls that wait for their next try while others run
IN_A_BATCH = "under way in a batch, which the generator openai_batch collects"
SPARE_BYTES = 16 * 2**20  # of disk: no text is paid for that might find no room
DISK_LOOK_SECONDS = 0.5


@dataclass
class Tries:
    """How often a call was tried, and what came of it. `counted`: tries that failed by its own fault."""

    most: int
    counted: int = 0
    attempts: int = 0
    reason: str = ""
    claimed: bool = False
    rest: float = 0.0  # seconds before the next
    answers_before: int | None = None  # that other calls had when this one failed first

    def failed(self, reason: str, counts: bool, answers: int) -> None:
        self.reason, self.attempts = reason, self.attempts + 1
        self.counted += counts
        self.answers_before = answers if self.answers_before is None else self.answers_before
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** max(0, self.counted - 1))
        self.rest = delay * random.uniform(0.5, 1.0) if counts else 0.0

    def lost(self, id: str, answers: int) -> Completion | None:
        """The error, when there were enough tries. It is transient where no other call was answered meanwhile."""
        if self.counted <= self.most:
            return None
        transient = self.most > 0 and answers == self.answers_before
        return Completion(id, "", "error", error=f"{self.reason}, {self.counted} tries", transient=transient)


class OpenAISession(Session):
    """Owns an event loop, which runs while `stream` waits. The key stays inside the client."""

    def __init__(self, options: OpenAIGenerator, key: str, cache: Path):
        self._options, self._folder = options, cache
        self._problems = Problems(options, key)
        self._books = Bookkeeping(cache)  # for this thread; calls are written by the one of the group commits
        self._rates = Rates(cache / "rates.sqlite")
        self._runner = asyncio.Runner()
        self._client = self._run(_connected(options, key))
        self._writer: GroupCommit[Bookkeeping] = GroupCommit(lambda: Bookkeeping(cache), self._runner.get_loop())
        self._throttle = Throttle(options.concurrency, options.patience)
        self._log = CallLog(options.name)
        self._asking: dict[str, asyncio.Future[None]] = {}
        self._in_flight: set[Any] = set()
        self._settled = 0  # calls that were in flight, and have given back what they did not need
        self._resting = self._refused = self._forbidden = self._unheard = 0
        self._stopped = False
        self._disk_seen = self._rate_free_at = 0.0
        self._waits_for_rate = asyncio.Lock()

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Raises UserError when no call can succeed: after calls in flight have ended and their texts were yielded."""
        source, ended = iter(requests), deque[asyncio.Task[Completion]]()
        tasks: set[asyncio.Task[Completion]] = set()
        news = asyncio.Event()
        fatal: UserError | None = None

        def end(task: asyncio.Task[Completion]) -> None:
            tasks.discard(task)
            ended.append(task)
            news.set()

        try:
            while True:
                while fatal is None and len(tasks) < self._options.concurrency + min(self._resting, SET_ASIDE):
                    if (request := next(source, None)) is None:
                        break
                    key = self._key_of(request)
                    if (kept := self._books.answers.get(key, request.id)) is not None:
                        self._log.kept()
                        yield self._as_asked(request, kept)
                    else:
                        task = self._runner.get_loop().create_task(self._answer(request, key))
                        tasks.add(task)
                        task.add_done_callback(end)
                if not tasks and not ended:
                    break
                self._run(_news(news))
                while ended:
                    task = ended.popleft()
                    if task.cancelled():
                        continue
                    if isinstance(error := task.exception(), UserError):
                        fatal = fatal or error
                        self._stop(tasks)
                    else:
                        self._log.ended(task.result())
                        yield task.result()
                self._log.say(self._waiting_for, self.expected)
        finally:
            self._run(_cancel(tasks))
            self._stopped = False
        if fatal is not None:
            raise fatal

    def close(self) -> None:
        self._run(self._client.close())
        self._writer.close()
        self._runner.close()
        self._books.close()
        self._rates.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def _stop(self, tasks: Iterable[asyncio.Task[Completion]]) -> None:
        """Send nothing more; what is in flight may end."""
        self._stopped = True
        for task in tasks:
            if task not in self._in_flight:
                task.cancel()

    def _key_of(self, request: Request) -> str:
        return answer_key(self._options.question(request.prompt, request.sampling, request.seed))

    def _as_asked(self, request: Request, answer: Completion) -> Completion:
        """The answer up to a stop string that could not be sent. It is kept whole, for it is the same without it."""
        if not self._options.provider.cuts or self._options.output == "json":
            return answer
        if answer.error is not None or (found := cut(answer.text, request.sampling.stop)) is None:
            return answer
        text, stop = found
        return replace(answer, text=text, finish_reason="stop", stopped_at=stop)

    async def _answer(self, request: Request, key: str) -> Completion:
        """Ask, unless this session asks the very question already: then the answer is that one's."""
        while (other := self._asking.get(key)) is not None:
            await asyncio.wait([other])
        asking = self._asking[key] = asyncio.get_running_loop().create_future()
        tries = Tries(self._options.max_retries)
        try:
            while (done := await self._try(request, key, tries)) is None:
                if self._stopped:  # it was in flight, and failed: there is no other try
                    raise asyncio.CancelledError
                await self._rest(tries.rest)
            return self._as_asked(request, done)
        except OutOfPatience as end:
            raise self._problems.out_of_patience(end) from None
        finally:
            if tries.claimed:
                self._writer.write(lambda books: books.answers.release(key))
            del self._asking[key]
            asking.set_result(None)

    async def _rest(self, seconds: float) -> None:
        self._resting += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._resting -= 1

    async def _try(self, request: Request, key: str, tries: Tries) -> Completion | None:
        """The completion of one try; None where another may help. Raises UserError for what no call is spared."""
        if not tries.claimed:  # seen before a turn of the rate is taken, which all jobs share
            if self._books.answers.is_claimed(key):
                tries.rest = LOOK_AGAIN_SECONDS
                return None
            if (kept := self._books.answers.get(key, request.id)) is not None:
                return kept
        await self._wait_for_rate(request)
        number = await self._throttle.enter()
        try:
            return await self._call(request, key, tries)
        except Refusal as refusal:
            return self._judge(request, number, refusal, tries)
        except Unreadable as problem:
            if problem.charged is None:
                self._failed(request, number, tries, f"broken answer: {self._problems.clean(problem)}")
                if self._hears_nothing(tries, TRIES_TO_REACH):
                    raise self._problems.answers_with_no_text(problem) from None
            else:
                self._throttle.heard()
                tries.most = min(tries.most, TRIES_PAID_FOR - 1)
                tries.failed(f"broken answer: {self._problems.clean(problem)}", True, -1)
        except NoAnswer as problem:
            self._failed(request, number, tries, self._problems.clean(problem))
            if self._hears_nothing(tries, min(TRIES_TO_REACH, self._options.max_retries + 1)):
                raise self._problems.unreachable(problem) from None
        finally:
            self._throttle.leave()
        return tries.lost(request.id, self._throttle.answers)

    def _hears_nothing(self, tries: Tries, most: int) -> bool:
        """Whether one more try without an answer is enough to give up a server that never gave one. `most`: tries of
        one call."""
        self._unheard += 1
        has_answered = self._throttle.answers + self._refused > 0
        return not has_answered and (tries.attempts >= most or self._unheard >= CALLS_TO_REACH)

    @property
    def _waiting_for(self) -> str | None:
        """Why nothing is sent, in words; None while answers come."""
        if (left := self._rate_free_at - time.monotonic()) > 0:
            return f"next call in {left:.0f} s (requests_per_minute, tokens_per_minute)"
        return self._throttle.waiting_for

    async def _wait_for_rate(self, request: Request) -> None:
        """One call at a time: a turn counts for all jobs and restarts, so those that are never used must be few."""
        async with self._waits_for_rate:
            await self._take_turn(request)

    async def _take_turn(self, request: Request) -> None:
        turns = [self._rates.wait_seconds(*turn) for turn in self._turns(request)]
        if seconds := max(turns, default=0.0):
            if seconds > SILENCE_SECONDS:
                self._rate_free_at = time.monotonic() + seconds
            await asyncio.sleep(seconds)

    def _turns(self, request: Request) -> Iterator[tuple[str, float, float]]:
        """Of each rate that is limited: its name, what the call takes of it, and the limit."""
        options = self._options
        whose = f"{options.base_url} {options.model}"
        if options.requests_per_minute is not None:
            yield f"{whose} requests", 1, options.requests_per_minute
        if options.tokens_per_minute is not None:
            tokens = len(request.prompt) / CHARACTERS_A_TOKEN + request.sampling.max_tokens
            yield f"{whose} tokens", tokens, options.tokens_per_minute

    async def _call(self, request: Request, key: str, tries: Tries) -> Completion | None:
        """One call, booked before it is sent; what came of it is on disk when this returns.

        What may have been charged stays booked. None: another process asks this question now.
        """
        self._check_disk()
        most = self._most(request)
        begun = await self._begin(request, key, most, tries)
        if begun is not Begun.BOOKED:  # another job has come to ask it while this one waited for its turn
            for turn in self._turns(request):
                self._rates.give_back(*turn)
        if begun is Begun.CLAIMED:
            tries.rest = LOOK_AGAIN_SECONDS
            return None
        if begun is Begun.IN_A_BATCH:
            return Completion(request.id, "", "error", error=IN_A_BATCH, transient=True)
        if isinstance(begun, Completion):
            return begun
        answer, charged, task = None, most, asyncio.current_task()
        self._in_flight.add(task)
        try:
            answer = read_reply(
                await self._send(request), request.id, most, self._options.provider, self._options.output == "json"
            )
            charged = self._cost(answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens)
        except Refusal:
            charged = Spent()
            raise
        except NoAnswer as problem:
            charged = most if problem.sent else Spent()
            raise
        except Unreadable as problem:
            charged = most if problem.charged is None else self._cost(*problem.charged)
            raise
        finally:
            self._log.charged(charged.dollars)
            worth = answer if answer is not None and worth_keeping(answer) else None
            await self._writer.write(lambda books: books.end(key, worth, self._options.account, most, charged))
            self._in_flight.discard(task)
            self._settled += 1
        self._throttle.answered()
        self._forbidden = 0
        return answer

    async def _send(self, request: Request) -> Any:
        if self._stopped:
            raise NoAnswer("stopped", sent=False)
        return await self._client.post(
            self._options.path, self._options.body(request.prompt, request.sampling, request.seed)
        )

    async def _begin(self, request: Request, key: str, most: Spent, tries: Tries) -> Completion | Begun:
        """Claim and book. Near the limit it waits for calls of ours to give back what they do not need; raises
        UserError when there are none and the limit still stands."""
        options, begun, claimed = self._options, list[Completion | Begun](), tries.claimed

        def begin(books: Bookkeeping) -> Completion | Begun:
            begun.clear()  # of a first time that was undone
            if claimed:
                books.ledger.book(options.account, most, options.budget)
                begun.append(Begun.BOOKED)
            else:
                begun.append(books.begin(key, request.id, options.account, most, options.budget))
            return begun[0]

        def give_back(books: Bookkeeping) -> None:
            if Begun.BOOKED in begun:
                books.ledger.settle(options.account, most, Spent())

        while True:
            settled = self._settled
            try:
                tries.claimed = True  # perhaps: it is let go in any case
                writing = self._writer.write(begin)
                done = await asyncio.shield(writing)
                tries.claimed = claimed or done is Begun.BOOKED
                return done
            except BudgetExhausted as limit:
                if not self._in_flight and settled == self._settled:
                    raise self._problems.used_up(limit, self._books.ledger) from None
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                writing.add_done_callback(lambda end: end.exception())  # nobody else looks at it
                self._writer.write(give_back)
                raise

    def _most(self, request: Request) -> Spent:
        """The most that a call can cost: no text has more tokens than bytes."""
        text = f"{self._options.system or ''}{request.prompt}"
        return self._cost(len(text.encode(errors="replace")) + FRAME_TOKENS, request.sampling.max_tokens)

    def _check_disk(self) -> None:
        if time.monotonic() - self._disk_seen > DISK_LOOK_SECONDS:
            if shutil.disk_usage(self._folder).free < SPARE_BYTES:
                raise full_disk(self._folder)
            self._disk_seen = time.monotonic()

    def _cost(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> Spent:
        dollars = self._options.dollars(prompt_tokens, completion_tokens, cached_tokens)
        return Spent(1, prompt_tokens, completion_tokens, dollars)

    def _failed(self, request: Request, number: int, tries: Tries, reason: str) -> None:
        """The server failed at a call; that counts against the call only where it does its work otherwise."""
        counts = self._throttle.failed(request.id, reason, number) or self._options.max_retries == 0
        tries.failed(reason, counts, self._throttle.answers)

    def _judge(self, request: Request, number: int, refusal: Refusal, tries: Tries) -> Completion | None:
        """A final completion, None to try again; raises UserError for what no other call would be spared."""
        verdict, said = self._options.provider.verdict(refusal), self._problems.clean(refusal)
        if verdict is AnswerVerdict.THROTTLED:
            self._throttle.throttled(number, refusal.pause, said)
            tries.rest = 0.0
            return None
        if verdict is AnswerVerdict.SERVER_ERROR:
            self._failed(request, number, tries, f"server error: HTTP {refusal.status}")
            return tries.lost(request.id, self._throttle.answers)
        if verdict is AnswerVerdict.BAD_KEY and refusal.status == 403 and self._throttle.answers:
            self._forbidden += 1
            verdict = verdict if self._forbidden >= FORBIDDEN_IN_A_ROW else AnswerVerdict.BAD_REQUEST
        if verdict in FATAL:
            raise self._problems.fatal(verdict, refusal) from None
        assert verdict in OF_THE_CALL
        self._throttle.heard()
        self._refused += 1
        enough = REFUSALS_TO_GIVE_UP.get(verdict, REFUSED_PROMPTS_TO_GIVE_UP)
        if not self._throttle.answers and self._refused >= enough:
            raise self._problems.all_refused(self._refused, verdict, refusal) from None
        return Completion(request.id, "", "error", error=f"{verdict}: {self._problems.clean(refusal.words)}")


async def _connected(options: OpenAIGenerator, key: str) -> Client:
    header = options.provider.key_header
    headers = {header: key} if header else {"Authorization": f"Bearer {key}"}
    return Client(options.base_url, headers, options.timeout)


async def _news(news: asyncio.Event) -> None:
    """Return when there are some, or when a line is due."""
    try:
        async with asyncio.timeout(min(LOG_SECONDS, SILENCE_SECONDS)):
            await news.wait()
    except TimeoutError:
        pass
    news.clear()


async def _cancel(tasks: Iterable[asyncio.Task[Completion]]) -> None:
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)

"""Ray actors, each with a warm engine, that fetch requests as they have room for them.

Requests wait in one place, the source, beside the process that asks. An engine's stream pulls from it just as it would
pull from a local iterator, so that no worker ever waits for another's stragglers. The source remembers who took what:
when a worker is lost, what it had not delivered goes back, and costs its time once more. Nothing else does.

A request may be what its worker dies of (a prompt that fills the memory, say). Which one of those in flight it was
cannot be seen, so what was lost twice is tried alone, after all others; where the worker is lost again, the request
has failed.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from src.core.errors import UserError
from src.generation.base import Completion, Generator, Request, Session

if TYPE_CHECKING:
    from src.generation.pool import Pool

log = logging.getLogger(__name__)

AT_ONCE = 64  # requests in one message
AHEAD = 256  # requests that wait in the source, for each worker
REPORT_SECONDS = 0.3  # a worker delivers what has ended in so long
LOOK_SECONDS = 1.0  # from one look at the cluster to the next
KNOCK_SECONDS = 10.0
DEATHS_IN_A_ROW = 5  # workers lost while no text came: then it is no single request
TRIED_TOGETHER = 2  # workers that may be lost with a request among others; the next one has it alone
LOST_ITS_WORKERS = "lost its workers"
REPOSITORY = Path(__file__).resolve().parents[2]


class Source:
    """An actor: the requests that wait, and those that each worker has taken and not delivered."""

    def __init__(self) -> None:
        self._waiting: deque[Request] = deque()
        self._suspects: deque[Request] = deque()  # to be tried alone
        self._taken: dict[str, dict[str, Request]] = {}
        self._losses: Counter[str] = Counter()  # of workers, by the id of a request that they had

    def add(self, requests: list[Request]) -> None:
        self._waiting.extend(requests)

    def count(self) -> int:
        return len(self._waiting) + len(self._suspects)

    def take(self, worker: str, n: int) -> list[Request]:
        """At most `n` requests; none when none waits that may be written beside what the worker has."""
        held = self._taken.setdefault(worker, {})
        if any(self._losses[id] >= TRIED_TOGETHER for id in held):
            return []
        some = [self._waiting.popleft() for _ in range(min(n, len(self._waiting)))]
        if not some and not held and self._suspects:
            some = [self._suspects.popleft()]
        held.update((request.id, request) for request in some)
        return some

    def done(self, worker: str, ids: list[str]) -> None:
        for id in ids:
            self._taken[worker].pop(id, None)

    def lost(self, worker: str) -> tuple[int, list[str]]:
        """Put back what the worker had. Returns how much that was, and the ids that were tried alone: they have
        failed."""
        rest = self._taken.pop(worker, {})
        failed = [id for id in rest if self._losses[id] >= TRIED_TOGETHER]
        self._losses.update(rest.keys())
        back = [request for id, request in rest.items() if id not in failed]
        for request in back:
            (self._suspects if self._losses[request.id] >= TRIED_TOGETHER else self._waiting).appendleft(request)
        return len(back), failed


class PoolWorker:
    """An actor: one engine, started when the first texts are asked for."""

    def __init__(self, engine: Generator, model: str | None, cache: str):
        self._options = engine, model, cache
        self._session: Session | None = None

    def write(self, source: Any, name: str) -> Iterator[list[Completion]]:
        """Texts for what can be taken from the source, until nothing waits there."""
        session = self._session = self._session or self._open()
        ended: list[Completion] = []
        reported = time.monotonic()
        for completion in session.stream(_taken(source, name)):
            ended.append(completion)
            if len(ended) >= AT_ONCE or time.monotonic() - reported > REPORT_SECONDS:
                yield ended
                ended, reported = [], time.monotonic()
        yield ended

    def _open(self) -> Session:
        engine, model, cache = self._options
        try:
            return engine.open(model, Path(cache)).__enter__()
        except UserError as error:
            raise UserError(
                f"On {socket.gethostname()}: {error.problem}",
                f"{error.mend} All machines must see the same checkout, packages and outputs folder.",
            ) from None


def _taken(source: Any, name: str) -> Iterator[Request]:
    while some := ray.get(source.take.remote(name, AT_ONCE)):
        yield from some


@dataclass
class _Hand:
    """A worker as the asking process sees it; `run` yields what it writes, None while it is idle."""

    name: str
    actor: Any
    run: Any = None


@dataclass
class _Round:
    """One `stream`: its requests, and what is still to come."""

    requests: Iterator[Request]
    source: Any
    exhausted: bool = False
    outstanding: set[str] = field(default_factory=set)

    def feed(self, limit: int) -> int:
        """Fill the source up; returns how many requests wait there."""
        waiting = int(ray.get(self.source.count.remote()))
        while waiting < limit and not self.exhausted:
            some = list(islice(self.requests, AT_ONCE))
            self.exhausted = len(some) < AT_ONCE
            self.outstanding.update(request.id for request in some)
            self.source.add.remote(some)
            waiting += len(some)
        return waiting


class PoolSession(Session):
    """The live pool. Ids of requests must differ within a stream."""

    def __init__(self, options: Pool, model: str | None, cache: Path):
        self._options, self._model, self._cache = options, model, cache
        self._hands: list[_Hand] = []
        self._names = count()
        self._deaths = 0
        self._next_look = 0.0
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(options.address)

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        source: Any = ray.remote(Source).options(num_cpus=0, scheduling_strategy=here).remote()
        turn = _Round(iter(requests), source)
        try:
            while not turn.exhausted or turn.outstanding:
                waiting = turn.feed(AHEAD * max(1, len(self._hands)))
                if waiting:
                    self._hire()
                    self._set_to_work(turn)
                yield from self._next_texts(turn)
        finally:
            for hand in [hand for hand in self._hands if hand.run is not None]:  # the reader stopped early
                self._dismiss(hand)
            ray.kill(source)

    def _hire(self) -> None:
        """Have as many workers as the cluster holds."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        engines, resources = _room(self._options)
        wanted = min(engines, self._options.workers or engines)
        actor = ray.remote(PoolWorker).options(scheduling_strategy="SPREAD", **resources)
        while len(self._hands) < max(1, wanted):
            arguments = self._options.engine, self._model, str(self._cache)
            self._hands.append(_Hand(f"worker {next(self._names)}", actor.remote(*arguments)))

    def _set_to_work(self, turn: _Round) -> None:
        for hand in self._hands:
            if hand.run is None:
                hand.run = hand.actor.write.options(num_returns="streaming").remote(turn.source, hand.name)

    def _next_texts(self, turn: _Round) -> Iterator[Completion]:
        """What has ended by now, after a short wait for it."""
        working = {hand.run: hand for hand in self._hands if hand.run is not None}
        if not working:
            return
        ready, _ = ray.wait(list(working), timeout=LOOK_SECONDS)
        for run in ready:
            hand = working[run]
            try:
                ended = ray.get(next(hand.run))
            except StopIteration:
                hand.run = None
                continue
            except RayTaskError as error:
                if isinstance(error.cause, UserError):
                    raise error.cause from None
                yield from self._lose(hand, turn, error)
                continue
            except RayError as error:
                yield from self._lose(hand, turn, error)
                continue
            self._deaths = 0 if ended else self._deaths
            turn.source.done.remote(hand.name, [completion.id for completion in ended])
            for completion in ended:
                if completion.id in turn.outstanding:
                    turn.outstanding.remove(completion.id)
                    yield completion

    def _lose(self, hand: _Hand, turn: _Round, error: Exception) -> Iterator[Completion]:
        """Gives the failure of what the worker was tried with alone. Raises UserError when one worker after the other
        is lost without a single text."""
        self._dismiss(hand)
        back, failed = ray.get(turn.source.lost.remote(hand.name))
        self._deaths += 1
        words = str(error).strip().splitlines() or [type(error).__name__]
        log.warning("%s was lost (%s); %d texts are asked for again", hand.name, words[0], back)
        if self._deaths >= DEATHS_IN_A_ROW:
            raise UserError(
                f"{self._deaths} workers of the Ray cluster were lost without a text between: {words[-1]}",
                "What was written is kept. Ray's own log (ray logs) says more; compute=local shows the engine's words.",
            ) from None
        for id in turn.outstanding.intersection(failed):
            turn.outstanding.remove(id)
            told = f"{LOST_ITS_WORKERS}: {TRIED_TOGETHER + 1} of the Ray cluster, the last with this request alone"
            yield Completion(id, "", "error", error=f"{told} ({words[-1]})")

    def _dismiss(self, hand: _Hand) -> None:
        self._hands.remove(hand)
        ray.kill(hand.actor)

    def close(self) -> None:
        for hand in list(self._hands):
            self._dismiss(hand)
        if self._ours:
            ray.shutdown()


def _connect(address: str | None) -> None:
    """Join the cluster, or make one of this machine. Raises UserError when there is none at the address."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray warns about its own future default
    if address and "://" not in address and ":" in address:
        _knock(address)  # Ray itself would wait for minutes
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))}
    try:
        ray.init(
            address=address,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": environment},
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _no_cluster(address or "this machine", error) from None


def _knock(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(address, error) from None


def _no_cluster(where: str, error: Exception) -> UserError:
    return UserError(
        f"No Ray cluster answers at {where}: {error}",
        "Start one with `ray start --head`, and `ray start --address=HEAD:6379` on the other machines.",
    )


def _room(options: Pool) -> tuple[int, dict[str, float]]:
    """How many engines the cluster holds, and what each takes, in Ray's words."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if options.gpus or any(node.get("GPU") for node in nodes):
        gpus = options.gpus or float(options.engine.devices or 1)
        return sum(int(node.get("GPU", 0) // gpus) for node in nodes), {"num_gpus": gpus, "num_cpus": options.cpus or 1}
    cores = [node["CPU"] for node in nodes if node.get("CPU")]
    cpus = options.cpus or min(cores, default=1.0)
    return sum(int(n // cpus) for n in cores), {"num_cpus": cpus}

"""Many proofs over a few warm workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from src.checking.base import Checker, CheckerSession, CheckVerdict, Claim, Task

T = TypeVar("T")
R = TypeVar("R")
LOOKED_AT, LOOKED_AT_CHARS = 50, 20_000  # proofs whose assumptions are looked at together; a pipe holds that length


class CheckWorker(Protocol):
    """One process of a checker, used by one thread at a time; it starts when first asked. Goals are its checker's."""

    def state(self, goal: Any) -> CheckVerdict:
        """Whether the goal can be stated."""

    def prove(self, goal: Any, proof: str) -> CheckVerdict:
        """Whether the kernel accepts the proof."""

    def assumptions(self, proved: Sequence[tuple[Any, str]]) -> list[CheckVerdict]:
        """Of accepted proofs, (goal, proof) each, those that no axiom stands behind stay "proved"."""

    def close(self) -> None: ...


class PooledSession(CheckerSession):
    """`workers` of them; each distinct proof is checked once."""

    def __init__(self, checker: Checker, workers: int, make: Callable[[], CheckWorker]):
        self.checker = checker
        self._threads = ThreadPoolExecutor(workers)
        self._free: SimpleQueue[CheckWorker] = SimpleQueue()
        for _ in range(workers):
            self._free.put(make())

    def check_all(self, tasks: Iterable[Task]) -> list[CheckVerdict]:
        asked = list(tasks)
        given = [(self.checker.goal(task), task.proof) for task in asked]
        distinct = list(dict.fromkeys(given))
        found = dict(zip(distinct, self._map(lambda worker, pair: worker.prove(*pair), distinct), strict=True))
        groups = list(_groups([pair for pair, verdict in found.items() if verdict.status == "proved"]))
        looked = self._map(lambda worker, group: worker.assumptions(group), groups)
        found |= {p: v for group, verdicts in zip(groups, looked, strict=True) for p, v in zip(group, verdicts)}
        return [_of(found[pair], task.negated) for pair, task in zip(given, asked, strict=True)]

    def well_formed(self, statements: Iterable[Claim]) -> list[CheckVerdict]:
        given = [self.checker.goal(Task(statement, "")) for statement in statements]
        distinct = list(dict.fromkeys(given))
        found = dict(zip(distinct, self._map(lambda worker, goal: worker.state(goal), distinct), strict=True))
        return [found[goal] for goal in given]

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        while not self._free.empty():
            self._free.get().close()

    def _map(self, judge: Callable[[CheckWorker, T], R], items: Sequence[T]) -> list[R]:
        return list(self._threads.map(lambda item: self._with_one(judge, item), items))

    def _with_one(self, judge: Callable[[CheckWorker, T], R], item: T) -> R:
        worker = self._free.get()
        try:
            return judge(worker, item)
        finally:
            self._free.put(worker)


def _of(verdict: CheckVerdict, negated: bool) -> CheckVerdict:
    """A proof of the negation refutes."""
    return CheckVerdict("refuted") if negated and verdict.status == "proved" else verdict


def _groups(proved: Sequence[tuple[Any, str]]) -> Iterator[list[tuple[Any, str]]]:
    group: list[tuple[Any, str]] = []
    for pair in proved:
        size = sum(len(str(goal)) + len(proof) for goal, proof in [*group, pair])
        if group and (len(group) == LOOKED_AT or size > LOOKED_AT_CHARS):
            yield group
            group = []
        group.append(pair)
    if group:
        yield group

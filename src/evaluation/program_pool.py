"""Programs of models, run side by side in sandboxes, and counted by how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from queue import SimpleQueue

from src.core.processes import cores
from src.evaluation.isolation import Isolation, Programs, isolation_for
from src.evaluation.sandbox import Execution, Sandbox


class ProgramPool:
    """Use it in a `with` block. Sandboxes start when first needed; `ended` counts programs by their `status`.

    programs: "isolated" raises UserError at the first program where the machine has no isolation; see `isolation`.
    workers: sandboxes at a time; None: as many as there are cores, 8 at most. seconds: for one program.
    """

    def __init__(self, programs: Programs = "isolated", workers: int | None = None, seconds: float = 5.0):
        self.programs, self.seconds = programs, seconds
        self.workers = workers or min(8, cores())
        self.ended: Counter[str] = Counter()
        self._free: SimpleQueue[Sandbox] = SimpleQueue()

    @cached_property
    def isolation(self) -> Isolation:
        return isolation_for(self.programs)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        for _ in range(self.workers):
            self._free.put(Sandbox(self.seconds, programs=self.programs))
        return ThreadPoolExecutor(self.workers)

    def start(self, program: str, before: Sequence[str] = ()) -> Future[Execution]:
        """Run a program after those `before` it, whose names it knows."""
        return self._threads.submit(self._run, program, before)

    def _run(self, program: str, before: Sequence[str]) -> Execution:
        sandbox = self._free.get()
        try:
            execution = sandbox.run(program, before)
        finally:
            self._free.put(sandbox)
        self.ended[execution.status] += 1
        return execution

    def record(self) -> dict[str, str | int]:
        """For a stage's files: the isolation, and how many programs ended in which way. Empty where none was run."""
        return {"isolation": self.isolation, **dict(sorted(self.ended.items()))} if self.ended else {}

    def warnings(self) -> dict[str, int]:
        """For a stage's metrics, of which reports warn: programs that ran without isolation, where there were any."""
        return {"programs_unisolated": self.ended.total()} if self.programs == "unisolated" and self.ended else {}

    def close(self) -> None:
        if "_threads" in self.__dict__:
            self._threads.shutdown(cancel_futures=True)
            while not self._free.empty():
                self._free.get().close()

    def __enter__(self) -> ProgramPool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

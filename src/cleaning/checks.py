"""What a teacher's problems must pass before anybody learns from them: the corpus's checks, on a few thousand rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from src.cleaning.programs import OTHER_ANSWER, Program, answers, program_of, run_all
from src.core.records import BATCH_ROWS, Generation
from src.evaluation.isolation import Programs, isolation_for
from src.evaluation.program_pool import ProgramPool
from src.text.arithmetic import check_arithmetic
from src.text.contamination import AsksQuestions, ContaminationIndex, Decontamination
from src.text.parsing import ParsedProblem, Rejection
from src.text.quality import Rules, prose
from src.text.spelling import comparison_key

WRONG_ARITHMETIC = "wrong arithmetic"
CONTAMINATED = "contaminated by"  # and the benchmark's name

Read = tuple[Generation, ParsedProblem | Rejection]


@dataclass(frozen=True)
class Checks:
    """Each of them can be switched off; what fails one is refused.

    rules: of the parsed problem. arithmetic: statements such as `12 * 7 = 84` in natural-language solutions are worked
        out again.
    programs: tool solutions are run, for `program_seconds` at most, and must print what they state and what is boxed;
        "isolated", "unisolated" or "skip".
    decontamination: how questions and solutions are compared with the questions of the benchmarks.
    """

    rules: Rules | None = field(default_factory=Rules)
    arithmetic: bool = True
    programs: Programs = "isolated"
    program_seconds: float = 5.0
    decontamination: Decontamination | None = field(default_factory=Decontamination)

    def __post_init__(self) -> None:
        if self.program_seconds <= 0:
            raise ValueError(f"program_seconds must be positive, not {self.program_seconds}")

    def identity(self) -> None:
        """Adds nothing to a stage's key. It is asked before anything runs: is there an isolation for the programs?"""
        if self.programs != "skip":
            isolation_for(self.programs)

    def index(self, benchmarks: Mapping[str, AsksQuestions]) -> ContaminationIndex | None:
        """Read the benchmarks' questions."""
        return self.decontamination.index(benchmarks) if self.decontamination and benchmarks else None

    def judge(self, rows: Iterable[Read], index: ContaminationIndex | None) -> Iterator[Read]:
        """The rows in their order, those that fail a check as a `Rejection`."""
        source = iter(rows)
        with ProgramPool(self.programs, seconds=self.program_seconds) as pool:
            while some := list(islice(source, BATCH_ROWS)):
                some = [(row, self._alone(row, read)) for row, read in _compared(some, index)]
                yield from some if self.programs == "skip" else _run(some, pool)

    def _alone(self, row: Generation, read: ParsedProblem | Rejection) -> ParsedProblem | Rejection:
        if isinstance(read, Rejection):
            return read
        if self.rules and (reason := self.rules.reason(read, row.stage)):
            return Rejection(reason)
        if self.arithmetic and row.kind != "tool" and (wrong := check_arithmetic(prose(read.solution)).wrong):
            return Rejection(WRONG_ARITHMETIC, wrong)
        return read


def _compared(rows: list[Read], index: ContaminationIndex | None) -> list[Read]:
    if index is None:
        return rows
    parsed = [(place, read) for place, (_, read) in enumerate(rows) if isinstance(read, ParsedProblem)]
    places = [place for place, _ in parsed]
    found = index.find_rows(
        [comparison_key(read.question) for _, read in parsed], [comparison_key(read.solution) for _, read in parsed]
    )
    refused = {places[n]: Rejection(f"{CONTAMINATED} {overlap.benchmark}") for n, overlap in found.items()}
    return [(row, refused.get(place, read)) for place, (row, read) in enumerate(rows)]


def _programs(rows: list[Read]) -> Iterator[tuple[str, Program]]:
    for row, read in rows:
        if row.kind == "tool" and isinstance(read, ParsedProblem) and (program := program_of(read.solution)):
            yield row.id, program


def _run(rows: list[Read], pool: ProgramPool) -> Iterator[Read]:
    runs = dict(run_all(_programs(rows), pool))
    for row, read in rows:
        run = runs.get(row.id)
        if run is None or isinstance(read, Rejection):
            yield row, read
        elif run.wrong:
            yield row, Rejection(run.wrong, f"it printed {run.printed!r}" if run.printed else "")
        elif read.answer is not None and not answers(run.printed, read.answer):
            yield row, Rejection(OTHER_ANSWER, f"it printed {run.printed!r}, and {read.answer!r} is boxed")
        else:
            yield row, read

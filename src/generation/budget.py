"""What texts cost and what may be spent: kept in one place for all jobs that spend together."""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from src.core.checks import at_least
from src.generation.base import Generator
from src.generation.cache import Database

MILLION = 1_000_000


@runtime_checkable
class Priced(Protocol):
    """A generator whose texts cost money."""

    def dollars(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """The price of so many tokens; `cached_tokens` are among those of the prompt."""
        ...


def dollars(generator: Generator, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
    """The price of so many tokens; 0 for a generator that costs no money."""
    if not isinstance(generator, Priced):
        return 0.0
    return generator.dollars(prompt_tokens, completion_tokens, cached_tokens)


@dataclass(frozen=True)
class Price:
    """Dollars for a million tokens. `cached`: of a prompt that the provider has in its cache; None: as any other."""

    prompt: float
    completion: float
    cached: float | None = None

    def __post_init__(self) -> None:
        at_least(self, 0, "prompt", "completion", "cached")

    def of(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """Dollars for so many tokens, `cached_tokens` of the prompt's at their own price."""
        cached = self.prompt if self.cached is None else self.cached
        new_tokens = prompt_tokens - cached_tokens
        return (new_tokens * self.prompt + cached_tokens * cached + completion_tokens * self.completion) / MILLION


@dataclass(frozen=True)
class Budget:
    """The most that may be spent on an account, ever; None: no limit. `max_tokens` counts prompts and texts."""

    max_calls: int | None = None
    max_tokens: int | None = None
    max_dollars: float | None = None

    def __post_init__(self) -> None:
        at_least(self, 0, *asdict(self))


@dataclass(frozen=True)
class Spent:
    """A sum of calls, or the cost of one."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(a + b for a, b in zip(astuple(self), astuple(other))))

    def __neg__(self) -> Spent:
        return Spent(*(-a for a in astuple(self)))

    def __str__(self) -> str:
        dollars = round(self.dollars, 2) + 0.0  # bookings paid back may sum to a hair below zero: no "-0.00"
        return f"{self.calls:,} calls, {self.tokens:,} tokens, ${dollars:,.2f}"


class BudgetExhausted(Exception):  # noqa: N818  it is no error: it is the budget, doing its work
    """A call would pass a limit. The text says which."""


LEDGER = "ledger.sqlite"  # in the cache folder

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spending (
    study TEXT NOT NULL, run TEXT NOT NULL, calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, dollars REAL NOT NULL, PRIMARY KEY (study, run)
) WITHOUT ROWID
"""
_SUMS = "SUM(calls), SUM(prompt_tokens), SUM(completion_tokens), SUM(dollars)"


class Ledger:
    """Sums by account, in SQLite: they hold across processes and restarts.

    An account is "study/run" (or a study alone). Each has its row, and the budget holds for the study: for all of its
    runs together.

    A call first books the most it can cost, in the transaction that checks the limits, and pays back what it did not
    use when its answer is there. So no number of parallel jobs passes a limit, and a job that is killed leaves its
    calls in flight booked at their highest: they may have been charged.
    """

    def __init__(self, path: Path):
        self.database = Database(path, _SCHEMA)

    def book(self, account: str, most: Spent, budget: Budget) -> None:
        """Raises BudgetExhausted, and books nothing, where a limit would be passed."""
        with self.database.transaction():
            after = self.spent(account) + most
            for unit in ("calls", "tokens", "dollars"):
                limit = getattr(budget, f"max_{unit}")
                if limit is not None and getattr(after, unit) > limit:
                    raise BudgetExhausted(f"max_{unit}={limit:,} does not allow another call")
            self._add(account, most)

    def settle(self, account: str, booked: Spent, actual: Spent) -> None:
        """Replace a booking by what the call did cost; `Spent()` for a call that was not charged."""
        with self.database.transaction():
            self._add(account, actual + -booked)

    def spent(self, account: str) -> Spent:
        """What the account's study has spent, calls in flight at their highest."""
        study, _ = _study_and_run(account)
        row = self.database.execute(f"SELECT {_SUMS} FROM spending WHERE study = ?", (study,)).fetchone()
        return Spent(*row) if row[0] is not None else Spent()

    def by_run(self, account: str) -> dict[str, Spent]:
        """What each run of the account's study has paid for itself; what another run paid first, it got for nothing."""
        columns = "run, calls, prompt_tokens, completion_tokens, dollars"
        study, _ = _study_and_run(account)
        rows = self.database.execute(f"SELECT {columns} FROM spending WHERE study = ? ORDER BY run", (study,))
        return {run: Spent(*sums) for run, *sums in rows}

    def by_study(self) -> dict[str, Spent]:
        """What each study has spent, by name; calls in flight at their highest."""
        rows = self.database.execute(f"SELECT study, {_SUMS} FROM spending GROUP BY study ORDER BY study", ())
        return {study: Spent(*sums) for study, *sums in rows}

    def close(self) -> None:
        self.database.close()

    def _add(self, account: str, change: Spent) -> None:
        self.database.execute(
            "INSERT INTO spending VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (study, run) DO UPDATE SET "
            "calls = calls + excluded.calls, prompt_tokens = prompt_tokens + excluded.prompt_tokens, "
            "completion_tokens = completion_tokens + excluded.completion_tokens, dollars = dollars + excluded.dollars",
            (*_study_and_run(account), *astuple(change)),
        )


def _study_and_run(account: str) -> tuple[str, str]:
    study, _, run = account.partition("/")
    return study, run

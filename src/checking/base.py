"""Formal checkers behind one interface: does this text prove that statement?

    with checker.open() as session:
        session.check(Statement("x : Z", ("2 * x = 8",), "x = 4"), "intros; lia.")     # CheckVerdict("proved", "")

A statement is ours; a model's text fills the proof alone. Whatever it says, a verdict is "proved" or "refuted" only
when the checker's own kernel accepted the proof and no axiom stands behind it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple

from src.theorems.statement import Declaration, Statement

Status = Literal["proved", "refuted", "error", "timeout"]
Claim = Statement | Declaration

REFUSED, ILL_FORMED, NO_PROOF = "refused", "ill-formed statement", "no proof"
MEMORY, DIED, OUTPUT, ASSUMPTIONS = "memory", "checker died", "output", "assumptions"


class CheckVerdict(NamedTuple):
    """proved: the statement; refuted: the proof was of its negation; error and timeout say nothing of the statement.

    `reason` of an error begins with one of REFUSED (the text holds what no proof needs), ILL_FORMED, NO_PROOF (a step
    fails, or goals are left), MEMORY, DIED, OUTPUT (too much of it), ASSUMPTIONS (axioms stand behind it); a colon and
    what the checker says may follow.
    """

    status: Status
    reason: str = ""

    @property
    def kind(self) -> str:
        """The reason without the checker's own words, for counts."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True)
class Task:
    """A proof to check: of the statement, or with `negated` of its negation."""

    statement: Claim
    proof: str
    negated: bool = False


class CheckerSession(AbstractContextManager["CheckerSession"], ABC):
    """Warm workers. Each task stands alone: nothing that one proof does reaches another."""

    @abstractmethod
    def check_all(self, tasks: Iterable[Task]) -> list[CheckVerdict]:
        """The verdicts, in order. Never raises for what a proof does."""

    @abstractmethod
    def well_formed(self, statements: Iterable[Claim]) -> list[CheckVerdict]:
        """In order, "proved" for a statement that can be stated, else an error or a timeout."""

    @abstractmethod
    def close(self) -> None: ...

    def check(self, statement: Claim, proof: str, negated: bool = False) -> CheckVerdict:
        return self.check_all([Task(statement, proof, negated)])[0]

    def __exit__(self, *exc: object) -> None:
        self.close()


class Checker(ABC):
    """An option of the `checker` group: a frozen dataclass. language: of its statements and proofs; stop: strings that
    end a proof; refutations: proofs by which False may follow from hypotheses that contradict each other."""

    language: ClassVar[str]
    stop: ClassVar[tuple[str, ...]] = ()
    refutations: ClassVar[tuple[str, ...]]

    @abstractmethod
    def open(self) -> CheckerSession:
        """Raises UserError where the checker is not installed."""

    @abstractmethod
    def written(self, statement: Claim) -> str:
        """The statement as one formula of the checker's language."""

    @abstractmethod
    def formula(self, task: Task) -> str:
        """What a task asks to be proved: the statement or its negation."""

    def goal(self, task: Task) -> Any:
        """What a worker is told to be proved: the formula, where that says all."""
        return self.formula(task)

    def proof_in(self, text: str) -> str:
        """The proof in what a model wrote."""
        return text

    @abstractmethod
    def read(self, formula: str) -> Statement | None:
        """The inverse of `written`; None for a text that is no such formula."""

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """The checker's version, for keys. Raises UserError where it is not installed."""

    @property
    @abstractmethod
    def falsum(self) -> str:
        """The proposition that is never true."""


def contradiction(checker: Checker, statement: Claim) -> Claim:
    """The hypotheses alone, with False for a conclusion: where this is proved, they contradict each other."""
    return replace(statement, conclusion=checker.falsum)

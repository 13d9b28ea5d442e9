"""Problems with formal statements, drawn from the families; some with planted faults, for filters to find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Literal

from src.core.errors import UserError
from src.core.records import content_id, seed_from
from src.theorems.families import FAMILIES, Theorem
from src.theorems.statement import Declaration, Statement

Part = Literal["training", "exam"]
Split = Literal["seen", "unseen"]

EXAM_ONE_IN = 6  # statements
PATIENCE = 200  # draws in a row without a new statement, after which the families count as used up
WRONG, MISSING, CONTRADICTORY, ILL_FORMED, TRIVIAL = FAULTS = (
    "wrong conclusion",
    "missing hypothesis",
    "contradictory hypotheses",
    "ill-formed",
    "trivial",
)
MISTRANSLATED = "mistranslated"  # not planted: what a model states in place of what was meant


@dataclass(frozen=True, slots=True)
class Posed:
    """A problem in words and what a writer made of it formally: a row of the table `statements`.

    proof: a reference proof of the statement, negation: one of its negation, where they are known. fault: what was
    planted; "" where the statement is right. name, header, context, keyword: those of a library's `Declaration`, whose
    binders are the variables; "" where a family states the problem.
    """

    id: str
    family: str
    text: str
    variables: str
    hypotheses: list[str]
    conclusion: str
    proof: str | None
    negation: str | None
    fault: str
    name: str = ""
    header: str = ""
    context: str = ""
    keyword: str = ""

    @property
    def statement(self) -> Statement | Declaration:
        if not self.name:
            return Statement(self.variables, tuple(self.hypotheses), self.conclusion)
        parts = (self.name, self.header, self.context, self.variables, self.conclusion)
        return Declaration(*parts, informal=self.text, keyword=self.keyword)


def of_library(found: Declaration, family: str, proof: str = "") -> Posed:
    """A theorem of a library as a row, with its proof where one is told."""
    id = content_id(found.name, found.header, found.context, found.binders, found.conclusion)
    return Posed(
        id=id,
        family=family,
        text=found.informal,
        variables=found.binders,
        hypotheses=[],
        conclusion=found.conclusion,
        proof=proof or None,
        negation=None,
        fault="",
        name=found.name,
        header=found.header,
        context=found.context,
        keyword=found.keyword,
    )


def posed_problems(
    n: int, seed: int, error_rate: float = 0.0, part: Part = "training", split: Split = "seen"
) -> list[Posed]:
    """`n` different problems, of the families in turns; an `error_rate` of them with a fault, of the kinds that a
    family can have. A hash of the statement without its fault says whether it is for exams or for training, so the two
    parts share none. Raises UserError where the families hold too few."""
    families = [family for family in FAMILIES if family.split == split]
    found: dict[Statement, Posed] = {}  # by what was meant: whatever the error rate, the same are drawn
    idle = 0
    for number in count():
        if len(found) == n:
            return list(found.values())
        if idle == PATIENCE:
            raise UserError(f"Only {len(found)} of {n} different {part} statements exist.", "Ask for fewer.")
        rng, family = Random(seed_from("theorem", part, seed, number)), families[number % len(families)]
        theorem = family.draw(rng)
        idle += 1
        if is_for_exams(theorem.statement) != (part == "exam"):
            continue
        if theorem.statement not in found:
            found[theorem.statement], idle = _posed(family.name, theorem, rng, error_rate), 0
    raise AssertionError("count() has no end")


def is_for_exams(statement: Statement | Declaration) -> bool:
    """Whether a statement of the families may be asked in an exam, and so nowhere else."""
    return seed_from("part", statement) % EXAM_ONE_IN == 0


def _posed(family: str, theorem: Theorem, rng: Random, error_rate: float) -> Posed:
    statement, proof, negation, fault = theorem.statement, theorem.proof, None, ""
    if rng.random() < error_rate:
        kinds = [kind for kind in FAULTS if _can_have(theorem, kind)]
        fault = rng.choice(kinds)
        statement, negation = _with_fault(theorem, fault, rng)
    id = content_id(family, fault, *_parts(theorem.statement), *_parts(statement))
    parts = (statement.variables, list(statement.hypotheses), statement.conclusion)
    return Posed(id, family, theorem.text, *parts, None if fault else proof, negation, fault)


def _parts(statement: Statement) -> tuple[str, ...]:
    return statement.variables, *statement.hypotheses, statement.conclusion


def _can_have(theorem: Theorem, fault: str) -> bool:
    hypotheses = len(theorem.statement.hypotheses)
    return {WRONG: theorem.wrong is not None, MISSING: hypotheses > 0, CONTRADICTORY: hypotheses > 0}.get(fault, True)


def _with_fault(theorem: Theorem, fault: str, rng: Random) -> tuple[Statement, str | None]:
    """The statement as a careless writer has it, and a proof of its negation where one is known."""
    right = theorem.statement
    if fault == WRONG:
        assert theorem.wrong is not None
        conclusion, values = theorem.wrong
        return replace(right, conclusion=conclusion), _refutation(right, values)
    if fault == MISSING:
        left_out = rng.randrange(len(right.hypotheses))
        hypotheses = (*right.hypotheses[:left_out], *right.hypotheses[left_out + 1 :])
        return replace(right, hypotheses=hypotheses), None
    if fault == TRIVIAL:
        return _trivialised(right, rng), None
    if fault == CONTRADICTORY:
        name = right.variables.split()[0]
        of = "%Q" if right.variables.endswith("Q") else ""
        bound = rng.randint(20, 60)
        return replace(
            right, hypotheses=(*right.hypotheses, f"({name} > {bound}){of}", f"({name} < {bound}){of}")
        ), None
    return replace(right, conclusion=_damaged(right.conclusion, rng)), None


def _refutation(right: Statement, values: tuple[int, ...]) -> str | None:
    """The negation, proved by the values at which the statement fails; the simple cases alone."""
    if right.variables.endswith("Q") or any("|" in part for part in (*right.hypotheses, right.conclusion)):
        return None
    at = " ".join(str(value) if value >= 0 else f"({value})" for value in values)
    divides = " Z.div_mod_to_equations;" if "mod" in right.conclusion else ""
    return f"intros H; specialize (H {at});{divides} lia."


def _trivialised(right: Statement, rng: Random) -> Statement:
    """The conclusion among the hypotheses, an equation of a term with itself, or one between numbers."""
    if (sort := rng.randrange(3)) == 0:
        return replace(right, hypotheses=(*right.hypotheses, right.conclusion))
    a, b = rng.randint(1, 30), rng.randint(1, 30)
    term = f"{right.variables.split()[0]} + {a}"
    left, value = (term, term) if sort == 1 else (f"{a} + {b}", str(a + b))
    conclusion = f"({left} == {value})%Q" if right.variables.endswith("Q") else f"{left} = {value}"
    return replace(right, conclusion=conclusion)


def _damaged(conclusion: str, rng: Random) -> str:
    """An unknown name, a bracket that nobody closes, or an operator without its right side."""
    return rng.choice((conclusion.replace("x", "n"), f"({conclusion}", f"{conclusion} +"))


def worked(rows: list[Posed]) -> Iterator[tuple[Posed, bool, str]]:
    """What has a reference proof: the problem, whether it is its negation that is proved, and the proof."""
    for row in rows:
        if row.proof:
            yield row, False, row.proof
        if row.negation:
            yield row, True, row.negation

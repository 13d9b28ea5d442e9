from collections import Counter

import pytest

from src.checking.rocq import Rocq
from src.core.errors import UserError
from src.core.records import read_table, write_table
from src.theorems.families import FAMILIES
from src.theorems.posed import FAULTS, TRIVIAL, Posed, posed_problems, worked
from src.theorems.rating import is_trivial


def formulas(rows):
    return {Rocq().written(row.statement) for row in rows}


def test_families_take_turns():
    rows = posed_problems(110, seed=0)
    counts = Counter(row.family for row in rows)
    assert set(counts) == {family.name for family in FAMILIES if family.split == "seen"} and min(counts.values()) >= 5
    assert len(formulas(rows)) == len({row.id for row in rows}) == 110
    assert all(row.proof and not row.fault for row in rows)


def test_faults_are_planted_at_the_rate_that_is_asked_for():
    rows = posed_problems(400, seed=1, error_rate=0.4)
    found = Counter(row.fault for row in rows)
    assert set(found) == {"", *FAULTS} and 120 <= found.total() - found[""] <= 200
    assert all(row.proof is None for row in rows if row.fault)
    assert any(row.negation for row in rows)


def test_no_exam_asks_what_is_taught():
    taught = formulas(row for seed in range(3) for row in posed_problems(300, seed))
    asked = formulas(posed_problems(60, seed=0, part="exam"))
    assert len(asked) == 60 and not taught & asked


def test_unseen_families_are_never_taught():
    unseen = {family.name for family in FAMILIES if family.split == "unseen"}
    assert {row.family for row in posed_problems(30, 0, part="exam", split="unseen")} == unseen
    assert not {row.family for row in posed_problems(200, 0)} & unseen


def test_the_first_of_many_are_those_of_few():
    assert posed_problems(120, seed=2, error_rate=0.3)[:50] == posed_problems(50, seed=2, error_rate=0.3)


def test_rows_survive_the_disk(tmp_path):
    rows = posed_problems(40, seed=0, error_rate=0.5)
    write_table(tmp_path / "statements", Posed, rows)
    assert list(read_table(tmp_path / "statements", Posed)) == rows


def test_worked_problems_hold_proofs_of_statements_and_of_negations():
    sides = Counter(negated for _, negated, _ in worked(posed_problems(200, seed=0, error_rate=0.5)))
    assert sides[False] > 60 and sides[True] > 10


def test_more_than_there_are_is_told():
    with pytest.raises(UserError, match="different exam statements exist"):
        posed_problems(100_000, seed=0, part="exam")


def test_an_exam_asks_each_untaught_family_alike():
    asked = Counter(row.family for row in posed_problems(60, seed=0, part="exam", split="unseen"))
    assert len(asked) == 3
    assert min(asked.values()) >= 15


def test_the_same_problems_are_drawn_whatever_the_error_rate():
    right, faulty = posed_problems(150, seed=0), posed_problems(150, seed=0, error_rate=0.5)
    assert [row.text for row in right] == [row.text for row in faulty]
    assert sum(row.statement != other.statement for row, other in zip(right, faulty, strict=True)) > 40


def test_trivial_statements_are_those_that_were_planted():
    rows = posed_problems(400, seed=3, error_rate=0.5)
    rows += posed_problems(50, seed=3, error_rate=0.5, part="exam", split="unseen")
    trivial = {row.id for row in rows if is_trivial(row.hypotheses, row.conclusion)}
    assert trivial == {row.id for row in rows if row.fault == TRIVIAL} and len(trivial) > 20

"""Proofs among other answers, graded by a checker that answers recorded exchanges."""

import json
from dataclasses import asdict, replace

import pytest

from src.checking.grading import ProofGrader
from src.evaluation.grading import Pair, Verdict, grade
from tests.checking.test_lean import PUBLISHED, axioms_of, checker, message, project  # noqa: F401  (fixtures)

GOLD = json.dumps(asdict(PUBLISHED))
EXCHANGES = [
    {"cmd": "import Mathlib", "reply": {"env": 0}},
    {"cmd": "by\n  omega", "reply": {"env": 1}},
    axioms_of("b1", 1, "'b1' depends on axioms: [propext]"),
    {"cmd": "by\n  simp", "reply": {"messages": [message("error", "simp made no progress")], "env": 2}},
    {"cmd": "by\n  loop", "sleep": 60, "reply": {"env": 3}},
]


def test_proofs_are_checked_and_other_answers_graded_in_their_order(checker, project):  # noqa: F811
    (project / "exchanges.json").write_text(json.dumps(EXCHANGES))
    answers = ["omega", "simp", "sorry", None, "omega"]
    pairs = [Pair(GOLD, answer, "proof") for answer in answers]
    with ProofGrader(checker) as grader:
        verdicts = grader.grade_all([Pair("4", "4.0", "number"), *pairs, Pair("4", "5", "number")])
    assert verdicts == [
        Verdict(True, "number"),
        Verdict(True, "proof"),
        Verdict(False, "no proof"),
        Verdict(False, "refused"),
        Verdict(False, "no answer"),
        Verdict(True, "proof"),
        Verdict(False, "different"),
    ]


def test_a_proof_that_takes_too_long_counts_apart(checker, project):  # noqa: F811
    (project / "exchanges.json").write_text(json.dumps(EXCHANGES))
    with ProofGrader(replace(checker, seconds=0.5)) as grader:
        assert grader.grade_all([Pair(GOLD, "loop", "proof")]) == [Verdict(False, "limit")]


def test_without_proofs_no_checker_starts(checker, project):  # noqa: F811
    with ProofGrader(checker) as grader:
        assert grader.grade_all([Pair("4", "4", "number")]) == [Verdict(True, "string")]
    assert not (project / "exchanges.log").exists()


def test_no_proof_is_graded_without_a_checker():
    with pytest.raises(AssertionError, match="only a checker"):
        grade(GOLD, "omega", "proof")

"""The checker against proofs that cheat, hang and eat memory, and against proofs that are right."""

import os
import re
import shutil
import signal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.checking.base import MEMORY, Task, contradiction
from src.checking.rocq import Rocq
from src.checking.vernacular import proof_body, refusal_of_formula, refusal_of_proof
from src.core.errors import UserError
from src.theorems.families import FAMILIES
from src.theorems.statement import Statement
from tests.checking.cheats import CHEATS, FALSE

needs_coq = pytest.mark.skipif(not shutil.which("coqtop"), reason="Rocq is not installed: apt-get install coq")
RIGHT = Statement("x : Z", ("2 * x + 3 = 11",), "x = 4")
WRONG = Statement("x : Z", ("2 * x + 3 = 11",), FALSE)


@pytest.fixture(scope="module")
def session(isolation):
    with Rocq(memory_mb=1_024).open() as opened:
        yield opened


pytestmark = pytest.mark.slow


@needs_coq
@pytest.mark.parametrize(
    "text", ["intros; lia.", "Proof.\nintros x H.\nlia.\nQed.\n", "intros.\n- { lia. }", "intros; nia."]
)
def test_a_proof_is_accepted_with_and_without_its_frame(session, text):
    assert session.check(RIGHT, text) == ("proved", "")


def test_there_are_sixty_cheats_of_fifteen_kinds():
    assert len(CHEATS) == 15 and all(len(set(texts)) == 4 for texts in CHEATS.values())


@needs_coq
@pytest.mark.parametrize("kind", CHEATS)
def test_a_cheat_is_accepted_of_no_kind(session, kind):
    verdicts = session.check_all(Task(WRONG, text) for text in CHEATS[kind])
    assert [verdict.status for verdict in verdicts] == ["error"] * 4, verdicts
    assert all(verdict.reason for verdict in verdicts)
    assert session.check(RIGHT, "intros; lia.").status == "proved"  # and nothing of it is left


@needs_coq
def test_an_axiom_that_the_libraries_hold_is_seen():
    """`Classical` states an axiom: a proof that uses it is right for Rocq and not for us."""
    statement = Statement("P : Prop", ("~ ~ P",), "P")
    with Rocq(libraries=("ZArith", "Lia", "Classical")).open() as loaded:
        tasks = [Task(statement, "exact NNPP."), Task(RIGHT, "intros; lia.")]
        dishonest, honest = loaded.check_all(tasks)  # looked at together, told apart
    assert dishonest.status == "error" and dishonest.kind == "assumptions" and "classic" in dishonest.reason
    assert honest.status == "proved"


@needs_coq
def test_the_negation_is_proved_beside_the_statement(session):
    proof = "intros H. specialize (H 4). lia."
    assert session.check(WRONG, proof, negated=True) == ("refuted", "")
    assert session.check(RIGHT, proof, negated=True).status == "error"


@needs_coq
def test_contradictory_hypotheses_prove_false(session):
    statement = Statement("x : Z", ("x > 3", "x < 2"), "x = 7")
    assert session.check(contradiction(Rocq(), statement), "intros; lia.").status == "proved"
    assert session.check(contradiction(Rocq(), RIGHT), "intros; lia.").status == "error"


@needs_coq
@pytest.mark.parametrize(
    ("formula", "told"),
    [
        (Statement("x : Z", (), "x +"), "Syntax error"),
        (Statement("x : Z", ("y > 0",), "x = x"), "y was not found"),
        (Statement("x : Z", (), "x = true"), "has type"),
        (Statement("", (), "True. Axiom a : False"), "several sentences"),
        (Statement("", (), "True) (* "), "comments"),
        (Statement("", (), "1 = 1) /\\ (False"), None),
        (Statement("", (), "1 = 1)"), "brackets"),
        (Statement("", (), "([1 = 1)]"), "brackets"),
        (Statement("", (), "ltac:(exact True)"), "ltac"),
        (Statement("", (), "forall n : nat, n = n with Z : forall n : nat, True"), "Syntax error"),
        (Statement("x : Z", (), "Z"), "expected to have type"),
        (Statement("", (), "forall A : Type, A = A -> Prop"), "expected to have type"),
    ],
)
def test_a_statement_that_is_none_is_told(session, formula, told):
    (verdict,) = session.well_formed([formula])
    assert verdict.status == "error" and verdict.kind == "ill-formed statement"
    assert told is None or told in verdict.reason


@needs_coq
def test_a_statement_brings_no_second_theorem(session):
    """It would be called Z, and what is looked at together with this statement would speak of that."""
    second = Statement("", (), "forall n : nat, n = n with Z : forall n : nat, True")
    verdict = session.check(second, "intros; reflexivity. intros; exact I.")
    assert verdict.status == "error" and verdict.kind == "ill-formed statement"


@needs_coq
@pytest.mark.parametrize("variables", ["x : False", "(x : False)", "x : Empty_set"])
def test_a_type_without_members_is_a_contradiction(session, variables):
    """Whatever holds of all its members says nothing."""
    absurd = contradiction(Rocq(), Statement(variables, (), "1 = 2"))
    assert "proved" in [session.check(absurd, proof).status for proof in Rocq().refutations]
    assert session.check(contradiction(Rocq(), RIGHT), Rocq().refutations[0]).status == "error"


@needs_coq
@pytest.mark.parametrize(
    "loop",
    [
        "intros. repeat (assert (x = x) by reflexivity). lia.",
        "do 1000000000 (pose 1). lia.",
        "let rec f _ := f 0 in f 0.",
    ],
)
def test_a_proof_that_hangs_ends_and_the_next_is_unharmed(session, loop):
    verdict = session.check(RIGHT, loop)
    assert verdict.status == "timeout" or verdict.kind == MEMORY, verdict
    assert session.check(RIGHT, "intros; lia.").status == "proved"


@needs_coq
def test_a_proof_that_wants_fifty_gigabytes_gets_one(isolation):
    """2^(4 * 10^11) has fifty gigabytes; the limit ends the attempt, or the time does."""
    grow = "intros. let n := eval vm_compute in (Pos.shiftl 1 400000000000) in pose n. lia."
    with Rocq(seconds=30, memory_mb=700).open() as opened:
        verdict = opened.check(RIGHT, grow)
        assert verdict.status == "error" and verdict.kind in (MEMORY, "checker died"), verdict
        assert opened.check(RIGHT, "intros; lia.").status == "proved"


@needs_coq
def test_a_worker_that_is_killed_costs_no_later_proof(session):
    assert session.check(RIGHT, "intros; lia.").status == "proved"
    toplevel = session._free.get()
    os.killpg(toplevel._process.pid, signal.SIGKILL)
    session._free.put(toplevel)
    verdicts = session.check_all([Task(RIGHT, "intros; lia."), Task(RIGHT, "intros. lia.")])
    assert [verdict.status for verdict in verdicts] == ["proved", "proved"]


@needs_coq
def test_nothing_survives_from_one_proof_to_the_next(session):
    assert session.check(RIGHT, "intros; assert (trace : x = 4) by lia; exact trace.").status == "proved"
    assert session.check(RIGHT, "intros; exact trace.").status == "error"


@needs_coq
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_reference_proofs_are_accepted(session, family):
    theorems = [family.draw(Random(seed)) for seed in range(8)]
    verdicts = session.check_all(Task(theorem.statement, theorem.proof) for theorem in theorems)
    assert [verdict.status for verdict in verdicts] == ["proved"] * 8, verdicts


@needs_coq
@pytest.mark.long
def test_a_thousand_reference_proofs_are_accepted(session):
    theorems = [FAMILIES[n % len(FAMILIES)].draw(Random(n)) for n in range(1_000)]
    verdicts = session.check_all(Task(theorem.statement, theorem.proof) for theorem in theorems)
    assert [verdict for verdict in verdicts if verdict.status != "proved"] == []


def test_a_missing_checker_is_told_with_its_mend(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get install coq"):
        Rocq().open()


@given(st.text(max_size=60))
def test_no_text_with_a_capital_at_the_start_of_a_sentence_passes(text):
    if refusal_of_proof(proof_body(text)) is None:
        sentences = re.split(r"\.\s", proof_body(text))
        assert not any(re.match(r"[\s+*{}-]*[A-Z]", sentence) for sentence in sentences)


NAMES = st.sampled_from(["x = y", "x > 0", "(x > 0 -> y > 0)", "x + y = 3", "(3 | x)", "x <-> y", "x = 1 \\/ y = 2"])


@given(st.lists(NAMES, max_size=3), NAMES)
def test_a_formula_is_read_as_it_was_written(hypotheses, conclusion):
    statement = Statement("x y : Z", tuple(hypotheses), conclusion)
    assert Rocq().read(Rocq().written(statement)) == statement
    assert refusal_of_formula(Rocq().written(statement)) is None


def test_a_hypothesis_that_reaches_on_stands_in_brackets():
    both = Statement("x : Z", ("exists2 y : Z, y = x & y > 0",), "x > 0")
    assert Rocq().written(both) == "forall x : Z, (exists2 y : Z, y = x & y > 0) -> x > 0"
    statement = Statement("x : Z", ("exists y : Z, y = x", "x > 0 -> x > 1", "x = 2"), "x > 0")
    assert Rocq().written(statement) == "forall x : Z, (exists y : Z, y = x) -> (x > 0 -> x > 1) -> x = 2 -> x > 0"

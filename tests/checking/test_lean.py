"""The Lean checker against recorded exchanges: what is sent, and what each kind of answer means."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.checking.base import Task, contradiction
from src.checking.lean import FORBIDDEN, Lean, _code
from src.core.errors import UserError
from src.theorems.lean import declarations
from src.theorems.statement import Statement

REPL = Path(__file__).with_name("repl.py")
RIGHT = Statement("x : ℤ", ("2 * x + 3 = 11",), "x = 4")
WHERE = {"pos": {"line": 2, "column": 2}, "endPos": {"line": 2, "column": 8}}


def message(severity, data):
    return {"severity": severity, **WHERE, "data": data}


def axioms_of(name, env, told):
    return {"cmd": f"#print axioms {name}", "env": env, "reply": {"messages": [message("info", told)], "env": 99}}


def axioms(env, told):
    return axioms_of("checked_goal", env, told)


EXCHANGES = [
    {"cmd": "import Mathlib", "reply": {"env": 0}},
    {"cmd": "by\n  intros; omega", "reply": {"env": 1}},
    axioms(1, "'checked_goal' depends on axioms: [propext, Quot.sound]"),
    {"cmd": "by\n  exact trivial", "reply": {"env": 2}},
    axioms(2, "'checked_goal' does not depend on any axioms"),
    {"cmd": "by\n  exact hidden", "reply": {"env": 3}},
    axioms(3, "'checked_goal' depends on axioms: [propext, sorryAx, Cheat.axiom]"),
    {"cmd": "by\n  simp", "reply": {"messages": [message("error", "simp made no progress")], "env": 4}},
    {
        "cmd": "by\n  exact?",
        "reply": {
            "messages": [message("warning", "declaration uses 'sorry'")],
            "sorries": [{**WHERE, "goal": "⊢ Nat"}],
            "env": 5,
        },
    },
    {"cmd": "by\n  loop", "sleep": 30, "reply": {"env": 6}},
    {"cmd": "by\n  crash", "die": True},
    {"cmd": "by\n  quiet", "reply": {"env": 7}},
    {"cmd": "#print axioms checked_goal", "env": 7, "reply": {"env": 8}},
    {"cmd": "by\n  lost", "reply": {"message": "Unknown environment."}},
    {"cmd": "x = 4 := by sorry", "reply": {"messages": [message("warning", "declaration uses 'sorry'")], "env": 9}},
    {"cmd": "y = 4 := by sorry", "reply": {"messages": [message("error", "unknown identifier 'y'")], "env": 10}},
]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "lean-toolchain").write_text("leanprover/lean4:v4.7.0-rc2\n")
    (tmp_path / "lake-manifest.json").write_text("{}\n")
    (tmp_path / "exchanges.json").write_text(json.dumps(EXCHANGES))
    return tmp_path


@pytest.fixture
def checker(project):
    command = (sys.executable, str(REPL), str(project / "exchanges.json"))
    return Lean(str(project), command=command, seconds=10, programs="unisolated")


def sent(project):
    return [json.loads(line) for line in (project / "exchanges.log").read_text().splitlines()]


@pytest.mark.parametrize(
    ("proof", "status", "reason"),
    [
        ("intros; omega", "proved", ""),
        ("exact trivial", "proved", ""),
        ("exact hidden", "error", "assumptions"),
        ("simp", "error", "no proof"),
        ("exact?", "error", "assumptions"),
        ("crash", "error", "checker died"),
        ("quiet", "error", "assumptions"),
        ("lost", "error", "no proof"),
    ],
)
def test_an_answer_of_lean_is_a_verdict(checker, proof, status, reason):
    with checker.open() as session:
        verdict = session.check(RIGHT, proof)
        assert (verdict.status, verdict.kind) == (status, reason), verdict
        assert session.check(RIGHT, "intros; omega").status == "proved"  # whatever was before


def test_a_proof_that_does_not_end_is_ended(checker, project):
    quick = Lean(str(project), command=checker.command, seconds=0.5, programs="unisolated")
    with quick.open() as session:
        assert session.check(RIGHT, "loop").status == "timeout"


def test_every_proof_begins_in_the_environment_of_the_imports(checker, project):
    with checker.open() as session:
        session.check_all([Task(RIGHT, "intros; omega"), Task(RIGHT, "exact trivial")])
    imports, *rest = sent(project)
    assert imports == {"cmd": "import Mathlib"}
    theorems = [command for command in rest if "theorem" in command["cmd"]]
    assert [command["env"] for command in theorems] == [0, 0]
    assert theorems[0]["cmd"] == (
        "set_option maxHeartbeats 400000\nopen Nat Real\n\n"
        "theorem checked_goal : ∀ x : ℤ, 2 * x + 3 = 11 → x = 4 := by\n  intros; omega"
    )


def test_the_negation_is_stated_as_such(checker, project):
    with checker.open() as session:
        assert session.check(RIGHT, "exact trivial", negated=True) == ("refuted", "")
    assert any("¬ (∀ x : ℤ, 2 * x + 3 = 11 → x = 4) := by" in command["cmd"] for command in sent(project))


def test_statements_are_tried_before_they_are_proved(checker):
    with checker.open() as session:
        good, bad, cheat = session.well_formed(
            [RIGHT, Statement("x : ℤ", (), "y = 4"), Statement("", (), "True := trivial\naxiom a : False")]
        )
    assert good.status == "proved"
    assert (bad.status, bad.kind) == (cheat.status, cheat.kind) == ("error", "ill-formed statement")


(PUBLISHED,) = declarations(
    """import Mathlib
import Aesop

set_option maxHeartbeats 0
open Real Nat

abbrev b1_solution : ℕ := sorry
-- 4
theorem b1 (x : ℕ) (h : 2 * x + 3 = 11) : x = b1_solution := by sorry"""
)
LIBRARY = [
    {"cmd": "import Mathlib\nimport Aesop", "reply": {"env": 0}},
    {"cmd": "by\n  omega\n  done", "reply": {"env": 1}},
    axioms_of("b1", 1, "'b1' depends on axioms: [propext]"),
    {"cmd": "theorem b1 : ¬ (∀ (x : ℕ) (h : 2 * x + 3 = 11), x = b1_solution) := by", "reply": {"env": 2}},
    axioms_of("b1", 2, "'B.b1' does not depend on any axioms"),
    {"cmd": "theorem b1 (x : ℕ) (h : 2 * x + 3 = 11) : False := by sorry", "reply": {"env": 3}},
    {"cmd": "by\n  exact left_open", "reply": {"env": 4}},
    axioms_of("b1", 4, "'b1' depends on axioms: [sorryAx]"),
]


def test_a_theorem_of_a_library_is_stated_as_it_was_published_over_its_own_imports(checker, project):
    (project / "exchanges.json").write_text(json.dumps(LIBRARY + EXCHANGES))
    with checker.open() as session:
        tasks = [
            Task(PUBLISHED, "omega\ndone"),
            Task(PUBLISHED, "omega", negated=True),
            Task(PUBLISHED, "exact left_open"),
        ]
        right, negation, open_answer = session.check_all(tasks)
        assert (right, negation) == (("proved", ""), ("refuted", ""))
        assert (open_answer.status, open_answer.kind) == ("error", "assumptions")
        assert session.well_formed([contradiction(checker, PUBLISHED)])[0].status == "proved"
        assert session.check(RIGHT, "exact trivial").status == "proved"  # over the checker's own
    imports, first, *rest = sent(project)
    assert imports == {"cmd": "import Mathlib\nimport Aesop"}
    assert first == {
        "cmd": "set_option maxHeartbeats 400000\nset_option maxHeartbeats 0\nopen Real Nat\n"
        "abbrev b1_solution : ℕ :=\n   4\n\n"
        "theorem b1 (x : ℕ) (h : 2 * x + 3 = 11) : x = b1_solution := by\n  omega\n  done",
        "env": 0,
    }
    assert [command["cmd"] for command in rest if command["cmd"].startswith("import")] == ["import Mathlib"]


def test_a_proof_of_a_published_theorem_may_cheat_no_better(checker, project):
    with checker.open() as session:
        verdicts = session.check_all(Task(PUBLISHED, cheat) for cheat in CHEATS)
    assert {(verdict.status, verdict.kind) for verdict in verdicts} == {("error", "refused")}
    assert not (project / "exchanges.log").exists()


def test_imports_that_lean_does_not_find_are_told(checker, project):
    unknown = {"messages": [message("error", "unknown module prefix 'Mathlib'")], "env": 0}
    (project / "exchanges.json").write_text(json.dumps([{"cmd": "import Mathlib", "reply": unknown}]))
    with checker.open() as session, pytest.raises(UserError, match="did not take import Mathlib: unknown module"):
        session.check(RIGHT, "intros; omega")


def test_a_proof_that_wants_more_memory_than_it_may_have_costs_no_later_one(checker, project):
    small = replace(checker, memory_mb=512)
    (project / "exchanges.json").write_text(json.dumps([*EXCHANGES, {"cmd": "by\n  hoard", "allocate": 4 << 30}]))
    with small.open() as session:
        assert session.check(RIGHT, "hoard") == ("error", "checker died")
        assert session.check(RIGHT, "intros; omega").status == "proved"


CHEATS = [
    "sorry", "admit", "native_decide", "run_tac pure ()", "intros\nend\naxiom a : False",
    "set_option debug.skipKernelTC true in trivial", "trivial\n#eval 1", "trivial\n\naxiom a : False",
    "trivial\nmacro \"omega\" : tactic => `(tactic| sorry)", "trivial\nnotation \"ℤ\" => Bool",
    "trivial\n@[simp] theorem t : False := t", "trivial\nimport Cheat", "trivial\nunsafe def f : Nat := f",
    "trivial\nlocal instance : Inhabited False := ⟨f⟩", "exact by_elab do Lean.addDecl bad", "trivial\nrun_meta bad",
]  # fmt: skip


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_does_not_even_reach_lean(checker, project, cheat):
    with checker.open() as session:
        verdict = session.check(RIGHT, cheat)
    assert verdict.status == "error" and verdict.kind == "refused"
    assert not (project / "exchanges.log").exists()


@given(
    st.sampled_from(
        ["linarith", "nlinarith [sq_nonneg (x - 1)]", "intro h\n  exact h.end_eq", "rcases h with ⟨k, rfl⟩", "simp_all"]
    )
)
def test_an_honest_proof_is_not_refused(proof):
    assert not FORBIDDEN.search(proof)


@pytest.mark.parametrize(
    ("proof", "refused"),
    [
        ("-- by the theorem of Pythagoras\nnlinarith", False),
        ("/- We open the /- absolute -/ value -/\nsimp", False),
        ("-- Step #1\nring", False),
        ("/- ends -/ sorry", True),
        ("-- a comment\nsorry -- another", True),
        ('let s := "/-"\nsorry\nlet t := "-/"', True),  # no comment: a string
        ("rcases h with «/-»\nsorry -- -/", True),
    ],
)
def test_the_words_of_a_comment_are_no_commands(proof, refused):
    assert bool(FORBIDDEN.search(_code(proof))) == refused


PARTS = st.sampled_from(["x = y", "0 < x", "(x > 0 → y > 0)", "3 ∣ x", "x = 1 ∨ y = 2"])


@given(st.lists(PARTS, max_size=3), PARTS)
def test_a_formula_is_read_as_it_was_written(hypotheses, conclusion):
    statement, lean = Statement("x y : ℤ", tuple(hypotheses), conclusion), Lean("somewhere")
    assert lean.read(lean.written(statement)) == statement


def test_a_hypothesis_that_reaches_on_stands_in_brackets():
    statement = Statement("x : Nat", ("∀ y, y > x", "a → b"), "x = 0")
    assert Lean("somewhere").written(statement) == "∀ x : Nat, (∀ y, y > x) → (a → b) → x = 0"


def test_what_is_missing_is_told(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no Lake project"):
        Lean(str(tmp_path), command=(sys.executable,)).identity()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs lake"):
        Lean(str(tmp_path)).identity()


def test_the_version_is_part_of_a_key(checker, project):
    before = checker.identity()
    (project / "lean-toolchain").write_text("leanprover/lean4:v4.9.0\n")
    assert checker.identity() != before

"""The loop of the prover over a library of theorems in Lean, with a REPL that answers recorded exchanges."""

import json
import sys
from pathlib import Path

import pytest

from src.checking.lean import Lean
from src.core.records import Prediction, Problem, read_table
from src.stages.prove import ExamineProver, Prove
from src.stages.theorems import Consistent, Theorems, WellFormed, goal
from src.stages.translate import Translate
from src.theorems.posed import Posed
from tests.stages.test_theorems import Scripted, context

REPL = Path(__file__).parents[1] / "checking" / "repl.py"
HEADER = "import Mathlib\nopen Nat\n\n"
DONE, FAILED = {"env": 1}, {"messages": [{"severity": "error", "data": "linarith failed"}], "env": 1}
AXIOMS = {"messages": [{"severity": "info", "data": "'t' depends on axioms: [propext]"}], "env": 2}


def row(name, claim, **more):
    return {"name": name, "header": HEADER, "formal_statement": f"theorem {name} {claim} := by sorry", **more}


SOUND = row("sound", "(x : ℕ) (h : x = 4) : x < 5", informal_prefix="/-- Four is less than five. -/")
WRONG = row("wrong", "(x : ℕ) : x < 5")
ABSURD = row("absurd", "(x : ℕ) (h : x < 3) (k : x > 3) : x = 7")
ILL = row("ill", "(x : ℕ) : y < 5")
PROVED = row("proved", ": 1 + 1 = 2", formal_proof="  norm_num")
ASKED = row("asked", "(n : ℕ) :\n    n + 0 = n")
SAME = row("same", "(n : ℕ) : n + 0 = n")
EXCHANGES = [
    {"cmd": "import Mathlib", "reply": {"env": 0}},
    *({"cmd": f"#print axioms {name}", "reply": {**AXIOMS, "messages": [
        {"severity": "info", "data": f"'{name}' depends on axioms: [propext]"}]}}
      for name in ("sound", "wrong", "absurd", "asked")),
    {"cmd": "theorem ill (x : ℕ) : y < 5 := by sorry", "reply": FAILED},
    {"cmd": ":= by sorry", "reply": DONE},
    {"cmd": "(k : x > 3) : False := by\n  omega", "reply": DONE},
    {"cmd": "x < 5 := by\n  subst h\n  norm_num", "reply": DONE},
    {"cmd": "¬ (∀ (x : ℕ), x < 5) := by\n  intro h\n  exact absurd (h 9) (by norm_num)", "reply": DONE},
    {"cmd": "n + 0 = n := by\n  simp", "reply": DONE},
    {"cmd": "theorem", "reply": FAILED},
]  # fmt: skip


@pytest.fixture
def checker(tmp_path):
    (tmp_path / "lean-toolchain").write_text("leanprover/lean4:v4.9.0\n")
    (tmp_path / "lake-manifest.json").write_text("{}\n")
    (tmp_path / "exchanges.json").write_text(json.dumps(EXCHANGES))
    command = (sys.executable, str(REPL), str(tmp_path / "exchanges.json"))
    return Lean(str(tmp_path), command=command, programs="unisolated")


def library(tmp_path, name, *rows):
    path = tmp_path / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return str(path)


def test_theorems_of_a_library_are_filtered_proved_refuted_and_asked(checker, tmp_path):
    exam = library(tmp_path, "exam", ASKED)
    posed = context(tmp_path / "posed")
    known = library(tmp_path, "known", PROVED, SOUND, WRONG, ABSURD, ILL, SAME)
    Theorems(checker, n=9, after=5, error_rate=0.5, library=known, held_out=exam).run(posed)
    posed.tally.check()
    assert posed.tally.rejected == {"asked in the exam": 1}  # by what it claims, not by its name
    (worked,) = read_table(posed.out / "problems", Problem)
    assert worked.question.endswith("theorem proved : 1 + 1 = 2 := by") and worked.solution == "  norm_num"

    stated = context(tmp_path / "stated", statements=posed.out)
    sifted = context(tmp_path / "sifted", statements=stated.out)
    for stage, ctx, reason in (
        (WellFormed(checker), stated, "ill-formed statement"),
        (Consistent(checker), sifted, "False follows from the hypotheses"),
    ):
        stage.run(ctx)
        ctx.tally.check()
        assert ctx.tally.rejected == {reason: 1}
    rows = {row.name: row for row in read_table(sifted.out / "statements", Posed)}
    assert list(rows) == ["proved", "sound", "wrong"]
    assert rows["sound"].text == "Four is less than five."

    proofs = {
        goal(checker, rows["sound"], False): "  subst h\n  norm_num\n",
        goal(checker, rows["wrong"], True): "```lean4\nintro h\nexact absurd (h 9) (by norm_num)\n```",
    }
    found = context(tmp_path / "found", statements=sifted.out, prover=tmp_path)
    Prove(checker, Scripted(proofs, []), attempts=1).run(found)
    found.tally.check()
    settled = {row.prompt_id: row for row in read_table(found.out / "problems", Problem)}
    assert settled[rows["sound"].id].answer == "proved" and settled[rows["wrong"].id].answer == "refuted"
    assert settled[rows["wrong"].id].solution == "intro h\nexact absurd (h 9) (by norm_num)"
    assert rows["proved"].id not in settled

    asked = context(tmp_path / "asked", pretrain=tmp_path)
    stage = ExamineProver(checker, Scripted({}, []), n=5, samples=2, library=exam)
    stage.run(asked)
    assert asked.summary["theorems/accuracy"] == 0.0
    (prediction,) = read_table(asked.out / "predictions", Prediction)
    simple = context(tmp_path / "simple", pretrain=tmp_path, earlier_0=asked.out)
    ExamineProver(checker, Scripted({prediction.prompt.strip(): "  simp"}, []), n=5, samples=2, library=exam).run(
        simple
    )
    assert simple.summary["theorems/cumulative"] == simple.summary["theorems/accuracy"] == 1.0


@pytest.mark.parametrize("stage", [Prove, ExamineProver, Translate])
def test_a_temperature_below_0_is_refused_before_the_model_is_started(checker, tmp_path, stage):
    exam = {"library": library(tmp_path, "a", SOUND)} if stage is ExamineProver else {}
    with pytest.raises(ValueError, match="temperature must be at least 0"):
        stage(checker, Scripted({}, []), temperature=-0.1, **exam)


def test_another_library_is_another_key(checker, tmp_path):
    one = Theorems(checker, n=9, library=library(tmp_path, "a", SOUND)).identity()
    same = Theorems(checker, n=9, library=library(tmp_path, "b", SOUND)).identity()
    other = Theorems(checker, n=9, library=library(tmp_path, "a", WRONG)).identity()
    assert one == same != other


def test_lean_without_a_library_and_a_library_without_lean_are_refused(checker):
    with pytest.raises(ValueError, match=r"for Lean, set worked\.library"):
        Theorems(checker, n=9)
    with pytest.raises(ValueError, match=r"for Lean, set worked\.library"):
        ExamineProver(checker, Scripted({}, []))

"""Statements that a model makes of words: what is kept of them, and what is not believed."""

import shutil

import pytest

from src.checking.lean import Lean
from src.checking.rocq import Rocq
from src.core.records import Problem, read_table, write_table
from src.stages.theorems import Theorems, WellFormed, stated, translation_question, translation_row
from src.stages.translate import Translate
from src.text.parsing import plain_prompt
from src.theorems.posed import MISTRANSLATED, Posed, of_library, posed_problems
from src.theorems.statement import Declaration
from tests.stages.test_theorems import Scripted, context

ROWS = posed_problems(24, seed=3)
needs_rocq = pytest.mark.skipif(not shutil.which("coqtop"), reason="Rocq is not installed: apt-get install coq")
pytestmark = [pytest.mark.usefixtures("isolation"), needs_rocq]


def translated(tmp_path, answers, rows=ROWS, **options):
    """The context of a stage whose model gives the answers in the rows' order."""
    checker = Rocq()
    asked = {plain_prompt(translation_question(checker, row)).strip(): text for row, text in zip(rows, answers)}
    write_table(tmp_path / "statements", Posed, rows)
    ctx = context(tmp_path / "of", statements=tmp_path, prover=tmp_path)
    Translate(checker, Scripted(asked, []), **options).run(ctx)
    ctx.tally.check()
    return ctx


def test_what_was_meant_is_told_from_what_was_not(tmp_path):
    formulas = [stated(Rocq(), row) for row in ROWS]
    answers = [*formulas[:20], "forall x : Z, x + 0 = x", " ", "forall x : Z, x + 0 = x", formulas[0]]
    ctx = translated(tmp_path, answers)
    made = list(read_table(ctx.out / "statements", Posed))
    assert ctx.tally.rejected == {"no statement in the answer": 1, "stated before": 2}
    assert ctx.summary["as_meant/hits"] == 20 and [row.fault for row in made] == [""] * 20 + [MISTRANSLATED]
    assert [stated(Rocq(), row) for row in made[:20]] == formulas[:20]
    assert [row.proof for row in made[:20]] == [row.proof for row in ROWS[:20]]
    assert made[20].proof is None and made[20].text == ROWS[20].text
    assert len({row.id for row in (*made, *ROWS)}) == len(made) + len(ROWS)


def test_statements_that_differ_in_their_hypotheses_alone_are_two(tmp_path):
    answers = ["forall x : Z, 2 * x = 8 -> x = 4", "forall x : Z, 3 * x = 12 -> x = 4", "forall x : Z, x = 4"]
    ctx = translated(tmp_path, answers, ROWS[:3])
    assert [row.hypotheses for row in read_table(ctx.out / "statements", Posed)] == [["2 * x = 8"], ["3 * x = 12"], []]


def test_a_statement_of_the_exam_is_not_taken_by_mistake(tmp_path):
    exam = posed_problems(5, seed=0, part="exam")
    ctx = translated(tmp_path, [stated(Rocq(), row) for row in exam], ROWS[:5])
    assert ctx.tally.rejected == {"asked in the exam": 5}


def test_a_killed_translation_asks_nothing_twice(tmp_path):
    write_table(tmp_path / "statements", Posed, ROWS)
    calls: list[str] = []
    stage = Translate(Rocq(), Scripted({}, calls))
    for _ in range(2):
        stage.run(context(tmp_path / "of", statements=tmp_path, prover=tmp_path))
    assert len(calls) == len(ROWS)


@pytest.mark.parametrize(
    "text",
    [
        "forall x : Z, x = x. Axiom all : False",
        "forall x : Z, x = x. Admitted",
        "forall x : Z, x = x) -> (False",
        "forall x : Z, ltac:(exact (x = x))",
        "forall x : Z, let y := 1 in",
        'forall x : Z, x = x. Redirect "there" Check 1',
    ],
)
def test_a_model_states_nothing_but_a_formula(tmp_path, text):
    ctx = translated(tmp_path, [text, "forall x : Z, x * 1 = x"], ROWS[:2])
    checked = context(tmp_path / "checked", statements=ctx.out)
    WellFormed(Rocq()).run(checked)
    (row,) = read_table(checked.out / "statements", Posed)
    assert row.conclusion == "x * 1 = x"


def test_worked_problems_also_teach_how_the_right_ones_are_stated(tmp_path):
    ctx = context(tmp_path)
    Theorems(Rocq(), n=40, error_rate=0.5, translations=True).run(ctx)
    rows = {row.id: row for row in read_table(ctx.out / "statements", Posed)}
    told = [row for row in read_table(ctx.out / "problems", Problem) if row.answer == "translated"]
    assert {row.prompt_id for row in told} == {row.id for row in rows.values() if not row.fault}
    assert all(Rocq().read(row.solution) == rows[row.prompt_id].statement for row in told)
    assert told[0].question.startswith("State in Rocq: ")


def test_of_a_library_the_claim_is_told_and_a_model_s_claim_is_not_trusted():
    declared = Declaration("t", "import Mathlib", "def two := 2", "(x : ℝ) (h : 2 * x = 4)", "x = 2", "Solve 2x = 4.")
    row = of_library(declared, "library")
    lean = Lean(project="somewhere")
    assert translation_row(lean, row).solution == "∀ (x : ℝ) (h : 2 * x = 4), x = 2"
    made = Translate(lean, Scripted({}, []))._translated(row, "```\n∀ (x : ℝ) (h : 2 * x = 4), x = 2\n```")
    assert made is not None and made.name == made.header == made.context == ""
    assert stated(lean, made).endswith("x = 2") and made.text == row.text

"""Source texts of Lean in the forms in which miniF2F, ProofNet and PutnamBench are published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.theorems.lean import declarations, negated, signature, source, without_comments
from src.theorems.statement import Declaration

MINIF2F = """import Mathlib

set_option maxHeartbeats 0

open BigOperators Real Nat Topology Rat

theorem mathd_algebra_1 (x y : ℝ) (h₀ : 2 * x = 7)
    (h₁ : x + y = 5) : x = 7 / 2 ∧ y = 3 / 2 := by sorry"""
PUTNAM = """import Mathlib

open Set

noncomputable abbrev putnam_2030_a1_solution : ℕ → ℝ := sorry
-- fun n ↦
--   n / 2
/--
Find the sum of $n$ halves.
-/
theorem putnam_2030_a1
    (f : ℕ → ℝ) -- the sum
    (hf : ∀ n : ℕ, f n = n / 2) :
    ∀ n, f n = putnam_2030_a1_solution n :=
  sorry
"""
SEVERAL = """import Mathlib
open scoped BigOperators
noncomputable section

def tripled (n : ℕ) : ℕ := 3 * n

lemma tripled_zero : tripled 0 = 0 := rfl

theorem exercise_1 (n : ℕ) : 3 ∣ tripled n :=
sorry

theorem exercise_2 : ∃ x : ℚ, x ^ 2 = 4 :=
  by sorry

instance exercise_3 {G : Type*} [Group G] (h : ∀ g : G, g * g = 1) : CommGroup G := sorry

end
"""


def test_imports_options_and_openings_stand_apart_from_the_theorem():
    (found,) = declarations(MINIF2F)
    assert found == Declaration(
        "mathd_algebra_1",
        "import Mathlib\nset_option maxHeartbeats 0\nopen BigOperators Real Nat Topology Rat",
        "",
        "(x y : ℝ) (h₀ : 2 * x = 7)\n    (h₁ : x + y = 5)",
        "x = 7 / 2 ∧ y = 3 / 2",
    )


def test_the_answer_that_a_comment_tells_takes_the_place_of_sorry():
    (found,) = declarations(PUTNAM)
    assert found.header == "import Mathlib\nopen Set"
    answer = "\n   fun n ↦\n     n / 2"  # indented as in the comment
    assert found.context == f"noncomputable abbrev putnam_2030_a1_solution : ℕ → ℝ :={answer}"
    assert found.informal == "Find the sum of $n$ halves."
    assert found.binders == "(f : ℕ → ℝ)\n    (hf : ∀ n : ℕ, f n = n / 2)"
    assert found.conclusion == "∀ n, f n = putnam_2030_a1_solution n"


def test_an_answer_that_no_comment_tells_stays_open():
    (found,) = declarations("abbrev a_solution : ℕ := sorry\n\ntheorem a : 1 = a_solution := sorry")
    assert found.context == "abbrev a_solution : ℕ := sorry"


def test_each_theorem_of_a_file_has_the_definitions_and_lemmas_before_it_and_no_other_theorem():
    first, second, third = declarations(SEVERAL)
    assert first.header == second.header == "import Mathlib\nopen scoped BigOperators\nnoncomputable section"
    assert first.context == third.context
    assert "def tripled" in first.context and "lemma tripled_zero : tripled 0 = 0 := rfl" in first.context
    assert (second.binders, second.conclusion) == ("", "∃ x : ℚ, x ^ 2 = 4")
    assert third.keyword == "instance" and third.conclusion == "CommGroup G"


@pytest.mark.parametrize("ending", [":=", ":= by", ":= by\n", ":= sorry", ":=\n  by sorry", ":= by\n  sorry\n"])
def test_what_is_left_to_prove_may_end_in_several_ways(ending):
    (found,) = declarations(f"theorem t (n : ℕ) : n + 0 = n {ending}")
    assert (found.binders, found.conclusion) == ("(n : ℕ)", "n + 0 = n")


def test_what_is_proved_is_not_asked():
    assert not list(declarations("theorem t : 1 = 1 := rfl\n\ntheorem u : 2 = 2 := by\n  norm_num\n"))


def test_a_definition_may_be_what_is_asked_for():
    (found,) = declarations("noncomputable def e {A B : Type*} [Group A] [Group B] :\n  A × B ≃* B × A :=")
    assert signature(found) == "noncomputable def e {A B : Type*} [Group A] [Group B] : A × B ≃* B × A"


def test_a_theorem_without_a_conclusion_is_told():
    with pytest.raises(ValueError, match="t has no conclusion"):
        list(declarations("theorem t (f_a := sorry"))


def test_a_prover_is_shown_the_whole_up_to_its_own_first_word():
    (found,) = declarations(PUTNAM)
    shown = source(found)
    assert shown.startswith("import Mathlib\nopen Set\n\nnoncomputable abbrev")
    assert shown.endswith("∀ n, f n = putnam_2030_a1_solution n := by\n")
    assert "sorry" not in shown
    (again,) = declarations(shown)
    assert again == found


def test_the_negation_is_of_all_that_is_claimed():
    (found,) = declarations(MINIF2F)
    assert signature(negated(found)) == (
        "theorem mathd_algebra_1 : ¬ (∀ (x y : ℝ) (h₀ : 2 * x = 7)\n    (h₁ : x + y = 5), x = 7 / 2 ∧ y = 3 / 2)"
    )
    (bare,) = declarations("theorem t : 1 = 2 := sorry")
    assert signature(negated(bare)) == "theorem t : ¬ (1 = 2)"


@given(st.text(alphabet="ab-/ \n", max_size=60))
def test_without_comments_every_character_keeps_its_place(text):
    bare = without_comments(text)
    assert len(bare) == len(text)
    assert all(new in (old, " ") for old, new in zip(text, bare, strict=True))
    assert bare.count("\n") == text.count("\n")


def test_block_comments_nest_and_line_comments_end_with_the_line():
    assert without_comments("a /- b /- c -/ d -/ e -- f -/\ng") == "a                   e        \ng"

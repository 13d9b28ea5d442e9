"""Formulas taken apart: what is a hypothesis, and what a quantifier holds together."""

import pytest

from src.checking.base import contradiction
from src.checking.lean import Lean
from src.checking.rocq import Rocq
from src.theorems.statement import Statement

ROCQ, LEAN = Rocq(), Lean("somewhere")


@pytest.mark.parametrize(
    ("checker", "formula", "variables", "hypotheses", "conclusion"),
    [
        (ROCQ, "forall x:Z, x > 0 -> x >= 1", "x:Z", ["x > 0"], "x >= 1"),
        (ROCQ, "forall x y, x = y -> y = x", "x y", ["x = y"], "y = x"),
        (ROCQ, "forall (f : Z -> Z) (x : Z), f x = 1 -> f x > 0", "(f : Z -> Z) (x : Z)", ["f x = 1"], "f x > 0"),
        (ROCQ, "forall x : Z, exists y : Z, y > x -> y > 0", "x : Z", [], "exists y : Z, y > x -> y > 0"),
        (ROCQ, "forall x : Z, (exists y : Z, y > x) -> x > 0", "x : Z", ["(exists y : Z, y > x)"], "x > 0"),
        (ROCQ, "x > 0 -> forall y : Z, y > 0 -> y > x", "", ["x > 0"], "forall y : Z, y > 0 -> y > x"),
        (ROCQ, "forall x : Z, forall y : Z, x > y -> y < x", "x : Z, forall y : Z", ["x > y"], "y < x"),
        (ROCQ, "forall x : Z, x = 1 <-> x - 1 = 0 -> x > 0", "x : Z", ["x = 1 <-> x - 1 = 0"], "x > 0"),
        (LEAN, "∀ y : ℝ, ∃ x : ℝ, x > y → x > 0", "y : ℝ", [], "∃ x : ℝ, x > y → x > 0"),
        (LEAN, "∀ (f : ℕ → ℕ) (h : ∀ n, f n = n), f 2 = 2", "(f : ℕ → ℕ) (h : ∀ n, f n = n)", [], "f 2 = 2"),
        (LEAN, "∀ (x : ℝ) (h : x ∈ ({1, 2} : Set ℝ)), x > 0", "(x : ℝ) (h : x ∈ ({1, 2} : Set ℝ))", [], "x > 0"),
        (LEAN, "∀ ⦃a b : ℕ⦄, ⟨a, b⟩ = p → a = p.1", "⦃a b : ℕ⦄", ["⟨a, b⟩ = p"], "a = p.1"),
        (LEAN, "∀ x : ℕ, x > 0 → x > 1 ↔ x ≠ 1", "x : ℕ", [], "x > 0 → x > 1 ↔ x ≠ 1"),
        (LEAN, "∀ x : ℕ, (x > 1 ↔ x = 2) → x < 3", "x : ℕ", ["(x > 1 ↔ x = 2)"], "x < 3"),
        (LEAN, "∀ᶠ x in f, 0 < x → 0 < g x", "", [], "∀ᶠ x in f, 0 < x → 0 < g x"),
    ],
)
def test_a_formula_is_taken_apart_as_its_language_reads_it(checker, formula, variables, hypotheses, conclusion):
    statement = Statement(variables, tuple(hypotheses), conclusion)
    assert checker.read(formula) == statement
    assert checker.written(statement) == formula


@pytest.mark.parametrize("formula", ["", "forall x : Z", "forall x : Z,", "forall x : Z, x > 0 ->", "-> x = x"])
def test_half_a_formula_is_none(formula):
    assert ROCQ.read(formula) is None


def test_the_hypotheses_of_a_formula_with_a_comma_in_its_variables_can_be_tried_alone():
    stated = LEAN.read("∀ (f : ℕ → ℕ) (h : ∀ n, f n = n) (k : f 0 = 1), f 2 = 2")
    assert stated is not None
    assert LEAN.written(contradiction(LEAN, stated)) == "∀ (f : ℕ → ℕ) (h : ∀ n, f n = n) (k : f 0 = 1), False"

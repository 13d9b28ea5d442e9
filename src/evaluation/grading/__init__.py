r"""Grading: is the answer the gold answer?

    grade(gold="\\frac{1}{2}", answer="0.5")      # Verdict(True, "number")

Both sides are read into one typed value each (`reading`: a number, a quantity with its unit, a set, an interval, an
equation, ...) and compared by the rules of their types (`comparison`). Rational numbers are compared exactly, other
numbers to 90 digits, formulas by their values at sample points (Schwartz, "Fast probabilistic algorithms for
verification of polynomial identities", 1980). Nothing is simplified and every step is bounded, so no answer can hang
or crash the grader.
"""

from src.evaluation.grading.grader import (
    CORRECT,
    UNJUDGED,
    WRONG,
    Grader,
    Pair,
    Verdict,
    as_number,
    grade,
    grader_version,
    vote_key,
)

__all__ = [
    "CORRECT",
    "UNJUDGED",
    "WRONG",
    "Grader",
    "Pair",
    "Verdict",
    "as_number",
    "grade",
    "grader_version",
    "vote_key",
]

"""Formulas of a formal language as text: variables, hypotheses and conclusion, put together and taken apart again.

    forall x y : Z, x > y -> y > 0 -> x > 0

What a quantifier binds reaches as far to the right as it can. So an arrow behind one, as in
`exists y : Z, y > x -> y > 0`, parts no hypothesis from the conclusion, unless brackets end the quantifier before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from src.theorems.statement import Statement

_OPENING, _CLOSING = "([{⟨⦃", ")]}⟩⦄"


@dataclass(frozen=True)
class FormulaSyntax:
    """forall: the universal quantifier, and `quantified` what a formula begins with that has one; arrow: implication.
    binders: what reaches to the end of the formula, or of the brackets around it. equivalence: its sign where arrows
    bind tighter than it does, else None."""

    forall: str
    quantified: re.Pattern[str]
    arrow: str
    binders: re.Pattern[str]
    equivalence: str | None = None

    def written(self, statement: Statement) -> str:
        """One formula. Hypotheses stand in brackets where what follows would be read into them."""
        hypotheses = [f"({part})" if self._reaches_on(part) else part for part in statement.hypotheses]
        body = f" {self.arrow} ".join([*hypotheses, statement.conclusion])
        return f"{self.forall} {statement.variables}, {body}" if statement.variables else body

    def read(self, formula: str) -> Statement | None:
        """The inverse of `written`; None where a part is missing. Of several quantifiers in a row all variables are the
        statement's."""
        rest, variables = formula.strip(), list[str]()
        while found := self.quantified.match(rest):
            comma = next((place for place in _outside(rest) if rest[place] == ","), None)
            if comma is None:
                return None
            variables.append(rest[found.end() : comma].strip())
            rest = rest[comma + 1 :].strip()
        *hypotheses, conclusion = self._parts(rest)
        if not all((*variables, *hypotheses, conclusion)):
            return None
        return Statement(f", {self.forall} ".join(variables), tuple(hypotheses), conclusion)

    def _parts(self, formula: str) -> list[str]:
        """The hypotheses, and what they imply."""
        bound = self._bound(formula)
        free = [place for place in _outside(formula) if bound is None or place < bound]
        if self.equivalence and any(formula.startswith(self.equivalence, place) for place in free):
            return [formula]
        parts, start = [], 0
        for place in free:
            if formula.startswith(self.arrow, place) and not formula[:place].endswith("<"):
                parts.append(formula[start:place].strip())
                start = place + len(self.arrow)
        return [*parts, formula[start:].strip()]

    def _bound(self, formula: str) -> int | None:
        """Where what reaches to the end begins."""
        outside = _outside(formula)
        return next((found.start() for found in self.binders.finditer(formula) if found.start() in outside), None)

    def _reaches_on(self, part: str) -> bool:
        equivalence = self.equivalence and any(part.startswith(self.equivalence, place) for place in _outside(part))
        return bool(equivalence or self._bound(part) is not None or len(self._parts(part)) > 1)


def _outside(formula: str) -> list[int]:
    """The places that no bracket holds."""
    places, depth = [], 0
    for place, sign in enumerate(formula):
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if depth == 0:
            places.append(place)
    return places

"""What an answer may be, once it is read: one type for each kind of answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from src.evaluation.grading.expressions import Tree
from src.evaluation.grading.units import Unit

Kind = Literal["tuple", "square", "printed", "list", "set", "sequence", "range", "to"]


@dataclass(frozen=True)
class Expression:
    r"""A number, a formula or a matrix. `decimal`: a decimal is part of it; `digits`: those that count, if it is one;
    `about`: the decimal that it is said to be near, as in `10\sqrt{3} \approx 17.32`."""

    tree: Tree
    decimal: bool = False
    digits: int = 0
    about: Expression | None = None


@dataclass(frozen=True)
class Quantity:
    """A number of something. `product`: what it is where the unit is a letter that may as well be a name: 3 m."""

    amount: Expression
    unit: Unit
    product: Expression | None = None


@dataclass(frozen=True)
class Ratio:
    """`2:3` or `1:2:3`."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Clock:
    """A time of day. `half` is "a" or "p"; without it, 3:15 may be a ratio, too."""

    hour: int
    minute: int
    half: str | None = None


@dataclass(frozen=True)
class Numeral:
    """Digits in a base."""

    digits: str
    base: int


@dataclass(frozen=True)
class WordAnswer:
    """What is no mathematics: compared letter by letter, without case, spaces and punctuation."""

    text: str


@dataclass(frozen=True)
class Collection:
    """Several values. tuple: in round brackets; square: in square ones; printed: as Python prints a list; list: bare;
    set: in braces; sequence: with an ellipsis; range: 10-15; to: 2 to 3, which may be a ratio."""

    items: tuple[Value, ...]
    kind: Kind


@dataclass(frozen=True)
class Span:
    """All reals between two bounds; a point has both bounds alike."""

    low: Expression
    high: Expression
    low_in: bool
    high_in: bool


@dataclass(frozen=True)
class Reals:
    """A set of reals: spans from low to high that do not touch. `name`: of the unknown in it, if there is one."""

    spans: tuple[Span, ...]
    name: str | None = None


@dataclass(frozen=True)
class Inequality:
    """Differences of two sides that are all below zero ("<"), or not above it ("<="), or not zero ("!=")."""

    pairs: tuple[tuple[Tree, str], ...]


@dataclass(frozen=True)
class Equation:
    """A relation between unknowns: this difference is zero."""

    difference: Tree


@dataclass(frozen=True)
class Named:
    """A value for a name: `x = 3`. `equation`: the same, as a relation, where it can be one."""

    name: str
    value: Value
    equation: Equation | None = None


@dataclass(frozen=True)
class System:
    """Values for several names: `x = 1, y = 2`."""

    values: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Residue:
    """`7 mod 10`."""

    value: Expression
    modulus: Expression


Value = (
    Expression
    | Quantity
    | Ratio
    | Clock
    | Numeral
    | WordAnswer
    | Collection
    | Reals
    | Inequality
    | Equation
    | Named
    | System
    | Residue
)

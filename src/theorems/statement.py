"""Statements of a formal language: in parts, or as a library publishes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """For all `variables` (a binder list such as "x y : Z"; of several quantifiers what stands behind the first, up to
    the last one's comma), the `hypotheses` imply the `conclusion`. The parts are in the language of the checker."""

    variables: str
    hypotheses: tuple[str, ...]
    conclusion: str


@dataclass(frozen=True)
class Declaration:
    """A theorem as a library publishes it, in the source text of its language.

    header: imports, and what is opened and set; context: definitions that the theorem speaks of. binders: what stands
    between the name and the colon, variables and hypotheses; conclusion: what stands behind it. informal: the problem
    in words; "" where the library has none. keyword: what it is declared by, "theorem" in most cases.
    """

    name: str
    header: str
    context: str
    binders: str
    conclusion: str
    informal: str = ""
    keyword: str = "theorem"

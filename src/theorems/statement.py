"""A statement of a formal language, in parts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """For all `variables` (a binder list such as "x y : Z"), the `hypotheses` imply the `conclusion`. The parts are in
    the language of the checker."""

    variables: str
    hypotheses: tuple[str, ...]
    conclusion: str

"""Selectors that ask no model: what the others have to beat at the same number of teacher calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from src.core.records import Example, seed_from
from src.selection.base import Reference, Selector
from src.selection.preference import Preference, preferred
from src.selection.ranking import Ranking


@dataclass(frozen=True, kw_only=True)
class _Unscored(Selector):
    """A threshold asks for a score that means something."""

    reads_model: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold is not None:
            raise ValueError(
                f"the selector {type(self).__name__} has no score that a threshold could cut: set fraction or top_k"
            )


@dataclass(frozen=True, kw_only=True)
class Random(_Unscored):
    """A shuffled pool: each candidate's draw depends on its id and `data_seed` alone."""

    data_seed: int = 0

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        return Ranking.of({c.id: seed_from("random", self.data_seed, c.id) / 2**31 for c in candidates})


@dataclass(frozen=True, kw_only=True)
class NoSelection(_Unscored):
    """The pool as it comes, in the order of the corpus: the first so many."""

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        return Ranking.of({c.id: float(-i) for i, c in enumerate(candidates)})


@dataclass(frozen=True, kw_only=True)
class Length(Selector):
    """By the characters of the response: the longest instructions alone are a hard baseline (Zhao et al. 2024, arXiv
    2402.04833), and a ranking that cannot beat it may measure nothing else."""

    reads_model: ClassVar[bool] = False

    prefer: Preference = "high"

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        return Ranking.of(preferred({c.id: float(len(c.response)) for c in candidates}, self.prefer))

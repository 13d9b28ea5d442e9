"""What a selector found out, in columns: a million candidates are a few arrays, not millions of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from src.core.records import Score

OVERALL = "overall"


@dataclass(frozen=True, eq=False)
class Ranking:
    """ids: of the candidates that have a score, in any order; each column below has one entry for each of them.

    scores: by target, `OVERALL` among them. skipped: candidates that have no score, and why. loss: the reference
    model's mean loss on each response; nan where it was not measured. facts: numbers for the stage's summary.
    agreement: rank correlations that say how far the scores are to be believed. vectors: rows that tell a candidate
    from others; two that are alike have a cosine near 1.
    """

    ids: Sequence[str]
    scores: Mapping[str, np.ndarray]
    skipped: dict[str, str] = field(default_factory=dict)
    loss: np.ndarray | None = None
    facts: dict[str, float] = field(default_factory=dict)
    agreement: dict[str, float | None] = field(default_factory=dict)
    vectors: np.ndarray | None = None

    @classmethod
    def of(
        cls, scores: Mapping[str, float], skipped: dict[str, str] | None = None, loss: Mapping[str, float] | None = None
    ) -> Ranking:
        """From overall scores by id, and losses of at least the same ids."""
        measured = None if loss is None else np.array([loss[id] for id in scores])
        return cls(list(scores), {OVERALL: np.array(list(scores.values()), dtype=float)}, skipped or {}, measured)

    def order(self) -> list[tuple[str, float]]:
        """(id, overall score), best first; ties by id."""
        values = self.scores[OVERALL]
        by_id = np.array(self._by_id(), dtype=np.int64)
        best = by_id[np.argsort(-values[by_id], kind="stable")]
        return [(self.ids[i], value) for i, value in zip(best.tolist(), values[best].tolist(), strict=True)]

    def rows(self) -> Iterator[Score]:
        """Every score, by id and target."""
        for i in self._by_id():
            yield from (Score(self.ids[i], target, float(self.scores[target][i])) for target in sorted(self.scores))

    def _by_id(self) -> list[int]:
        return sorted(range(len(self.ids)), key=self.ids.__getitem__)


def by_target(targets: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
    """The scores of a `Ranking` from candidates x targets: a column for each, and for "overall" their maximum.

    Values are rounded to six places, well above float32 noise, so that equal candidates tie and the id decides.
    """
    columns = {
        target: np.array([round(value, 6) for value in column.tolist()])
        for target, column in zip(targets, values.T, strict=True)
    }
    return {OVERALL: np.max(list(columns.values()), axis=0), **columns}

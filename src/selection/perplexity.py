"""Selection by what the reference model makes of a response: how surprising it is, and how far its question helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from src.core.records import Example
from src.selection.base import ByModel, Reference
from src.selection.preference import Preference, preferred
from src.selection.ranking import Ranking

NO_HELP = "its prompt does not lower its perplexity"


@dataclass(frozen=True, kw_only=True)
class Loss(ByModel):
    """By the mean loss, in nats, of the response. Perplexity filters keep the middle or the high end (Marion et al.
    2023, arXiv 2309.04564)."""

    prefer: Preference = "high"

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        from src.selection.forward import losses  # loads torch

        loss, skipped = losses(candidates, len(candidates), reference, self.max_length, self.batch_rows)
        return Ranking.of(preferred(loss, self.prefer), skipped, loss)


@dataclass(frozen=True, kw_only=True)
class PerplexityDrop(ByModel):
    """By the instruction-following difficulty (Li et al. 2024, arXiv 2308.12032): the response's perplexity given its
    prompt, by its perplexity alone. Near 1 the prompt hardly helps: much is left to learn. From 1 on the two do not
    belong together, and the candidate is left out, as in the paper."""

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        from math import exp

        from src.selection.forward import losses

        given, skipped = losses(candidates, len(candidates), reference, self.max_length, self.batch_rows)
        bare = (Example(c.id, c.source, "", c.response) for c in candidates if c.id in given)
        alone, unread = losses(bare, len(given), reference, self.max_length, self.batch_rows)
        difficulty = {id: exp(given[id] - loss) for id, loss in alone.items()}
        kept = {id: value for id, value in difficulty.items() if value < 1}
        helpless = dict.fromkeys(sorted(difficulty.keys() - kept.keys()), NO_HELP)
        return Ranking.of(preferred(kept, "high"), {**skipped, **unread, **helpless}, given)

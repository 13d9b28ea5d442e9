"""Selection by likeness of meaning: candidates whose hidden states lie near those of the target tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from src.core.errors import UserError
from src.core.records import Example, Score
from src.selection.base import ByModel, Ranking, Reference, Targeted


@dataclass(frozen=True, kw_only=True)
class Embedding(Targeted, ByModel):
    """By the cosine of mean last hidden states of the reference model with a target's examples: mean in a target, max
    over targets. Representation-based selection (RDS) as LESS compares itself with (arXiv 2402.04333, section 5), with
    the mean over positions of Ivison et al. 2025 (arXiv 2503.01807) in place of the last position.
    """

    has_vectors: ClassVar[bool] = True

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        import torch

        from src.selection.forward import NO_RESPONSE, NOT_FINITE, mean_states
        from src.selection.influence.scoring import add_scores, task_vector, with_overall

        tasks = {}
        for name, examples in self.target_examples().items():
            states = [s for _, s in mean_states(examples, reference, self.max_length, self.batch_rows) if s is not None]
            if not states:
                raise UserError(
                    f"No example of target '{name}' has a response within selector.max_length={self.max_length}.",
                    "Raise it, or choose a target with shorter questions.",
                )
            tasks[name] = task_vector([torch.stack(states)])
        skipped, vectors = {}, {}
        scores: dict[str, dict[str, float]] = {}
        for id, state in mean_states(candidates, reference, self.max_length, self.batch_rows):
            if state is None or not state.isfinite().all():
                skipped[id] = NO_RESPONSE if state is None else NOT_FINITE
                continue
            add_scores(scores, [([id], state[None])], tasks, 1.0)
            vectors[id] = torch.nn.functional.normalize(state, dim=0).half().numpy()
        return Ranking([Score(*row) for row in with_overall(scores)], dict(sorted(skipped.items())), vectors=vectors)

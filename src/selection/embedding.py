"""Selection by likeness of meaning: candidates whose hidden states lie near those of the target tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from src.core.records import Example
from src.selection.base import ByModel, Reference, Targeted, none_usable, nothing_to_read
from src.selection.ranking import Ranking, by_target

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Embedding(Targeted, ByModel):
    """By the cosine of mean last hidden states of the reference model with a target's examples: mean in a target, max
    over targets. Representation-based selection (RDS) as LESS compares itself with (arXiv 2402.04333, section 5), with
    the mean over positions of Ivison et al. 2025 (arXiv 2503.01807) in place of the last position.
    """

    has_vectors: ClassVar[bool] = True

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        import numpy as np
        import torch

        from src.selection.forward import NOT_FINITE, mean_states
        from src.selection.influence.scoring import mean_cosines
        from src.selection.packed import NO_RESPONSE
        from src.selection.vectors import VectorFile

        tasks = self._tasks(reference)
        found = np.zeros((len(candidates), len(tasks)))
        ids: list[str] = []
        skipped: dict[str, str] = {}
        width = len(next(iter(tasks.values())))
        vectors = VectorFile(reference.work / "embeddings.f16", len(candidates), width)
        states = mean_states(candidates, len(candidates), reference, self.max_length, self.batch_rows)
        for id, state in states:
            if state is None or not state.isfinite().all():
                skipped[id] = NO_RESPONSE if state is None else NOT_FINITE
                continue
            found[len(ids)] = mean_cosines(tasks, state[None])[0].numpy()
            vectors.add([len(ids)], torch.nn.functional.normalize(state[None], dim=1).half().numpy())
            ids.append(id)
        if not ids:
            raise none_usable(skipped, "state", "Look at the candidates' responses, and at selector.max_length.")
        kept = np.arange(len(ids))
        vectors.keep(kept)
        scores = by_target(list(tasks), found[kept])
        return Ranking(ids, scores, dict(sorted(skipped.items())), vectors=vectors.read())

    def _tasks(self, reference: Reference) -> dict[str, Tensor]:
        """By target, the mean of its examples' normalised states."""
        import torch

        from src.selection.forward import mean_states
        from src.selection.influence.scoring import task_vector

        tasks = {}
        for name, examples in self.target_examples().items():
            read = mean_states(examples, len(examples), reference, self.max_length, self.batch_rows)
            states = [state for _, state in read if state is not None]
            if not states:
                raise nothing_to_read(name, "max_length", self.max_length)
            tasks[name] = task_vector([torch.stack(states)])
        return tasks

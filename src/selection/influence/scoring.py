r"""Influence scores from projected gradients, block by block.

    score(z, task) = mean over s in task of  sum_i  w_i cos(c_i(z), t_i(s)),      w_i = lr_i / sum_i lr_i
    score(z)       = max over tasks of score(z, task)

over checkpoints i with learning rate lr_i, where c_i(z) is the candidate's update direction and t_i(s) the target
sample's gradient (LESS, arXiv 2402.04333, section 4). The weights are scaled to sum to one: the order is that of the
paper and a threshold reads as a cosine. A candidate's mean cosine with a task is one inner product with the mean of
the task's normalised vectors, so scoring costs candidates x tasks x d, however many samples a task has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

OVERALL = "overall"


def task_vector(gradients: Iterable[Tensor]) -> Tensor:
    """The mean of the normalised rows of all blocks (rows x d); zero rows count as no direction at all."""
    total, count = torch.zeros(()), 0
    for block in gradients:
        total = total + torch.nn.functional.normalize(block.double(), dim=1).sum(0)
        count += len(block)
    if not count:
        raise ValueError("a task needs at least one gradient")
    return (total / count).float()


def weights(learning_rates: Sequence[float]) -> list[float]:
    """Each checkpoint's share of the sum of learning rates; equal shares when all are zero."""
    total = sum(learning_rates)
    return [rate / total if total > 0 else 1 / len(learning_rates) for rate in learning_rates]


def add_scores(
    scores: dict[str, dict[str, float]],
    blocks: Iterable[tuple[Sequence[str], Tensor]],
    tasks: Mapping[str, Tensor],
    weight: float,
) -> None:
    """Add one checkpoint's share to `scores[id][task]`. blocks: (ids, candidate gradients, rows x d)."""
    names, matrix = list(tasks), torch.stack(list(tasks.values())).T
    for ids, gradients in blocks:
        cosines = torch.nn.functional.normalize(gradients.to(matrix), dim=1) @ matrix
        for id, row in zip(ids, cosines.tolist(), strict=True):
            mine = scores.setdefault(id, dict.fromkeys(names, 0.0))
            for name, value in zip(names, row, strict=True):
                mine[name] += weight * value


def with_overall(scores: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, str, float]]:
    """(id, target, value) for every task and for "overall", its maximum; by id.

    Values are rounded to six places, well above float32 noise, so that equal candidates tie and the id decides.
    """
    for id in sorted(scores):
        values = {task: round(value, 6) for task, value in scores[id].items()}
        yield id, OVERALL, max(values.values())
        yield from ((id, task, value) for task, value in values.items())

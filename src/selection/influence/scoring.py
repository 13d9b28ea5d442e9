r"""Influence scores from projected gradients, block by block.

    score(z, task) = mean over s in task of  sum_i  w_i cos(c_i(z), t_i(s)),      w_i = lr_i / sum_i lr_i
    score(z)       = max over tasks of score(z, task)

over checkpoints i with learning rate lr_i, where c_i(z) is the candidate's update direction and t_i(s) the target
sample's gradient (LESS, arXiv 2402.04333, section 4). The weights are scaled to sum to one: the order is that of the
paper and a threshold reads as a cosine. A candidate's mean cosine with a task is one inner product with the mean of
the task's normalised vectors, so scoring costs candidates x tasks x d, however many samples a task has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor


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


def mean_cosines(tasks: Mapping[str, Tensor], gradients: Tensor) -> Tensor:
    """Each row's mean cosine with each task's samples, rows x tasks. gradients: of candidates, rows x d."""
    matrix = torch.stack(list(tasks.values())).T
    return torch.nn.functional.normalize(gradients.to(matrix), dim=1) @ matrix

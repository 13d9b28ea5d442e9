from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from src.selection.influence.scoring import mean_cosines, task_vector, weights
from src.selection.ranking import by_target


def naive(candidates, targets, rates) -> dict[str, float]:
    """PAPER.md's formula, word by word. candidates[i][z], targets[i][task][s]: vectors at checkpoint i."""

    def cos(a, b):
        return float(torch.dot(a, b) / (a.norm() * b.norm()))

    scores = {}
    for z in candidates[0]:
        means = []
        for task in targets[0]:
            samples = range(len(targets[0][task]))
            sums = [
                sum(rate * cos(c[z], t[task][s]) for rate, c, t in zip(rates, candidates, targets)) for s in samples
            ]
            means.append(sum(sums) / len(sums))
        scores[z] = max(means) / sum(rates)
    return scores


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_scores_equal_the_formula(checkpoints, rows, samples, block):
    generator = torch.Generator().manual_seed(checkpoints * 100 + rows * 10 + samples)
    candidates = [{f"z{j}": torch.randn(12, generator=generator) for j in range(rows)} for _ in range(checkpoints)]
    targets = [
        {task: list(torch.randn(samples, 12, generator=generator)) for task in ("a", "b")} for _ in range(checkpoints)
    ]
    rates = [0.1 * (i + 1) for i in range(checkpoints)]
    scores = np.zeros((rows, 2))
    for c, t, weight in zip(candidates, targets, weights(rates)):
        tasks = {task: task_vector([torch.stack(vectors)]) for task, vectors in t.items()}
        blocks = torch.stack(list(c.values())).split(block)
        scores += weight * torch.cat([mean_cosines(tasks, part) for part in blocks]).numpy()
    found = by_target(["a", "b"], scores)
    assert found["overall"].tolist() == pytest.approx(list(naive(candidates, targets, rates).values()), abs=2e-6)
    assert (found["overall"] == np.maximum(found["a"], found["b"])).all()


def test_a_task_vector_does_not_depend_on_its_blocks():
    rows = torch.randn(9, 5)
    torch.testing.assert_close(task_vector([rows]), task_vector(rows.split(2)))


def test_rates_of_zero_weigh_alike():
    assert weights([0.0, 0.0]) == [0.5, 0.5]
    assert math.isclose(sum(weights([3e-5, 1e-5, 2e-6])), 1)

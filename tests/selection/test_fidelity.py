from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.core.records import Example
from src.selection.fidelity import report, samples, spearman
from src.selection.ranking import Ranking


def test_spearman_of_known_cases():
    assert spearman([1, 2, 3, 4], [10, 20, 30, 1000]) == 1
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == -1
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.9487, abs=1e-4)  # scipy.stats.spearmanr
    assert spearman([1, 1, 1], [1, 2, 3]) is None and spearman([1], [2]) is None


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=30))
def test_spearman_looks_at_ranks_only(values):
    found = spearman(values, [v**3 + 5 for v in values])
    assert found in (None, 1)


def test_samples_losses_and_agreement_of_targets():
    ids = [f"c{i}" for i in range(9)]
    rising = np.arange(9.0)
    candidates = [Example(id, "x", "question", "r" * i) for i, id in enumerate(ids)]
    loss = np.where(rising == 4, np.nan, 9.0 - rising)
    ranking = Ranking(ids, {"overall": rising, "a": rising, "b": -rising}, {"gone": "gradient is zero"}, loss)
    found = report(ranking, candidates, {"stage": dict.fromkeys(ids, "amc8")}, ids[-2:])
    assert found["spearman"] == {"response_characters": 1.0, "loss": -1.0, "a with b": -1.0}
    assert found["skipped"] == {"gradient is zero": 1}
    assert found["selected"] == {"stage": {"amc8": {"pool": 9, "selected": 2}}}
    examples = samples(ranking, candidates, ids[-2:])
    shown = {part: [row["id"] for row in rows] for part, rows in examples.items()}
    assert shown == {"top": ["c8", "c7", "c6"], "middle": ["c5", "c4", "c3"], "bottom": ["c2", "c1", "c0"]}
    assert [row["selected"] for row in examples["top"]] == [True, True, False]

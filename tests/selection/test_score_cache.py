from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from src.core.fingerprint import not_in_key
from src.modeling.trainer import Trainer
from src.selection.base import Reference, Targeted
from src.selection.candidates import ById
from src.selection.ranking import Ranking
from src.selection.score_cache import cached
from src.selection.vectors import VectorFile
from tests.selection.conftest import Families, example, write_reference

POOL = [example(family, i) for family in range(3) for i in range(2)]


@dataclass(frozen=True, kw_only=True)
class Toy(Targeted):
    depth: int = 1
    batch: int = field(default=1, metadata=not_in_key("how many at once"))

    def rank(self, candidates, reference):
        raise NotImplementedError


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    return Reference(write_reference(tmp_path / "model"), tmp_path / "work", tmp_path / "cache", Trainer())


@pytest.fixture
def toy() -> Toy:
    return Toy(targets={"adding": Families((0,), 2)}, top_k=1)


def computed(options: Toy, reference: Reference, rows=POOL, version=1) -> bool:
    """Whether the ranking had to be made."""
    made = []

    def compute() -> Ranking:
        made.append(True)
        return Ranking.of({row.id: 0.5 for row in rows})

    cached("toy", version, options, ById(rows), options.target_examples(), reference, compute)
    return bool(made)


def test_what_is_read_is_what_was_computed(toy, reference):
    pool = ById(POOL)
    vectors = VectorFile(reference.work / "vectors", len(pool), 4)
    vectors.add(range(len(pool)), np.arange(4.0 * len(pool)).reshape(-1, 4))
    made = Ranking(
        pool.ids,
        {"overall": np.linspace(0, 1, len(pool)), "adding": np.linspace(1, 0, len(pool))},
        {"lost": "no response tokens"},
        np.linspace(2, 3, len(pool)),
        {"checkpoints": 2.0},
        {"exact": None},
        vectors.read(),
    )
    for _ in range(2):
        read = cached("toy", 1, toy, pool, toy.target_examples(), reference, lambda: made)
        assert list(read.ids) == pool.ids
        for column in ("overall", "adding"):
            np.testing.assert_array_equal(read.scores[column], made.scores[column])
        np.testing.assert_array_equal(read.loss, made.loss)
        np.testing.assert_array_equal(read.vectors, made.vectors)
        assert (read.skipped, read.facts, read.agreement) == (made.skipped, made.facts, made.agreement)


def test_a_ranking_without_losses_and_vectors_stays_without(toy, reference):
    read = cached(
        "toy", 1, toy, ById(POOL), toy.target_examples(), reference, lambda: Ranking.of({row.id: 1.0 for row in POOL})
    )
    assert read.loss is None and read.vectors is None


def test_rules_batches_and_the_order_of_the_rows_ask_for_the_same_scores(toy, reference):
    assert computed(toy, reference)
    assert not computed(replace(toy, top_k=None, fraction=0.5), reference)
    assert not computed(replace(toy, batch=8), reference)
    assert not computed(toy, reference, rows=POOL[::-1])


def test_all_that_scores_depend_on_asks_for_others(toy, reference):
    assert computed(toy, reference)
    assert computed(replace(toy, depth=2), reference)
    assert computed(replace(toy, targets={"adding": Families((1,), 2)}), reference)
    assert computed(toy, replace(reference, seed=1))
    assert computed(toy, reference, rows=POOL[1:])
    assert computed(toy, reference, version=2)


def test_a_computation_that_fails_leaves_nothing(toy, reference):
    def fail() -> Ranking:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        cached("toy", 1, toy, ById(POOL), toy.target_examples(), reference, fail)
    assert computed(toy, reference)

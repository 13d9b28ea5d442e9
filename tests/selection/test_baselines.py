from __future__ import annotations

from pathlib import Path

import pytest

from src.core.records import Example
from src.selection.base import Reference
from src.selection.baselines import Length, NoSelection, Random
from src.selection.preference import preferred
from src.selection.ranking import Ranking

NOWHERE = Reference(Path("model"), Path("work"), Path("cache"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one of fraction, top_k and threshold, not none"),
        ({"fraction": 0.5, "top_k": 3}, "not fraction and top_k; null takes one away: fraction=null"),
        ({"fraction": 1.5}, r"fraction must lie in \(0, 1\], not 1.5"),
        ({"top_k": 0}, "top_k must be at least 1, not 0"),
        ({"threshold": 0.1}, "Random has no score that a threshold could cut"),
    ],
)
def test_rules_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Random(**options)


def test_wanted_never_exceeds_the_pool_and_is_never_zero():
    assert [NoSelection(top_k=7).wanted(n) for n in (3, 7, 20)] == [3, 7, 7]
    assert [NoSelection(fraction=0.1).wanted(n) for n in (1, 24, 26)] == [1, 2, 3]


def test_ties_are_broken_by_id():
    ranking = Ranking.of({id: float(id == "d") for id in "cabd"})
    assert ranking.order() == [("d", 1.0), ("a", 0.0), ("b", 0.0), ("c", 0.0)]


@pytest.mark.parametrize(("prefer", "order"), [("high", "dcba"), ("low", "abcd"), ("middle", "bcad")])
def test_length_prefers_what_it_is_told(prefer, order):
    rows = [Example(id, "x", "question", "r" * n) for id, n in zip("abcd", (1, 5, 6, 99))]
    ranking = Length(top_k=1, prefer=prefer).rank(rows, NOWHERE)
    assert [id for id, _ in ranking.order()] == list(order)


def test_the_middle_gives_equals_the_same_score():
    found = preferred({"a": 1.0, "b": 1.0, "c": 5.0, "d": 7.0}, "middle")
    assert found["a"] == found["b"] == -0.125 and found["d"] == -0.375

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from src.core.records import Example
from src.selection.base import Reference
from src.selection.ngram import NGram
from tests.selection.conftest import Families, example

NOWHERE = Reference(Path("model"), Path("work"), Path("cache"))


class Words:
    def __init__(self, *texts: str):
        self.texts = texts

    def dev_examples(self):
        return (Example(f"t{i}", "t", text, "") for i, text in enumerate(self.texts))


def test_importance_is_its_formula():
    """By hand, with single words and more buckets than words."""
    pool = [Example("a", "x", "one two", "two"), Example("b", "x", "three", "")]
    selector = NGram(top_k=1, targets={"t": Words("two two")}, buckets=1_000, order=1)
    found = dict(selector.rank(pool, NOWHERE).order())
    target, raw = Counter(["two", "two"]), Counter(["one", "two", "two", "three"])

    def log_ratio(word):
        return math.log((target[word] + 1) / 1_002) - math.log((raw[word] + 1) / 1_004)

    assert found["a"] == pytest.approx((log_ratio("one") + 2 * log_ratio("two")) / 3, abs=2e-6)
    assert found["b"] == pytest.approx(log_ratio("three"), abs=2e-6)


def test_the_targets_family_comes_out_on_top_and_order_does_not_matter():
    pool = [example(family, i) for family in range(10) for i in range(10)]
    selector = NGram(fraction=0.1, targets={"six": Families((6,), 20), "two": Families((2,), 20)})
    ranking = selector.rank(pool, NOWHERE)
    assert {row.source for row in pool if row.id in dict(ranking.order()[:20])} == {"family6", "family2"}
    assert list(selector.rank(pool[::-1], NOWHERE).rows()) == list(ranking.rows())


def test_a_text_without_words_has_a_score_like_any_other():
    ranking = NGram(top_k=1, targets={"t": Words("two")}).rank([Example("a", "x", "", "")], NOWHERE)
    assert math.isfinite(ranking.order()[0][1])

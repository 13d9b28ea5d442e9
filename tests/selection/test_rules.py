from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.core.errors import UserError
from src.selection import rules
from src.selection.baselines import Length, Random
from src.selection.embedding import Embedding
from src.selection.ranking import OVERALL, Ranking
from src.selection.rules import choose
from tests.selection.conftest import Families

IDS = [f"p{i}" for i in range(12)]
STAGE = {id: "amc8" if i < 8 else "college" for i, id in enumerate(IDS)}
SOURCE = {id: "wiki" if i % 2 else "arxiv" for i, id in enumerate(IDS)}
GROUPS = {"stage": STAGE, "source": SOURCE}


def falling(ids=IDS, vectors=None) -> Ranking:
    """The earlier, the better."""
    return Ranking(ids, {OVERALL: -np.arange(float(len(ids)))}, vectors=vectors)


def diverse(**rule) -> Embedding:
    return Embedding(targets={"t": Families((0,), 1)}, **rule)


def test_without_a_quota_the_best_are_taken_and_the_unscored_come_last():
    choice = choose(Random(top_k=11), falling(IDS[:10]), IDS, GROUPS)
    assert choice == rules.Choice([*IDS[:10], "p10"], unscored=1, beyond=0)


def test_equal_parts_take_the_best_of_every_group():
    choice = choose(Random(top_k=6, quota={"stage": "equal"}), falling(), IDS, GROUPS)
    assert choice.ids == ["p0", "p1", "p2", "p8", "p9", "p10"]


def test_parts_as_in_the_pool_and_by_weight():
    pool = choose(Random(top_k=6, quota={"stage": "pool"}), falling(), IDS, GROUPS)
    assert Counter(STAGE[id] for id in pool.ids) == {"amc8": 4, "college": 2}
    weighed = choose(Random(top_k=4, quota={"stage": {"college": 3, "amc8": 1}}), falling(), IDS, GROUPS)
    assert weighed.ids == ["p0", "p8", "p9", "p10"]


def test_two_quotas_hold_together():
    choice = choose(Random(top_k=4, quota={"stage": "equal", "source": "equal"}), falling(), IDS, GROUPS)
    assert choice.ids == ["p0", "p1", "p8", "p9"]


def test_a_group_too_small_for_its_part_leaves_the_rest_to_the_best():
    choice = choose(Random(top_k=10, quota={"stage": "equal"}), falling(), IDS, GROUPS)
    assert choice.ids == [*IDS[:5], *IDS[8:], "p5"] and choice.beyond == 1


@pytest.mark.parametrize(
    ("quota", "message"),
    [
        ({"source": "equal"}, r"shares out by source, but the source of the prompts is not known"),
        ({"stage": {"amc9": 1.0}}, r"quota\.stage names amc9, which no candidate has.*\n.*amc8, college"),
    ],
)
def test_a_quota_that_cannot_be_kept_is_refused(quota, message):
    with pytest.raises(UserError, match=message):
        choose(Random(top_k=2, quota=quota), falling(), IDS, {"stage": STAGE})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 1, "quota": {"sorce": "equal"}}, "by stage, source, kind, not by sorce"),
        ({"top_k": 1, "quota": {"stage": {"amc8": -1.0}}}, "none below 0 and not all 0"),
        ({"top_k": 1, "quota": {"stage": {"amc8": 0.0}}}, "none below 0 and not all 0"),
        ({"threshold": 1.0, "quota": {"stage": "equal"}}, "not threshold"),
        ({"top_k": 1, "max_similarity": 0.5}, "Length has no vectors"),
    ],
)
def test_rules_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Length(**options)


def test_what_is_too_like_a_better_one_waits_until_nothing_else_is_left():
    vectors = np.eye(6).repeat(2, axis=0)  # in pairs alike
    assert choose(diverse(top_k=6, max_similarity=0.9), falling(vectors=vectors), IDS, GROUPS).ids == IDS[::2]
    more = choose(diverse(top_k=8, max_similarity=0.9), falling(vectors=vectors), IDS, GROUPS)
    assert more.ids == [*IDS[::2], "p1", "p3"] and more.beyond == 2
    cut = choose(diverse(threshold=-4.0, max_similarity=0.9), falling(vectors=vectors), IDS, GROUPS)
    assert cut.ids == ["p0", "p2", "p4"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.95), st.integers(1, 7))
def test_diversity_is_greedy_whatever_the_block(seed, limit, block):
    rows = np.random.default_rng(seed).normal(size=(20, 3))
    ids, kept = [f"v{i:02d}" for i in range(len(rows))], []
    for i, row in enumerate(rows):
        cosines = (row @ rows[k] / np.linalg.norm(row) / np.linalg.norm(rows[k]) for k in kept)
        if all(cosine <= limit for cosine in cosines):
            kept.append(i)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "BLOCK", block)
        cut = choose(diverse(threshold=-99.0, max_similarity=limit), falling(ids, rows), ids, {})
        some = choose(diverse(top_k=3, max_similarity=limit), falling(ids, rows), ids, {})
    assert cut.ids == [ids[i] for i in kept]
    assert some.ids[: len(kept)] == [ids[i] for i in kept[:3]]


def test_the_choice_does_not_depend_on_the_order_of_the_scores():
    scores = {id: float(i % 3) for i, id in enumerate(IDS)}
    straight = choose(Random(top_k=5, quota={"stage": "equal"}), Ranking.of(scores), IDS, GROUPS)
    shuffled = dict(random.Random(1).sample(list(scores.items()), len(scores)))
    assert choose(Random(top_k=5, quota={"stage": "equal"}), Ranking.of(shuffled), IDS[::-1], GROUPS) == straight

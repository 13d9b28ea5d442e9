import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.keypoints.merging import merge, topic_vectors

ANGLES = st.lists(st.floats(0, 3.1), min_size=1, max_size=12)


def at(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_a_topics_vector_is_the_mean_of_its_key_points():
    vectors = {"east": np.array([1.0, 0]), "north": np.array([0, 1.0])}
    found = topic_vectors({"both": ["east", "north"], "twice": ["east", "east", "north"]}, vectors)
    np.testing.assert_allclose(found, [[0.5**0.5, 0.5**0.5], [2 / 5**0.5, 1 / 5**0.5]])


def test_the_smaller_topic_gives_way_to_the_nearest_larger_one():
    (merged,) = merge({"circles": 2, "circle": 5, "lines": 9}, at(0, 10, 90), threshold=0.9)
    assert (merged.topic, merged.into) == ("circles", "circle")
    assert merged.similarity == pytest.approx(np.cos(np.radians(10)))


def test_equal_vectors_are_one_at_any_threshold():
    assert len(merge({"a": 1, "b": 1, "c": 1}, at(20, 20, 20), threshold=1.0)) == 2


def test_no_chain_draws_distant_topics_together():
    chain = {f"t{n}": 10 - n for n in range(5)}
    merged = merge(chain, at(0, 20, 40, 60, 80), threshold=np.cos(np.radians(25)))
    assert {m.topic: m.into for m in merged} == {"t1": "t0", "t3": "t2"}


@given(ANGLES, st.floats(0.5, 1))
def test_whatever_stays_is_apart_and_the_order_does_not_matter(angles, threshold):
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    sizes = {f"t{n}": n % 3 for n in range(len(angles))}
    merged = merge(sizes, vectors, threshold)
    gone = {m.topic for m in merged}
    assert all(m.similarity >= threshold - 1e-6 and m.into not in gone for m in merged)
    stay = [n for n, name in enumerate(sizes) if name not in gone]
    between = vectors[stay] @ vectors[stay].T
    assert (between[~np.eye(len(stay), dtype=bool)] < threshold + 1e-6).all()
    backwards = dict(reversed(sizes.items()))
    assert {(m.topic, m.into) for m in merge(backwards, vectors[::-1], threshold)} == {
        (m.topic, m.into) for m in merged
    }

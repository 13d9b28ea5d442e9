from hypothesis import given
from hypothesis import strategies as st

from src.core.apportion import apportion

WEIGHTS = st.dictionaries(st.text(max_size=3), st.floats(0.01, 100), min_size=1, max_size=6)


@given(st.integers(0, 1000), WEIGHTS)
def test_shares_add_up_and_are_off_by_less_than_one(total, weights):
    shares = apportion(total, weights)
    assert sum(shares.values()) == total
    assert all(abs(shares[k] - total * w / sum(weights.values())) < 1 + 1e-9 for k, w in weights.items())


def test_equal_remainders_go_by_name_and_not_by_order():
    assert apportion(1, {"b": 1, "a": 1}) == apportion(1, {"a": 1, "b": 1}) == {"a": 1, "b": 0}

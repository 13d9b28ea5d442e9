import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from src.core.seen import Seen


@given(st.lists(st.integers(0, 12) | st.integers(2**64 - 3, 2**64 - 1)), st.integers(1, 5))
def test_a_number_is_new_once(numbers, at_once):
    seen, before = Seen(at_once), set[int]()
    for number in numbers:
        assert seen.add(number) == (number not in before)
        before.add(number)


def test_many_take_eight_bytes_each():
    tracemalloc.start()
    seen = Seen(1_000)
    for number in range(40_000):
        seen.add(number * 2**40)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 10 * 40_000

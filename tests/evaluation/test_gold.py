import pytest

from tests.evaluation.gold import FILES, check, table

LEAST = {"math500": 0.995}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_gold_meets_gold_and_nothing_else(shared_data, name):
    found = check(shared_data / "benchmarks", name, shuffles=2)
    assert found.share >= LEAST.get(name, 1.0), table([found])
    assert not found.unjudged
    assert not found.unlike, table([found])
    assert found.alike < 1.5 * found.expected + 10

import pytest

from src.core.processes import CORES, cores


@pytest.mark.parametrize(("told", "expected"), [("3", 3), ("900", 8), ("0", 8), ("many", 8), ("", 8)])
def test_a_process_takes_no_more_cores_than_it_is_told(monkeypatch, told, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv(CORES, told)
    assert cores() == expected

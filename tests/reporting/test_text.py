import pytest

from src.reporting.text import tick_labels


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((0.125, 0.5, 2), ["0.125", "0.5", "2"]),
        ((10.2, 10.4, 22.5), ["10.2", "10.4", "22.5"]),
        ((2261.0, 1130.5, 565.0), ["2,261", "1,130", "565"]),
        ((1000.0, 1000.25, 1000.5), ["1,000", "1,000.25", "1,000.5"]),
        ((100.0001, 100.0002), ["100.0001", "100.0002"]),
        ((16.0, 16.0), ["16", "16"]),
    ],
)
def test_different_ticks_have_different_labels(values: tuple[float, ...], labels: list[str]) -> None:
    assert tick_labels(values) == labels

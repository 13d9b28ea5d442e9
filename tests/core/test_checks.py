from dataclasses import dataclass

import pytest

from src.core.checks import at_least


@dataclass(frozen=True)
class Options:
    batch: int = 1
    limit: int | None = None

    def __post_init__(self) -> None:
        at_least(self, 1, "batch", "limit")


def test_the_first_option_below_is_named_with_its_value():
    with pytest.raises(ValueError, match="limit must be at least 1, not 0"):
        Options(limit=0)
    assert Options().limit is None

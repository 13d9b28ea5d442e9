"""Which end of a quantity is worth most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Preference = Literal["high", "low", "middle"]
"""Which values are best. "middle": those nearest to the median by rank; the score is then minus the distance from it,
0 to -0.5 of the pool."""


def preferred(values: Mapping[str, float], prefer: Preference) -> dict[str, float]:
    """Scores, by id."""
    if prefer == "middle":
        places = {value: place for place, value in enumerate(sorted(values.values()))}  # of equals, the last one
        return {id: -abs((places[values[id]] + 0.5) / len(values) - 0.5) for id in sorted(values)}
    sign = 1.0 if prefer == "high" else -1.0
    return {id: sign * values[id] for id in sorted(values)}

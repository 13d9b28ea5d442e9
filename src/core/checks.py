"""The checks that many components make of their options, with one wording for all of them."""

from __future__ import annotations


def at_least(component: object, least: float, *options: str) -> None:
    """Raises ValueError for the first of the options below `least`; None passes, where the option's type allows it."""
    for option in options:
        value = getattr(component, option)
        if value is not None and value < least:
            raise ValueError(f"{option} must be at least {least}, not {value}")

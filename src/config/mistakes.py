"""Mistakes are collected, then shown together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from src.core.errors import UserError

BROKEN = object()  # stands for a node whose mistakes are already on the list


class ConfigError(UserError):
    """A configuration that cannot be used. `mistakes`: its lines."""

    mistakes: tuple[str, ...] = ()


class Mistakes(list[str]):
    """Collects lines of the form `path: what is wrong`."""

    def add(self, path: str, problem: str) -> Any:
        self.append(f"{path}: {problem}")
        return BROKEN

    def raise_if_any(self, mend: str) -> None:
        if self:
            count = "1 mistake" if len(self) == 1 else f"{len(self)} mistakes"
            lines = "\n".join(f"  {line}" for line in self)
            error = ConfigError(f"The configuration has {count}:\n{lines}", mend)
            error.mistakes = tuple(self)
            raise error


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the known names when none is near."""
    known = sorted(name for name in known if not name.startswith("_"))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; it has: {', '.join(known)}" if known else "; it has no options"

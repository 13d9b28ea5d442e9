"""How numbers are written, the same on the page, in Markdown and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINUS, RANGE = "−", "–"


def number(value: float) -> str:
    """12345 -> '12,345'."""
    return f"{value:,.0f}".replace("-", MINUS)


def tick_labels(values: Sequence[float]) -> list[str]:
    """Whole numbers from 1,000 on; all digits where two different values would look the same."""
    labels = [number(value) if value >= 1000 else f"{value:g}" for value in values]
    alike = len(set(labels)) < len(set(values))
    return [f"{value:,}".removesuffix(".0") for value in values] if alike else labels


def percent(share: float) -> str:
    """0.3142 -> '31.4'. The column or the sentence says that it is per cent."""
    return f"{100 * share:.1f}"


def points(share: float) -> str:
    """A difference of shares in percentage points, always signed: '+4.2', '−0.3'."""
    text = f"{100 * share:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", MINUS)


def interval(low: float, high: float) -> str:
    return f"{percent(low)}{RANGE}{percent(high)}"


def signed_interval(low: float, high: float) -> str:
    return f"{points(low)} to {points(high)}"


def p_value(p: float) -> str:
    if math.isnan(p):
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def short(n: float) -> str:
    """1234567 -> '1.2M': for costs, where the last digits say nothing."""
    n = float(f"{n:.3g}") if n >= 1e4 else n  # so that 999,700 is 1M, not 1e+03k
    for unit, suffix in ((1e15, "P"), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if n >= max(unit, 1e4):
            return f"{n / unit:.3g}{suffix}"
    return number(n)


def duration(seconds: float) -> str:
    """95 -> '1 min 35 s'; 9000 -> '2 h 30 min'; 0.42 -> '0.4 s'."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def memory(megabytes: float) -> str:
    return f"{megabytes:,.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def words(name: str) -> str:
    """'grade_school' -> 'grade school'; competitions keep their capitals."""
    competitions = {"amc8": "AMC 8", "amc10": "AMC 10", "amc12": "AMC 12", "aime": "AIME"}
    return competitions.get(name, name.replace("_", " "))

"""Several values as one: a list, a system, a union of intervals, a compound quantity."""

from __future__ import annotations

from src.evaluation.grading.arithmetic import variables
from src.evaluation.grading.quantities import Both, compound
from src.evaluation.grading.reals import combined, is_infinite, spans_of, union
from src.evaluation.grading.values import Collection, Expression, Named, Ratio, Reals, System, Value, WordAnswer


def collected(values: list[Value], connectors: set[str]) -> Value:
    if all(isinstance(value, Reals) for value in values):
        return _joined(values, connectors)  # type: ignore[arg-type]
    if "comma" not in connectors and (total := compound(values)):
        return total
    if pairs := [entry(value) for value in values]:
        values = pairs if None not in pairs else values  # type: ignore[assignment]
    if all(isinstance(value, Named) for value in values):
        return _system(values, connectors)  # type: ignore[arg-type]
    first = values[0]
    if _is_without(first) and connectors == {"comma"} and all(isinstance(value, Expression) for value in values[1:]):
        assert isinstance(first, Reals)  # x != 1, 2
        return Reals(combined("-", [first.spans, spans_of(Collection(tuple(values[1:]), "set"))]), first.name)
    if isinstance(first, Named) and not any(isinstance(value, Named | Reals | WordAnswer) for value in values[1:]):
        return Named(first.name, Collection(flattened([first.value, *values[1:]]), "list"))
    return Collection(flattened(values), "list")


def entry(value: Value) -> Named | None:
    """`x: 1` of a solution that SymPy prints as a dictionary."""
    if (
        isinstance(value, Ratio)
        and len(value.parts) == 2
        and value.parts[0].tree[0] == "var"
        and not variables(value.parts[1].tree)
    ):
        return Named(str(value.parts[0].tree[1]), value.parts[1])
    return None


def _is_without(value: Value) -> bool:
    """Is it all reals but one, x != 1?"""
    if not isinstance(value, Reals) or value.name is None or len(value.spans) != 2:
        return False
    low, high = value.spans
    return low.high == high.low and is_infinite(low.low.tree) and is_infinite(high.high.tree)


def _joined(values: list[Reals], connectors: set[str]) -> Value:
    """x < 1 or x > 3: a union; x > 1 and x < 3: an intersection; with commas: whichever is not trivial."""
    names = {value.name for value in values}
    if len(names) > 1 or (connectors == {"comma"} and None in names):
        return Collection(tuple(values), "list")
    name = names.pop()
    if (connectors == {"and"} and name) or connectors == {"comma"}:
        spans = combined("&", [value.spans for value in values])
        if spans or connectors == {"and"}:
            return Reals(spans, name)
    return Reals(union(span for value in values for span in value.spans), name)


def _system(values: list[Named], connectors: set[str]) -> Value:
    names = [value.name for value in values]
    if len(set(names)) == len(names) and "or" not in connectors:
        return System(tuple((value.name, value.value) for value in values))
    if len(set(names)) == 1:
        return Named(names[0], Collection(flattened(value.value for value in values), "list"))
    return Collection(tuple(values), "list")


def flattened(values: object) -> tuple[Value, ...]:
    """The two of `1 \\pm x` one by one."""
    found: list[Value] = []
    for value in values:  # type: ignore[attr-defined]
        found += value.items if isinstance(value, Both) else [value]
    return tuple(found)

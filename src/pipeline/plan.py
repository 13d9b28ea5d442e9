"""What a run would do and cost, before it does or costs anything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from src.core.store import Store
from src.pipeline.graph import Node

REUSED, SHARED, TO_DO = "reused", "shared", "to do"
UNITS = {
    "calls": "calls",
    "tokens": "tokens",
    "dollars": "dollars",
    "gpu_hours": "GPU hours",
    "gb_per_device": "GB a device",
}
LARGEST = {"gb_per_device"}  # stages run one after the other: the total is the most that one of them takes


def plan_lines(nodes: Sequence[Node], store: Store, before: Collection[str] = ()) -> Iterator[str]:
    """A line a node: name, key, reused, shared or to do, inputs, estimate; then the total of what is to do.

    before: keys that earlier jobs of the same sweep will have made by then.
    """
    totals = dict.fromkeys(UNITS, 0.0)
    states = {node.key: _state(node, store, before) for node in nodes}
    for node in nodes:
        state = states[node.key]
        cost = node.stage.estimate() if state == TO_DO else {}
        for unit, amount in cost.items():
            totals[unit] = max(totals[unit], amount) if unit in LARGEST else totals[unit] + amount
        inputs = ", ".join(dict.fromkeys(n.name for n in node.inputs.values()))
        arrow = f"<- {inputs}" if inputs else ""
        yield f"{node.name:<14} {node.key[:8]}  {state:<7} {arrow:<42} {_words(cost)}".rstrip()
    reused, shared, left = (list(states.values()).count(state) for state in (REUSED, SHARED, TO_DO))
    middle = f"{shared} shared with the jobs above, " if shared else ""
    yield f"{len(nodes)} nodes: {reused} reused, {middle}{left} to do. Estimate: {_words(totals) or 'no cost'}"


def _state(node: Node, store: Store, before: Collection[str]) -> str:
    if store.find(node.stage.kind, node.key) is not None:
        return REUSED
    return SHARED if node.key in before else TO_DO


def _words(cost: dict[str, float]) -> str:
    return ", ".join(f"{_short(amount)} {UNITS[unit]}" for unit, amount in cost.items() if amount)


def _short(amount: float) -> str:
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if amount >= limit:
            return f"{amount / (1e3 if suffix == 'k' else limit):.3g}{suffix}"
    return f"{amount:,.3g}" if amount < 100 else f"{amount:,.0f}"

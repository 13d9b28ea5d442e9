"""What a run would do and cost, before it does or costs anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from src.core.store import Store
from src.pipeline.graph import Node

UNITS = {"calls": "calls", "tokens": "tokens", "dollars": "dollars", "gpu_hours": "GPU hours", "gb_per_device": "GB"}
LARGEST = {"gb_per_device"}  # stages run one after the other: the total is the most that one of them takes


def plan_lines(nodes: Sequence[Node], store: Store) -> Iterator[str]:
    """A line a node: name, key, reused or to do, inputs, estimate; then the total of what is to do."""
    totals = dict.fromkeys(UNITS, 0.0)
    reused = 0
    for node in nodes:
        done = store.find(node.stage.kind, node.key) is not None
        reused += done
        cost = {} if done else node.stage.estimate()
        for unit, amount in cost.items():
            totals[unit] = max(totals[unit], amount) if unit in LARGEST else totals[unit] + amount
        inputs = ", ".join(dict.fromkeys(n.name for n in node.inputs.values()))
        arrow = f"<- {inputs}" if inputs else ""
        yield f"{node.name:<14} {node.key[:8]}  {'reused' if done else 'to do':<7} {arrow:<42} {_words(cost)}".rstrip()
    yield f"{len(nodes)} nodes: {reused} reused, {len(nodes) - reused} to do. Estimate: {_words(totals) or 'no cost'}"


def _words(cost: dict[str, float]) -> str:
    return ", ".join(f"{_short(amount)} {UNITS[unit]}" for unit, amount in cost.items() if amount)


def _short(amount: float) -> str:
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if amount >= limit:
            return f"{amount / (1e3 if suffix == 'k' else limit):.3g}{suffix}"
    return f"{amount:,.3g}" if amount < 100 else f"{amount:,.0f}"

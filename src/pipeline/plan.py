"""What a run would do and cost, before it does or costs anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from textwrap import indent
from typing import Any, Protocol

from src.core.fingerprint import components, left_out
from src.core.stage import Stage
from src.core.store import Store
from src.generation.budget import Budget
from src.modeling.flops import PLANNED_CARD
from src.pipeline.expected import Expected
from src.pipeline.graph import Node
from src.reporting.text import short

REUSED, SHARED, TO_DO = "reused", "shared", "to do"
UNITS = {
    "calls": "calls",
    "tokens": "tokens",
    "dollars": "dollars",
    "gpu_hours": f"{PLANNED_CARD} hours",
    "gb_per_device": "GB a device",
    "disk_gb": "GB on disk",
}
LARGEST = {"gb_per_device"}  # stages run one after the other: the total is the most that one of them takes


class PlannedJob(Protocol):
    """What a plan asks of a job."""

    study: str
    name: str
    seed: int
    store: Store
    nodes: list[Node]
    config: dict[str, Any]

    def absent(self) -> list[str]: ...


def plan_of_jobs(jobs: Sequence[PlannedJob]) -> Iterator[str]:
    """The plan of each job; of several, then the total, with what they share counted once."""
    before: dict[str, Node] = {}
    for job in jobs:
        yield f"{job.study} / {job.name}, seed {job.seed}"
        yield from plan_lines(job.nodes, job.store, before)
        if absent := job.absent():
            yield "Not at hand:"
            yield from (indent(error, "  ") for error in absent)
        if job.config.get("verbose"):
            yield from _left_out_lines(job.nodes)
        before |= {node.key: node for node in job.nodes}
        if len(jobs) > 1:
            yield ""
    if len(jobs) > 1:
        to_do = _to_do(before.values(), jobs[0].store)
        yield f"All {len(jobs)} jobs: {len(before)} nodes, {len(to_do)} to do. Estimate: {_in_all(to_do)}"
    yield from over_budget(jobs)


def plan_lines(nodes: Sequence[Node], store: Store, before: Collection[str] = ()) -> Iterator[str]:
    """A line a node: name, key, reused, shared or to do, inputs, estimate; then the total of what is to do.

    before: keys that earlier jobs of the same sweep will have made by then.
    """
    states = {node.key: _state(node, store, before) for node in nodes}
    to_do = _to_do(nodes, store, before)
    for node in nodes:
        inputs = ", ".join(dict.fromkeys(n.name for n in node.inputs.values()))
        arrow = f"<- {inputs}" if inputs else ""
        cost = _cost(to_do[node.key][1]) if node.key in to_do else ""
        yield f"{node.name:<14} {node.key[:8]}  {states[node.key]:<7} {arrow:<42} {cost}".rstrip()
    reused, shared, left = (list(states.values()).count(state) for state in (REUSED, SHARED, TO_DO))
    middle = f"{shared} shared with the jobs above, " if shared else ""
    yield f"{len(nodes)} nodes: {reused} reused, {middle}{left} to do. Estimate: {_in_all(to_do)}"


def _to_do(nodes: Iterable[Node], store: Store, before: Collection[str] = ()) -> dict[str, tuple[str, Stage]]:
    """By key, the names and the stages, with guesses at what they will read, of the nodes that nothing has made."""
    expected = Expected(store)
    return {node.key: (node.name, expected.stage(node)) for node in nodes if _state(node, store, before) == TO_DO}


def _cost(stage: Stage) -> str:
    return ", ".join(part for part in (_words(stage.estimate()), stage.uncounted) if part)


def _in_all(to_do: Mapping[str, tuple[str, Stage]]) -> str:
    """The sum, and which nodes have costs that no total can hold."""
    total = _words(_total(stage.estimate() for _, stage in to_do.values()))
    if names := dict.fromkeys(name for name, stage in to_do.values() if stage.uncounted):
        left_out = f"Not counted, for it depends on how many rows come so far: {', '.join(names)}"
        return f"{total}. {left_out}" if total else f"unknown. {left_out}"
    return total or "no cost"


def over_budget(jobs: Sequence[PlannedJob]) -> Iterator[str]:
    """Where what is to do may cost more than its budget, which all runs of a study share: they would stop half way."""
    nodes = {node.key: node for job in jobs for node in job.nodes}
    costs: dict[tuple[str, Budget], list[dict[str, float]]] = {}
    for node in nodes.values():
        if _state(node, jobs[0].store, ()) != TO_DO:
            continue
        payers = {(part.account.partition("/")[0], part.budget) for part in components(node.stage) if _pays(part)}
        for payer in payers:
            costs.setdefault(payer, []).append(node.stage.estimate())
    for (study, budget), each in costs.items():
        total = _total(each)
        for unit, limit in (("dollars", budget.max_dollars), ("calls", budget.max_calls)):
            if limit is not None and total[unit] > limit:
                yield (
                    f"Over the budget: {_short(total[unit])} {unit} at most, and the study {study} may spend "
                    f"{_short(limit)}; it would stop there.\n  -> Raise budget.max_{unit} of the generator (for the "
                    f"teacher: teacher.budget.max_{unit}=...), or ask less often."
                )


def _pays(part: Any) -> bool:
    return isinstance(getattr(part, "budget", None), Budget)


def _left_out_lines(nodes: Sequence[Node]) -> Iterator[str]:
    """What the keys leave out: options that cannot change what a stage makes."""
    yield "Not part of a key:"
    for node in nodes:
        for path, reason in left_out(node.stage):
            yield f"  {node.name}.{path}: {reason}"


def _total(costs: Iterable[dict[str, float]]) -> dict[str, float]:
    totals = dict.fromkeys(UNITS, 0.0)
    for cost in costs:
        for unit, amount in cost.items():
            totals[unit] = max(totals[unit], amount) if unit in LARGEST else totals[unit] + amount
    return totals


def _state(node: Node, store: Store, before: Collection[str]) -> str:
    if store.find(node.stage.kind, node.key) is not None:
        return REUSED
    return SHARED if node.key in before else TO_DO


def _words(cost: dict[str, float]) -> str:
    return ", ".join(f"{_short(cost[unit])} {name}" for unit, name in UNITS.items() if cost.get(unit))


def _short(amount: float) -> str:
    if amount >= 1e4:
        return short(amount)
    return f"{amount:,.3g}" if amount < 100 else f"{amount:,.0f}"

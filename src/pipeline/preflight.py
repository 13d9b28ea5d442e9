"""Everything that a run will need and that is not here, found before its first stage: nothing is paid for in vain.

A component says what it needs of this machine in `preflight`, a stage what it needs of its inputs in `check_inputs`,
and `compute.check` says which stages cannot be started: all raise a `UserError`. So a new component brings its checks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence

from src.core.errors import UserError
from src.core.fingerprint import components
from src.core.store import Store
from src.pipeline.expected import Expected
from src.pipeline.graph import Node
from src.pipeline.launch import Compute

GB = 1e9


def missing(nodes: Sequence[Node], store: Store, compute: Compute) -> list[str]:
    """What the nodes that are still to be made will miss, each with what to do about it. A node that stands in several
    jobs counts once."""
    each = {node.key: node for node in nodes}.values()
    to_make = [node for node in each if store.find(node.stage.kind, node.key) is None]
    expected = Expected(store)
    found = [error for node in to_make for error in _of_node(node, expected, compute)]
    found += _told(lambda: _check_disk(to_make, expected))
    return _by_mend(found)


def _by_mend(errors: Sequence[UserError]) -> list[str]:
    """Problems with one mend stand together, above it: of twenty names that no network answers for one message."""
    problems: dict[str, dict[str, None]] = {}
    for error in errors:
        problems.setdefault(error.mend, {})[error.problem] = None
    return [str(UserError("\n".join(names), mend)) for mend, names in problems.items()]


def _of_node(node: Node, expected: Expected, compute: Compute) -> Iterator[UserError]:
    yield from node.absent
    yield from _told(lambda: compute.check(node.stage))
    for part in components(node.stage):
        if hasattr(part, "preflight"):
            yield from _told(part.preflight)
    inputs = expected.inputs(node)
    yield from _told(lambda: node.stage.check_inputs(inputs))


def _check_disk(to_make: Sequence[Node], expected: Expected) -> None:
    folder = expected.store.root
    needed = sum(expected.stage(node).estimate().get("disk_gb", 0) for node in to_make)
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free / GB
    if needed > free:
        raise UserError(
            f"About {needed:,.0f} GB will be written, and the disk that holds {there} has {free:,.0f} GB free.",
            "Free some space, or choose another disk: outputs=/another/disk",
        )


def _told(check: Callable[[], None]) -> Iterator[UserError]:
    try:
        check()
    except UserError as error:
        yield error

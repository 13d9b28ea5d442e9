"""Everything that a run will need and that is not here, found before its first stage: nothing is paid for in vain.

A component says what it needs of this machine in `preflight`, a stage what it needs of its inputs in `check_inputs`:
both raise a `UserError`. So a new component brings its own checks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from src.core.errors import UserError
from src.core.fingerprint import components
from src.core.stage import Upstream
from src.core.store import Store
from src.pipeline.graph import Node

GB = 1e9


def missing(nodes: Sequence[Node], store: Store) -> list[str]:
    """What the nodes that are still to be made will miss, each with what to do about it."""
    to_make = [node for node in nodes if store.find(node.stage.kind, node.key) is None]
    found = [str(error) for node in to_make for error in _of_node(node, store)]
    found += [str(error) for error in _told(lambda: _check_disk(to_make, store.root))]
    return list(dict.fromkeys(found))


def _of_node(node: Node, store: Store) -> Iterator[UserError]:
    yield from node.absent
    for part in components(node.stage):
        if hasattr(part, "preflight"):
            yield from _told(part.preflight)
    inputs = {name: upstream(source, store) for name, source in node.inputs.items()}
    yield from _told(lambda: node.stage.check_inputs(inputs))


def upstream(node: Node, store: Store) -> Upstream:
    """The node as what feeds another: its rows are counted where it is made, else bounded by what feeds it."""
    if artifact := store.find(node.stage.kind, node.key):
        return Upstream(node.stage, int(artifact.manifest["counts"]["kept"]))
    inputs = {name: upstream(source, store) for name, source in node.inputs.items()}
    return Upstream(node.stage, node.stage.rows_at_most(inputs))


def _check_disk(to_make: Sequence[Node], folder: Path) -> None:
    needed = sum(node.stage.estimate().get("disk_gb", 0) for node in to_make)
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

"""What feeds a node, as far as it is known before the run: for checks and for plans."""

from __future__ import annotations

from src.core.stage import Stage, Upstream
from src.core.store import Store
from src.pipeline.graph import Node


class Expected:
    """Nodes as what feeds others, with their rows. Each is asked once: it feeds many, and some read files to tell."""

    def __init__(self, store: Store):
        self.store = store
        self._told: dict[str, Upstream] = {}

    def stage(self, node: Node) -> Stage:
        """The node's stage with guesses at what it will read, where its inputs allow some: what a plan asks."""
        return node.stage.expecting(self.inputs(node))

    def inputs(self, node: Node) -> dict[str, Upstream]:
        return {name: self._of(source) for name, source in node.inputs.items()}

    def _of(self, node: Node) -> Upstream:
        if node.key not in self._told:
            self._told[node.key] = self._look(node)
        return self._told[node.key]

    def _look(self, node: Node) -> Upstream:
        """Counted where the node is made, else bounded by what feeds it."""
        if artifact := self.store.find(node.stage.kind, node.key):
            return Upstream(node.stage, int(artifact.manifest["counts"]["kept"]), counted=True)
        return Upstream(node.stage, node.stage.rows_at_most(self.inputs(node)), node.stage.counts_rows)

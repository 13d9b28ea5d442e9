"""Searches over the steps of a solution, led by a process reward model (MindStar, arXiv 2405.16265).

A node is a partial solution, a step a line. Expanding a node draws next steps from the model; a node's value is made of
its steps' rewards. Siblings with the same text are one node. A step that holds a box is the last.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from src.core.checks import at_least
from src.core.errors import UserError
from src.evaluation.decoding.base import Candidate, Decoded, Resources, Rewarded
from src.evaluation.decoding.tree import TreeNode
from src.evaluation.decoding.whole import Aggregate, draw, weighted_majority
from src.evaluation.requests import PlannedQuestion


def programs_are_no_steps(benchmark: str) -> UserError:
    return UserError(
        f"The benchmark {benchmark} is answered by programs, and a search goes on from steps of text.",
        "Choose decoding=best_of_n or majority for it, or another prompting.",
    )


class Frontier(ABC):
    """Which nodes of a tree are expanded next."""

    @abstractmethod
    def push(self, nodes: Sequence[TreeNode]) -> None:
        """New nodes, their values known: the children of all that were expanded together."""

    @abstractmethod
    def pop(self) -> list[TreeNode]:
        """The nodes to expand together now; none: the search has ended."""

    @abstractmethod
    def rank(self, node: TreeNode) -> float:
        """Of complete answers the one with the highest is the tree's own."""


class BeamFrontier(Frontier):
    """The `width` best of each level; answers take their places in it, what met a limit does not: it has no reward."""

    def __init__(self, width: int):
        self.width = width
        self.level: list[TreeNode] = []

    def push(self, nodes: Sequence[TreeNode]) -> None:
        rewarded = (node for node in nodes if node.state != "cut")
        self.level = sorted(rewarded, key=lambda node: (-node.value, node.path))[: self.width]

    def pop(self) -> list[TreeNode]:
        level, self.level = self.level, []
        return [node for node in level if node.state == "open"]

    def rank(self, node: TreeNode) -> float:
        return node.value


class CostFrontier(Frontier):
    r"""One node at a time, the cheapest first, until that is an answer.

    "levin" (Orseau et al. 2018, arXiv 1811.10928): the cost is d(n) / v(n), d(n) being the nodes on the path to n with
    the root, v(n) its value. Where the values are those of a policy (at the root 1, and those of siblings add up to
    their parent's at most) at most d(n*) / v(n*) nodes are expanded before any answer n* is found: all that come before
    it have a cost of at most c = d(n*) / v(n*) and form a tree, as costs grow along paths; it has no more nodes than
    its leaves l have on their paths, sum_l d(l) <= sum_l c v(l) <= c. Rewards of a reward model are no policy: products
    of them lead the search as in MindStar, without the bound. "best_first": the cost is -v(n).
    """

    def __init__(self, order: Literal["levin", "best_first"]):
        self.order = order
        self.heap: list[tuple[float, tuple[int, ...], TreeNode]] = []

    def push(self, nodes: Sequence[TreeNode]) -> None:
        for node in nodes:
            heapq.heappush(self.heap, (-self.rank(node), node.path, node))

    def pop(self) -> list[TreeNode]:
        while self.heap:
            node = heapq.heappop(self.heap)[2]
            if node.state == "answer":
                return []
            if node.state == "open":
                return [node]
        return []

    def rank(self, node: TreeNode) -> float:
        if self.order == "best_first":
            return node.value
        return -(len(node.path) + 1) / node.value if node.value > 0 else -float("inf")


DEPTH = 32


@dataclass(frozen=True, kw_only=True)
class TreeSearch(Rewarded):
    """samples: next steps that are drawn for the nodes expanded together, over all trees; a question may take as many
        tokens as so many answers, unless `tokens` says how many. Where that is one step for each tree and nothing else
        is limited, there is nothing to choose: answers are written in one piece, and are those of plain sampling.

    aggregate: how the rewards of the steps to a node become its value.
    delimiter: what ends a step.
    depth: steps of an answer at most.
    expansions: nodes expanded for a question at most.
    tokens: that may be generated for a question. None: as many as `samples` answers may have.
    """

    aggregate: Aggregate = "product"
    delimiter: str = "\n"
    depth: int = DEPTH
    expansions: int | None = None
    tokens: int | None = None

    reads_steps = True

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "depth", "expansions", "tokens")
        if not self.delimiter:
            raise ValueError("delimiter must not be empty: without one an answer has no steps")

    @property
    def planned(self) -> int:
        """A request for the root of each tree."""
        return self.trees

    @property
    def trees(self) -> int:
        return 1

    @property
    def _own_limits(self) -> list[str]:
        depth = self.depth if self.depth != DEPTH else None
        given = {"tokens": self.tokens, "expansions": self.expansions, "depth": depth}
        return [f"decoding.{name}={value}" for name, value in given.items() if value is not None]

    @property
    def limits(self) -> str:
        return ", ".join([*self._own_limits, super().limits])

    @abstractmethod
    def frontier(self) -> Frontier:
        """A new one, for a new tree."""

    def decode(self, plan: Sequence[PlannedQuestion], resources: Resources) -> list[Decoded]:
        if self.size == self.trees and not self._own_limits:
            return draw(plan, resources)
        from src.evaluation.decoding.search import search

        return search(self, plan, resources)

    def rank(self, path: tuple[int, ...], value: float) -> float:
        return self.frontier().rank(TreeNode(path, value=value))

    def choose(self, keys: Sequence[str | None], candidates: Sequence[Candidate]) -> int | None:
        return max(range(len(candidates)), key=lambda i: candidates[i].rank)


@dataclass(frozen=True, kw_only=True)
class Beam(TreeSearch):
    """Beam search: of all steps drawn at a level the best are gone on with.

    width: how many.
    """

    width: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "width")
        if self.samples is not None and self.width > self.samples:
            raise ValueError(f"width must be at most samples ({self.samples}), not {self.width}")

    def frontier(self) -> Frontier:
        return BeamFrontier(self.width)


@dataclass(frozen=True, kw_only=True)
class Levin(TreeSearch):
    """Levin tree search, or best-first search: one node at a time.

    order: "levin" expands the node of the lowest depth over value next, "best_first" that of the highest value.
    """

    order: Literal["levin", "best_first"] = "levin"

    def frontier(self) -> Frontier:
        return CostFrontier(self.order)


@dataclass(frozen=True, kw_only=True)
class Forest(TreeSearch):
    """Several trees with random steps of their own, which share samples and budgets; each tree's answer votes with its
    value.

    forest: how many trees.
    tree: how each is searched, a beam being one node wide.
    """

    forest: int = 4
    tree: Literal["levin", "best_first", "beam"] = "levin"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "forest")

    @property
    def trees(self) -> int:
        return min(self.forest, self.size, self.expansions or self.forest, self.tokens or self.forest)

    def frontier(self) -> Frontier:
        return BeamFrontier(1) if self.tree == "beam" else CostFrontier(self.tree)

    def choose(self, keys: Sequence[str | None], candidates: Sequence[Candidate]) -> int | None:
        """Of each tree its own answer."""
        best: dict[int, int] = {}
        for i, candidate in enumerate(candidates):
            if candidate.tree not in best or candidate.rank > candidates[best[candidate.tree]].rank:
                best[candidate.tree] = i
        own = list(best.values())
        return own[weighted_majority([keys[i] for i in own], [candidates[i].value for i in own])]

"""Runs the search trees of all questions side by side: while one waits for its steps, the engine writes for others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import chain
from typing import Any

from src.core.records import content_id
from src.evaluation.decoding.base import Candidate, Decoded, DecodingCompute, Resources
from src.evaluation.decoding.rewards import Scores, StepScorer
from src.evaluation.decoding.tree import Draft, Tree, TreeNode, even_shares
from src.evaluation.decoding.trees import TreeSearch, programs_are_no_steps
from src.evaluation.decoding.whole import rounded
from src.evaluation.requests import Answer, PlannedQuestion, raise_if_lost
from src.generation.base import Completion, Request, Session

SCORED_AT_ONCE = 256
KEPT = ("text", "finish_reason", "completion_tokens", "prompt_tokens", "stopped_at")  # of a completion in the journal
SECONDS = "seconds"  # beside it, and beside rewards: the tree's share of the time


def search(options: TreeSearch, plan: Sequence[PlannedQuestion], resources: Resources) -> list[Decoded]:
    """What the searches find, a question each, in the plan's order.

    Raises UserError for questions that are answered by programs, which are no steps.
    """
    for planned in plan:
        if planned.way.programs:
            raise programs_are_no_steps(planned.benchmark)
    forests = [_trees(options, planned) for planned in plan]
    _Search(list(chain(*forests)), resources).run()
    return [_decoded(trees) for trees in forests]


def _trees(options: TreeSearch, planned: PlannedQuestion) -> list[Tree]:
    """A question's trees, with equal shares of its samples and budgets."""
    trees = options.trees
    tokens = (options.tokens or options.size * planned.requests[0].sampling.max_tokens) // trees
    nodes = even_shares(options.expansions, trees) if options.expansions else [None] * trees
    steps = even_shares(options.size, trees)
    return [Tree(planned, n, options, steps[n], tokens, nodes[n]) for n in range(trees)]


def _decoded(trees: Sequence[Tree]) -> Decoded:
    found = [candidate for tree in trees for candidate in tree.candidates()]
    compute = DecodingCompute(
        generated=sum(tree.compute.generated for tree in trees),
        prompt=max(tree.compute.prompt for tree in trees),
        scored=sum(tree.compute.scored for tree in trees),
        seconds=sum(tree.compute.seconds for tree in trees),
    )
    rows = tuple(row for tree in trees for row in tree.rows())
    return Decoded(tuple(found or [Candidate(Answer("", "error", 0))]), compute, rows)


class _Search:
    """A tree waits for all the steps of its round, and for their rewards; then it decides alone. So neither the order
    of completions nor what else is written beside them changes a tree, and a kill costs what was in flight.
    """

    def __init__(self, trees: Sequence[Tree], resources: Resources):
        self.resources, self.trees = resources, trees
        self.known: dict[str, dict[str, Any]] = dict(resources.journal.rows())
        self.queue: deque[tuple[Draft, Request]] = deque()
        self.asked: dict[str, tuple[Draft, Request]] = {}
        self.arrived: deque[tuple[Draft, Completion]] = deque()
        self.unscored: list[tuple[Tree, TreeNode]] = []
        self.clock = time.monotonic()
        self.stack = ExitStack()
        self.scorer: StepScorer | None = None
        self.lost: list[str] = []  # why texts failed that another time may spare
        self.heard = 0
        self.begun = False  # before that, whatever is complete lay in the journal

    def run(self) -> None:
        with self.stack:
            for tree in self.trees:
                self._grow(tree)
            self._hear_all()
            self._score_waiting()
            if not self.queue:  # all of it was in the journal
                return
            self.begun = True
            session = self.stack.enter_context(self.resources.open_session())
            self._lap([])
            for completion in self._conversation(session):
                draft, request = self.asked.pop(completion.id)
                seconds = self._lap([draft.tree])
                self.heard += 1
                if completion.transient:
                    self.lost.append(completion.error or "unknown error")
                if completion.finish_reason != "error":
                    kept = {name: getattr(completion, name) for name in KEPT}
                    self.resources.journal.append(request.id, {**kept, SECONDS: seconds})
                self.arrived.append((draft, completion))
                self._hear_all()
                self.resources.progress.advance(0, note=f"{self.heard:,} steps")
        raise_if_lost(self.lost, self.heard)

    def _conversation(self, session: Session) -> Iterator[Completion]:
        while True:
            yield from session.converse(self._ready)
            if not self.asked:
                return
            for id in list(self.asked):  # an engine that drops requests is not let off silently
                yield Completion(id, "", "error", error="the engine lost it")

    def _ready(self, room: int) -> list[Request]:
        """Requests that can be asked now. Steps wait for their rewards until as many of them wait as are written, so
        that the reward model reads many at a time and the engine does not run dry."""
        self._score_waiting()
        requests: list[Request] = []
        while self.queue and len(requests) < room:
            draft, request = self.queue.popleft()
            self.asked[request.id] = (draft, request)
            requests.append(request)
        return requests

    def _grow(self, tree: Tree) -> None:
        """Go on with a tree that waits for nothing."""
        drafts = tree.grow()
        if not drafts:
            progress = self.resources.progress
            (progress.advance if self.begun else progress.found)(1)
        for draft in drafts:
            self._ask(draft)

    def _ask(self, draft: Draft) -> None:
        request = draft.request()
        if row := self.known.get(request.id):
            draft.tree.compute.seconds += row.get(SECONDS, 0.0)
            self.arrived.append((draft, Completion(request.id, **{name: row[name] for name in KEPT})))
        else:
            self.queue.append((draft, request))

    def _hear_all(self) -> None:
        """Take in what was written; what follows from it may lie in the journal as well."""
        while self.arrived:
            draft, completion = self.arrived.popleft()
            if not draft.hear(completion):
                self._ask(draft)
                continue
            draft.tree.waiting -= 1
            if not draft.tree.waiting:
                self._settle(draft.tree)

    def _settle(self, tree: Tree) -> None:
        """All steps of a tree's round are there."""
        for node in tree.settle():
            if row := self.known.get(self._score_id(tree, node)):
                tree.compute.seconds += row.get(SECONDS, 0.0)
                tree.reward(node, Scores(tuple(row["rewards"]), row["tokens"]))
            else:
                self.unscored.append((tree, node))
        self._place(tree)

    def _place(self, tree: Tree) -> None:
        if not tree.waiting:
            tree.frontier.push(tree.fresh)
            self._grow(tree)

    def _score_waiting(self) -> None:
        while self.unscored and not self.queue and len(self.unscored) >= min(len(self.asked), SCORED_AT_ONCE):
            self._score()
            self._hear_all()

    def _score(self) -> None:
        if self.scorer is None:
            self.scorer = self.stack.enter_context(self.resources.open_scorer())
            self._lap([])  # that it is loaded once is no question's doing, as with the engine
        batch, self.unscored = self.unscored[:SCORED_AT_ONCE], self.unscored[SCORED_AT_ONCE:]
        found = self.scorer.score([tree.partial(node) for tree, node in batch])
        seconds = self._lap([tree for tree, _ in batch])
        for (tree, node), scores in zip(batch, found, strict=True):
            scores = rounded(scores)
            self.resources.journal.append(self._score_id(tree, node), {**asdict(scores), SECONDS: seconds})
            tree.reward(node, scores)
        for tree in dict.fromkeys(tree for tree, _ in batch):
            self._place(tree)

    def _score_id(self, tree: Tree, node: TreeNode) -> str:
        return content_id("rewards", tree.root.id, *node.path, *node.steps)

    def _lap(self, trees: Sequence[Tree]) -> float:
        """Charge the time since the last call to these trees; returns the share of each."""
        before, self.clock = self.clock, time.monotonic()
        each = (self.clock - before) / max(len(trees), 1)
        for tree in trees:
            tree.compute.seconds += each
        return each

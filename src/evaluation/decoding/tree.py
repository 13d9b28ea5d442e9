"""One search tree of one question: its nodes, the steps that are being written, and what may still be spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from src.core.records import content_id, seed_from
from src.evaluation.decoding.base import Candidate, DecodingCompute
from src.evaluation.decoding.rewards import Partial, Scores
from src.evaluation.decoding.whole import NOTHING, value_of
from src.evaluation.prompting import full_text
from src.evaluation.requests import Answer, PlannedQuestion
from src.generation.base import Completion, Request

if TYPE_CHECKING:
    from src.evaluation.decoding.trees import TreeSearch

BOX = "\\boxed{"

State = Literal["open", "answer", "cut"]


@dataclass(slots=True, eq=False)
class TreeNode:
    """A partial solution.

    path: the numbers of the children that lead to it, () for the root. text: all that was written so far, `steps` being
    its steps and `tokens` its tokens. state: an "answer" is complete, a "cut" one met a limit.
    """

    path: tuple[int, ...] = ()
    text: str = ""
    steps: tuple[str, ...] = ()
    tokens: int = 0
    rewards: tuple[float, ...] = ()
    value: float = 1.0
    state: State = "open"


@dataclass(slots=True, eq=False)
class Draft:
    """A step of a node that is being written, of at most `limit` tokens. Blank lines belong to the step after them."""

    tree: Tree
    parent: TreeNode
    child: int
    limit: int
    text: str = ""
    tokens: int = 0
    ended: Literal["step", "answer", "cut", "error"] | None = None

    def request(self) -> Request:
        """What the model is asked now. Id and seed are those of the node that is to come, wherever it is written."""
        planned = self.tree.root
        path = (*self.parent.path, self.child)
        prompt = planned.prompt + self.parent.text + self.text
        left = self.limit - self.tokens
        return Request(
            id=content_id(planned.id, *path, prompt, left),
            prompt=prompt,
            seed=seed_from(planned.seed, *path, len(self.text)),
            sampling=replace(planned.sampling, max_tokens=left, stop=self._stop()),
        )

    def _stop(self) -> tuple[str, ...]:
        """The delimiter and the style's own stop strings; of those that begin with delimiters, which have ended the
        steps before, what is left."""
        delimiter, stops = self.tree.options.delimiter, self.tree.root.sampling.stop
        begun = [_without_beginning(stop, delimiter) for stop in stops if stop.startswith(delimiter)]
        return tuple(dict.fromkeys((delimiter, *stops, *filter(None, begun if self.parent.text else ()))))

    def _is_within_a_step(self, stopped_at: str | None) -> bool:
        """Whether this is what is left of a stop string, met where the delimiters before it were not written."""
        if not stopped_at or stopped_at == self.tree.options.delimiter:
            return False
        written = self.parent.text + self.text + stopped_at
        return not any(written.endswith(stop) for stop in self.tree.root.sampling.stop)

    def hear(self, completion: Completion) -> bool:
        """Take in what was written. Returns whether the step has ended; else `request` goes on behind a blank line, or
        what only looked like an end."""
        delimiter = self.tree.options.delimiter
        self.tokens += completion.completion_tokens
        self.text += completion.text
        self.tree.compute.generated += completion.completion_tokens
        if not self.parent.path:
            self.tree.compute.prompt = max(self.tree.compute.prompt, completion.prompt_tokens)
        if completion.finish_reason == "error":
            self.ended = "error"
        elif completion.finish_reason == "length":
            self.ended = "cut"
        elif self._is_within_a_step(completion.stopped_at):
            self.text += completion.stopped_at or ""
            if self.tokens < self.limit:
                return False
            self.ended = "cut"
        elif completion.stopped_at != delimiter or BOX in self.text or delimiter in self.tree.root.sampling.stop:
            self.ended = "answer"
        elif self.text.strip():
            self.text += delimiter
            self.ended = "step"
        elif self.tokens < self.limit:
            self.text += delimiter
            return False
        else:
            self.ended = "cut"
        return True

    def node(self) -> TreeNode:
        step = self.text.strip()
        steps = (*self.parent.steps, *((step,) if step else ()))
        tokens = self.parent.tokens + self.tokens
        state: State = "answer" if self.ended == "answer" else "cut"
        if self.ended == "step" and len(steps) < self.tree.options.depth and tokens < self.tree.longest:
            state = "open"
        path = (*self.parent.path, self.child)
        text = self.parent.text + self.text
        value = self.parent.value if steps else NOTHING
        return TreeNode(path, text, steps, tokens, self.parent.rewards, value, state)


def _without_beginning(text: str, beginning: str) -> str:
    while text.startswith(beginning):
        text = text.removeprefix(beginning)
    return text


def even_shares(whole: int, among: int) -> list[int]:
    """Of a whole; the first have one more where it does not come out even."""
    return [whole // among + (n < whole % among) for n in range(among)]


@dataclass(eq=False)
class Tree:
    """number: which of the question's trees. candidates_a_round: steps that it draws for the nodes it expands
    together. tokens, expansions: what it may spend."""

    planned: PlannedQuestion
    number: int
    options: TreeSearch
    candidates_a_round: int
    tokens: int
    expansions: int | None
    compute: DecodingCompute = field(default_factory=DecodingCompute)
    nodes: list[TreeNode] = field(default_factory=list)
    expanded: int = 0
    writing: list[Draft] = field(default_factory=list)
    fresh: list[TreeNode] = field(default_factory=list)  # of the last round, until their values are known
    waiting: int = 0  # drafts that have not ended, or nodes that have no value yet

    def __post_init__(self) -> None:
        self.root: Request = self.planned.requests[self.number]
        self.longest = self.root.sampling.max_tokens
        self.question = full_text(self.planned.question)
        self.frontier = self.options.frontier()
        self.nodes.append(TreeNode())
        self.frontier.push(self.nodes)

    def grow(self) -> list[Draft]:
        """The next steps to write; none when the search has ended.

        What is left of the tokens is divided among the steps before any is written, so that they cannot pass it
        together, in whatever order they end.
        """
        left = self.tokens - self.compute.generated
        parents = self.frontier.pop()
        if self.expansions is not None:
            parents = parents[: self.expansions - self.expanded]
        shares = even_shares(self.candidates_a_round, len(parents))
        wanted = [
            (parent, child) for parent, share in zip(parents, shares, strict=True) for child in range(max(share, 1))
        ]
        wanted = wanted[: max(left, 0)]
        drafts = [
            Draft(self, parent, child, min(left // len(wanted), self.longest - parent.tokens))
            for parent, child in wanted
        ]
        self.expanded += len({draft.parent.path for draft in drafts})
        self.writing, self.waiting = drafts, len(drafts)
        return drafts

    def settle(self) -> list[TreeNode]:
        """The drafts as nodes, those of the same parent and text as one; returns those that need a reward: what met a
        limit leads nowhere, and keeps its parent's value."""
        seen: dict[tuple[tuple[int, ...], str, str], TreeNode] = {}
        for draft in self.writing:
            if draft.ended != "error":
                node = draft.node()
                seen.setdefault((draft.parent.path, node.text, node.state), node)
        self.fresh = list(seen.values())
        self.nodes += self.fresh
        unscored = [node for node in self.fresh if node.state != "cut" and len(node.steps) > len(node.rewards)]
        self.waiting = len(unscored)
        return unscored

    def partial(self, node: TreeNode) -> Partial:
        return Partial(self.question, node.steps, first=len(node.rewards))

    def reward(self, node: TreeNode, scores: Scores) -> None:
        node.rewards += scores.rewards
        node.value = value_of(node.rewards, self.options.aggregate)
        self.compute.scored += scores.tokens
        self.waiting -= 1

    def candidates(self) -> list[Candidate]:
        """The complete answers, in the order of their paths; else the best of what has a reward of its own, and where
        nothing has, of what met a limit."""
        answers = [node for node in self.nodes if node.state == "answer"]
        leaves = [node for node in self.nodes if node.path]
        if not answers and leaves:
            answers = [max(leaves, key=lambda node: (node.state != "cut", node.value, node.path))]
        return [
            Candidate(
                Answer(node.text.rstrip(), "stop" if node.state == "answer" else "length", node.tokens),
                node.value,
                self.frontier.rank(node),
                self.number,
                node.path,
            )
            for node in sorted(answers, key=lambda node: node.path)
        ]

    def rows(self) -> Sequence[dict[str, Any]]:
        """The nodes for JSON, parents before children."""
        return [
            {
                "tree": self.number,
                "path": list(node.path),
                "step": node.steps[-1] if node.steps else "",
                "reward": node.rewards[-1] if node.rewards else None,
                "value": round(node.value, 6),
                "state": node.state,
            }
            for node in self.nodes
        ]

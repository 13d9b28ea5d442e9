"""Stage `compositions`: topics drawn together, with a practice of each, become prompts for new problems."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

import numpy as np

from src.core.checks import at_least
from src.core.records import Problem, Prompt, content_id, seed_from, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.keypoints.asking import compose_prompt
from src.keypoints.cooccurrence import draw_topics
from src.keypoints.library import Library
from src.keypoints.records import Composition, Practice
from src.stages.topics import MATRIX, TOPICS


@dataclass(frozen=True)
class Compositions(Stage):
    """Reads the inputs "seeds" and "topics"; writes the tables `prompts` and `compositions`, row beside row.

    count: how many. topics: how many are drawn for each, one of these numbers; fewer stay where none goes with them,
        or where one comes again that has no other practice.
    draw: "cooccurrence" draws by which topics occur together, "random" each topic alike.
    with_key_points: False names the topics alone, for comparison.
    """

    kind: ClassVar[str] = "compositions"
    version: ClassVar[int] = 2

    count: int
    topics: tuple[int, ...] = (2, 3)
    draw: Literal["cooccurrence", "random"] = "cooccurrence"
    with_key_points: bool = True
    data_seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "topics", tuple(self.topics))
        at_least(self, 1, "count")
        if not self.topics or min(self.topics) < 1:
            raise ValueError(f"topics must be numbers of at least 1, not {list(self.topics)}")
        if self.draw not in ("cooccurrence", "random"):
            raise ValueError(f"draw must be cooccurrence or random, not {self.draw}")

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return self.count

    def run(self, ctx: StageContext) -> None:
        source = ctx.inputs["topics"]
        names = [row["topic"] for row in json.loads((source.path / TOPICS).read_text(encoding="utf-8"))]
        matrix = np.load(source.path / MATRIX)
        if self.draw == "random" or not matrix.any():  # where no two topics occur together, each counts alike
            matrix = np.ones_like(matrix)
        library = Library(ctx.inputs["seeds"].table("problems", Problem), source.table("practices", Practice))
        by_topic: dict[str, list[str]] = {name: [] for name in names}
        for practice in library.practices.values():
            by_topic[practice.topic].append(practice.id)
        drawn = [self._drawn(number, matrix, names, by_topic) for number in range(self.count)]
        rows = _composed(drawn, library, self.with_key_points)
        write_table(ctx.out / "prompts", Prompt, (prompt for prompt, _ in rows))
        rows = _composed(drawn, library, self.with_key_points)  # again: their texts are not held
        write_table(ctx.out / "compositions", Composition, (composition for _, composition in rows))
        ctx.tally.enter(self.count)
        ctx.tally.keep(self.count)
        ctx.summary |= {f"topics/{n}": count for n, count in sorted(Counter(len(t) for t, _ in drawn).items())}
        ctx.summary["distinct_topics"] = len({topic for topics, _ in drawn for topic in topics})

    def _drawn(
        self, number: int, matrix: np.ndarray, names: list[str], by_topic: dict[str, list[str]]
    ) -> tuple[list[str], list[str]]:
        """Topics, and the ids of their practices. The first draws of a larger `count` are those of a smaller one."""
        rng = Random(seed_from("composition", self.data_seed, number))
        practices: dict[str, str] = {}  # by id, the topic of each
        for topic in draw_topics(matrix, rng.choice(self.topics), rng):
            left = [id for id in by_topic[names[topic]] if id not in practices]
            if left:  # a topic that comes again shows another practice, or none
                practices[rng.choice(left)] = names[topic]
        return list(practices.values()), list(practices)


def _composed(
    drawn: list[tuple[list[str], list[str]]], library: Library, with_key_points: bool
) -> Iterator[tuple[Prompt, Composition]]:
    """The same draw again is another prompt, with an id of its own. The education stage is the first practice's."""
    before: Counter[str] = Counter()
    for topics, practices in drawn:
        sets = library.demonstrations(practices)
        points = list(dict.fromkeys(point for each in sets for point in each.key_points))
        selected = points if with_key_points else list(dict.fromkeys(topics))
        first, text = library.problem(practices[0]), compose_prompt(sets, selected, with_key_points)
        before[key := content_id(text)] += 1
        id = content_id("composition", key, before[key])
        prompt = Prompt(id, first.id, first.stage, "cot", text)
        yield prompt, Composition(id, topics, practices, points, selected)

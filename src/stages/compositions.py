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
from src.core.seen import Seen
from src.core.stage import Stage, StageContext, Upstream
from src.keypoints.asking import compose_prompt
from src.keypoints.cooccurrence import draw_topics
from src.keypoints.library import Library
from src.keypoints.records import Composition, Practice
from src.stages.topics import MATRIX, TOPICS

NONE = -1  # where fewer topics were drawn than may be


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
        ids = list(library.practices)
        by_topic: dict[str, list[int]] = {name: [] for name in names}
        for place, practice in enumerate(library.practices.values()):
            by_topic[practice.topic].append(place)
        practices_of = [by_topic[name] for name in names]
        drawn = np.full((self.count, max(self.topics)), NONE, np.int32)
        for number in range(self.count):
            places = self._drawn(number, matrix, practices_of)
            drawn[number, : len(places)] = places
        rows = _composed(drawn, ids, library, self.with_key_points)
        write_table(ctx.out / "prompts", Prompt, (prompt for prompt, _ in rows))
        rows = _composed(drawn, ids, library, self.with_key_points)  # again: their texts are not held
        write_table(ctx.out / "compositions", Composition, (composition for _, composition in rows))
        ctx.tally.enter(self.count)
        ctx.tally.keep(self.count)
        sizes = np.bincount((drawn != NONE).sum(axis=1))
        ctx.summary |= {f"topics/{n}": count for n, count in enumerate(sizes.tolist()) if count}
        shown = (ids[place] for place in np.unique(drawn).tolist() if place != NONE)
        ctx.summary["distinct_topics"] = len({library.practices[id].topic for id in shown})

    def _drawn(self, number: int, matrix: np.ndarray, practices_of: list[list[int]]) -> list[int]:
        """Practices of the topics drawn, by their places; `practices_of`: those of each topic. The first draws of a
        larger `count` are those of a smaller one."""
        rng = Random(seed_from("composition", self.data_seed, number))
        practices: list[int] = []
        for topic in draw_topics(matrix, rng.choice(self.topics), rng):
            left = [place for place in practices_of[topic] if place not in practices]
            if left:  # a topic that comes again shows another practice, or none
                practices.append(rng.choice(left))
        return practices


def _composed(
    drawn: np.ndarray, ids: list[str], library: Library, with_key_points: bool
) -> Iterator[tuple[Prompt, Composition]]:
    """The same draw again is another prompt, with an id of its own. The education stage is the first practice's.

    drawn: [n, most topics], places in `ids`."""
    seen, again = Seen(), Counter[str]()  # the texts that came before; how often those came that came again
    for row in drawn:
        practices = [ids[place] for place in row.tolist() if place != NONE]
        sets = library.demonstrations(practices)
        topics = [each.topic for each in sets]
        points = list(dict.fromkeys(point for each in sets for point in each.key_points))
        selected = points if with_key_points else list(dict.fromkeys(topics))
        first, text = library.problem(practices[0]), compose_prompt(sets, selected, with_key_points)
        key = content_id(text)
        if not seen.add(int(key[:16], 16)):
            again[key] += 1
        id = content_id("composition", key, again[key] + 1)
        prompt = Prompt(id, first.id, first.stage, "cot", text)
        yield prompt, Composition(id, topics, practices, points, selected)

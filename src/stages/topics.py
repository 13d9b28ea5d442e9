"""Stage `topics`: topics that mean the same become one, and those that occur together are counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import numpy as np

from src.core.checks import at_least
from src.core.errors import UserError
from src.core.records import content_id, write_table
from src.core.stage import Stage, StageContext
from src.core.store import write_json
from src.embedding.base import Embedder
from src.keypoints.cooccurrence import MANY_KEY_POINTS, cooccurrence
from src.keypoints.merging import Merged, merge, topic_vectors
from src.keypoints.records import Practice

MATRIX = "cooccurrence.npy"  # [n, n], in the order of topics.json
TOPICS = "topics.json"
MERGED = "merged.jsonl"  # for a person to check: which topic gave way to which, the least alike first


@dataclass(frozen=True)
class Topics(Stage):
    """Reads `practices`; writes them again with the topics that stay, and the three files named above.

    embedder: which key points are alike. threshold: the cosine of two topics from which they are one.
    many: a problem with more key points of a topic counts as that topic together with itself.
    """

    kind: ClassVar[str] = "topics"
    version: ClassVar[int] = 2

    embedder: Embedder
    threshold: float = 0.9
    many: int = MANY_KEY_POINTS

    def __post_init__(self) -> None:
        at_least(self, 1, "many")
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold must lie in (0, 1], not {self.threshold}")

    def run(self, ctx: StageContext) -> None:
        practices = list(ctx.inputs["key_points"].table("practices", Practice))
        if not practices:
            raise UserError("No seed problem has key points.", "Read the texts of the stage key_points.")
        merged = self._merged(ctx, practices)
        kept = _retold(practices, {each.topic: each.into for each in merged})
        sizes = Counter(practice.topic for practice in kept)
        ctx.tally.enter(len(sizes) + len(merged))
        ctx.tally.keep(len(sizes))
        ctx.tally.reject("merged into another topic", len(merged))
        topics = sorted(sizes, key=lambda topic: (-sizes[topic], topic))
        matrix = cooccurrence(_by_problem(kept, topics), len(topics), self.many)
        write_table(ctx.out / "practices", Practice, kept)
        np.save(ctx.out / MATRIX, matrix)
        write_json(ctx.out / TOPICS, list(_told(topics, kept, merged)))
        lines = (json.dumps(asdict(each), ensure_ascii=False) for each in sorted(merged, key=lambda m: m.similarity))
        (ctx.out / MERGED).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        ctx.summary["alone"] = int((matrix.sum(axis=1) == 0).sum())

    def _merged(self, ctx: StageContext, practices: list[Practice]) -> list[Merged]:
        points = sorted({point for practice in practices for point in practice.key_points})
        vectors = dict(zip(points, self.embedder.embed(points, ctx.cache), strict=True))
        by_topic: dict[str, list[str]] = {}
        for practice in practices:
            by_topic.setdefault(practice.topic, []).extend(practice.key_points)
        sizes = Counter(practice.topic for practice in practices)
        ctx.summary["key_points"] = len(points)
        return merge({topic: sizes[topic] for topic in by_topic}, topic_vectors(by_topic, vectors), self.threshold)


def _retold(practices: list[Practice], into: dict[str, str]) -> list[Practice]:
    """By the topics that stay; where two of a problem's topics became one, so do its practices. Sorted by id."""
    found: dict[tuple[str, str], Practice] = {}
    for practice in practices:
        topic = into.get(practice.topic, practice.topic)
        id = content_id("practice", practice.problem_id, topic)
        there = found.get((practice.problem_id, topic))
        points = dict.fromkeys([*(there.key_points if there else ()), *practice.key_points])
        found[practice.problem_id, topic] = replace(practice, id=id, topic=topic, key_points=list(points))
    return sorted(found.values(), key=lambda practice: practice.id)


def _by_problem(practices: list[Practice], topics: list[str]) -> Iterator[dict[int, int]]:
    numbers = {topic: n for n, topic in enumerate(topics)}
    by_problem: dict[str, dict[int, int]] = {}
    for practice in practices:
        by_problem.setdefault(practice.problem_id, {})[numbers[practice.topic]] = len(practice.key_points)
    yield from by_problem.values()


def _told(topics: list[str], practices: list[Practice], merged: list[Merged]) -> Iterator[dict[str, object]]:
    """The rows of `topics.json`."""
    of_topic: dict[str, list[Practice]] = {topic: [] for topic in topics}
    for practice in practices:
        of_topic[practice.topic].append(practice)
    gave_way: dict[str, list[str]] = {topic: [] for topic in topics}
    for each in merged:
        gave_way[each.into].append(each.topic)
    for topic, of_one in of_topic.items():
        key_points = {point for practice in of_one for point in practice.key_points}
        yield {
            "topic": topic,
            "problems": len(of_one),
            "key_points": len(key_points),
            "merged": gave_way[topic],
        }

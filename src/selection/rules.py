"""From scores to a choice: how many, shared out among which groups, and nothing twice.

All rules walk down the order of the scores, ties by id, so the choice is a function of the scores alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from src.core.apportion import apportion
from src.core.errors import UserError
from src.selection.base import Selector
from src.selection.ranking import Ranking

BLOCK = 256

Groups = Mapping[str, Mapping[str, str]]
"""By way of grouping ("stage", "source", ...), the group of every prompt."""


@dataclass(frozen=True)
class Choice:
    """ids: best first. unscored: how many of them have no score. beyond: how many broke a quota or were too similar,
    and were taken all the same because nothing else was left."""

    ids: list[str]
    unscored: int = 0
    beyond: int = 0


def choose(selector: Selector, ranking: Ranking, prompts: Collection[str], groups: Groups) -> Choice:
    """What the selector's rule takes. Prompts without a score come last, by id."""
    order = ranking.order()
    wanted = selector.wanted(len(prompts))
    if wanted is None:
        return Choice(list(_apart(_reaching(selector.threshold or 0, order), ranking, selector.max_similarity)))
    scored = [id for id, _ in order]
    apart = _apart(scored, ranking, selector.max_similarity)
    first = list(_within(apart, caps(selector, wanted, prompts, groups), groups, wanted))
    held = set(first)
    late = [id for id in scored if id not in held][: wanted - len(first)]
    rest = sorted(set(prompts) - set(scored))[: wanted - len(first) - len(late)]
    return Choice([*first, *late, *rest], len(rest), len(late))


def _reaching(threshold: float, order: Sequence[tuple[str, float]]) -> list[str]:
    chosen = [id for id, value in order if value >= threshold]
    if not order:
        raise UserError("No candidate has a score that selector.threshold could cut.", "Use fraction or top_k.")
    if not chosen:
        raise UserError(
            f"No candidate reaches selector.threshold={threshold}: the best has {order[0][1]}.",
            f"Lower the threshold; the median is {order[len(order) // 2][1]}.",
        )
    return chosen


def caps(selector: Selector, wanted: int, prompts: Collection[str], groups: Groups) -> dict[str, dict[str, int]]:
    """By grouping, how many prompts each group may have; together `wanted`."""
    found: dict[str, dict[str, int]] = {}
    for by, parts in (selector.quota or {}).items():
        if by not in groups:
            raise UserError(
                f"selector.quota shares out by {by}, but the {by} of the prompts is not known here.",
                f"Feed the stage's input that tells it (passages for the source), or drop quota.{by}.",
            )
        pool = Counter(groups[by][id] for id in prompts)
        if isinstance(parts, dict) and (unknown := parts.keys() - pool.keys()):
            raise UserError(
                f"selector.quota.{by} names {', '.join(sorted(unknown))}, which no candidate has.",
                f"The candidates' are {', '.join(sorted(pool))}.",
            )
        weights = parts if isinstance(parts, dict) else dict.fromkeys(pool, 1.0) if parts == "equal" else dict(pool)
        found[by] = apportion(wanted, weights)
    return found


def _within(ids: Iterable[str], caps: Mapping[str, Mapping[str, int]], groups: Groups, wanted: int) -> Iterator[str]:
    """The first `wanted` ids, leaving out those of a group that is full."""
    taken: Counter[tuple[str, str]] = Counter()
    left = wanted
    for id in ids:
        mine = [(by, groups[by][id]) for by in caps]
        if all(taken[by, group] < caps[by].get(group, 0) for by, group in mine):
            taken.update(mine)
            left -= 1
            yield id
        if not left:
            return


def _apart(ids: Sequence[str], ranking: Ranking, limit: float | None) -> Iterator[str]:
    """The ids less those whose vector has a cosine above `limit` with one that stands before them and stays.

    Score first, then diversity: the representation filter of DEITA (Liu et al. 2024, arXiv 2312.15685, algorithm 1).
    """
    if limit is None or ranking.vectors is None:
        yield from ids
        return
    place = {id: i for i, id in enumerate(ranking.ids)}
    matrix, kept = np.empty((len(ids), ranking.vectors.shape[1]), dtype=np.float32), 0  # in memory: the rows in use
    for first in range(0, len(ids), BLOCK):
        block = ids[first : first + BLOCK]
        rows = ranking.vectors[[place[id] for id in block]].astype(np.float32)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        before = kept
        near: np.ndarray = np.any(rows @ matrix[:before].T > limit, axis=1)
        for id, row, close in zip(block, rows, near, strict=True):
            if not close and not (matrix[before:kept] @ row > limit).any():
                matrix[kept] = row
                kept += 1
                yield id

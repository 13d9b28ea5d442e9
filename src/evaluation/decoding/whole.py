"""Decodings over complete answers: each for itself, the most frequent, the best by reward, the most rewarded."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from math import prod
from typing import Literal

from src.core.progress import Progress
from src.core.records import content_id
from src.evaluation.decoding.base import Candidate, Decoded, Decoding, DecodingCompute, Resources, Rewarded
from src.evaluation.decoding.rewards import Partial, Scores, steps_of
from src.evaluation.metrics import majority
from src.evaluation.prompting import full_text
from src.evaluation.requests import Answer, PlannedQuestion, answers_of, collect

Aggregate = Literal["product", "mean", "min", "last"]
DIGITS = 4  # of a reward: the last digits of a float depend on what else was computed beside it
SCORED_AT_ONCE = 64
NOTHING = 0.0  # the value of an answer without a step: nothing was written, or the request failed


def value_of(rewards: Sequence[float], aggregate: Aggregate) -> float:
    """The value of a path from its steps' rewards; 1 for that to a root, which has none."""
    if not rewards:
        return 1.0
    match aggregate:
        case "product":
            return prod(rewards)
        case "mean":
            return sum(rewards) / len(rewards)
        case "min":
            return min(rewards)
        case "last":
            return rewards[-1]


@dataclass(frozen=True, kw_only=True)
class WholeAnswers(Decoding):
    """Draws `samples` answers, as plain sampling does, so that all such decodings see the same ones."""

    def decode(self, plan: Sequence[PlannedQuestion], resources: Resources) -> list[Decoded]:
        return draw(plan, resources)


@dataclass(frozen=True, kw_only=True)
class Independent(WholeAnswers):
    """Every answer counts: accuracy is their mean. One at temperature 0 is greedy decoding."""

    def choose(self, keys: Sequence[str | None], candidates: Sequence[Candidate]) -> int | None:
        return None


@dataclass(frozen=True, kw_only=True)
class Majority(WholeAnswers):
    """The most frequent answer (self-consistency, arXiv 2203.11171); ties go to the one seen first."""

    def choose(self, keys: Sequence[str | None], candidates: Sequence[Candidate]) -> int | None:
        return majority(keys) or 0


@dataclass(frozen=True, kw_only=True)
class RewardedAnswers(WholeAnswers, Rewarded):
    """aggregate: how the rewards of an answer's steps become its value."""

    aggregate: Aggregate = "min"

    def decode(self, plan: Sequence[PlannedQuestion], resources: Resources) -> list[Decoded]:
        drawn = super().decode(plan, resources)
        partials: dict[str, Partial] = {}
        for planned, decoded in zip(plan, drawn, strict=True):
            for candidate in decoded.candidates:
                partial = Partial(full_text(planned.question), steps_of(candidate.answer.text))
                partials[_score_id(partial)] = partial
        rated = _rate_all(partials, resources)
        return [self._rewarded(planned, decoded, rated) for planned, decoded in zip(plan, drawn, strict=True)]

    def _rewarded(self, planned: PlannedQuestion, decoded: Decoded, rated: dict[str, Rated]) -> Decoded:
        question, compute = full_text(planned.question), decoded.compute
        ids = [_score_id(Partial(question, steps_of(c.answer.text))) for c in decoded.candidates]
        own = [rated[id] for id in dict.fromkeys(ids)]
        compute.scored = sum(each.scores.tokens for each in own)
        compute.seconds += sum(each.seconds for each in own)
        valued = [
            Candidate(candidate.answer, value_of(rewards, self.aggregate) if rewards else NOTHING)
            for rewards, candidate in zip((rated[id].scores.rewards for id in ids), decoded.candidates, strict=True)
        ]
        return Decoded(tuple(valued), compute)


@dataclass(frozen=True, kw_only=True)
class BestOfN(RewardedAnswers):
    """The answer of the highest value (arXiv 2110.14168); ties go to the one seen first."""

    def choose(self, keys: Sequence[str | None], candidates: Sequence[Candidate]) -> int | None:
        return max(range(len(candidates)), key=lambda i: candidates[i].value)


@dataclass(frozen=True, kw_only=True)
class WeightedMajority(RewardedAnswers):
    """The answer whose candidates' values add up to most (arXiv 2206.02336)."""

    def choose(self, keys: Sequence[str | None], candidates: Sequence[Candidate]) -> int | None:
        return weighted_majority(keys, [candidate.value for candidate in candidates])


def weighted_majority(keys: Sequence[str | None], weights: Sequence[float]) -> int:
    """The heaviest candidate of the answer whose candidates weigh most together; 0 where no answer could be read."""
    totals: dict[str, float] = defaultdict(float)
    for key, weight in zip(keys, weights, strict=True):
        if key is not None:
            totals[key] += weight
    if not totals:
        return 0
    best = max(totals, key=totals.__getitem__)
    return max((i for i, key in enumerate(keys) if key == best), key=lambda i: weights[i])


def draw(plan: Sequence[PlannedQuestion], resources: Resources) -> list[Decoded]:
    """The answers to the planned requests, each in one piece."""
    answers = collect(plan, resources.open_session, resources.journal, resources.progress, resources.pool)
    return [_decoded(tuple(answers_of(planned, answers))) for planned in plan]


def _decoded(answers: tuple[Answer, ...]) -> Decoded:
    compute = DecodingCompute(
        generated=sum(answer.tokens for answer in answers),
        prompt=max(answer.prompt_tokens for answer in answers),
        seconds=sum(answer.seconds for answer in answers),
    )
    return Decoded(tuple(Candidate(answer, tree=number) for number, answer in enumerate(answers)), compute)


def _score_id(partial: Partial) -> str:
    return content_id("rewards", partial.question, *partial.steps)


@dataclass(frozen=True, slots=True)
class Rated:
    """What the reward model says of an answer, and its share of the time that this took."""

    scores: Scores
    seconds: float = 0.0


def _rate_all(partials: dict[str, Partial], resources: Resources) -> dict[str, Rated]:
    """The ratings by id. Those in the journal are not asked again."""
    found = {id: Rated(Scores((), 0)) for id, partial in partials.items() if not partial.steps}
    for id, row in resources.journal.rows():
        if id in partials:
            found[id] = Rated(Scores(tuple(row["rewards"]), row["tokens"]), row.get("seconds", 0.0))
    missing = iter([(id, partial) for id, partial in partials.items() if id not in found])
    first = next(missing, None)
    if first is None:
        return found
    progress = Progress("rated", len(partials), "answers", done=len(found))
    with resources.open_scorer() as scorer:
        for batch in _batches(first, missing):
            resources.progress.advance(0, note=progress.line())
            began = time.monotonic()
            scored = scorer.score([partial for _, partial in batch])
            seconds = (time.monotonic() - began) / len(batch)
            for (id, _), scores in zip(batch, scored, strict=True):
                found[id] = Rated(rounded(scores), seconds)
                resources.journal.append(id, {**asdict(found[id].scores), "seconds": seconds})
            progress.done = len(found)
    return found


def rounded(scores: Scores) -> Scores:
    return Scores(tuple(round(reward, DIGITS) for reward in scores.rewards), scores.tokens)


def _batches(first: tuple[str, Partial], rest: Iterator[tuple[str, Partial]]) -> Iterator[list[tuple[str, Partial]]]:
    batch = [first, *islice(rest, SCORED_AT_ONCE - 1)]
    while batch:
        yield batch
        batch = list(islice(rest, SCORED_AT_ONCE))

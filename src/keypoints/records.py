"""The rows that key-point-driven synthesis adds to those of `src.core.records`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Practice:
    """What a seed problem practises of one topic. `id` is a hash of the problem's id and the topic's name."""

    id: str
    problem_id: str
    topic: str
    key_points: list[str]


@dataclass(frozen=True, slots=True)
class Composition:
    """What a new problem must practise: topics in the order of the draw, and for each the id of a practice that shows
    it. `id` is that of the prompt that asks for the problem; `key_points` are those of the practices, each once;
    `selected` is what the prompt wants the problem to need: the key points or, without them, the topics."""

    id: str
    topics: list[str]
    practices: list[str]
    key_points: list[str]
    selected: list[str]


@dataclass(frozen=True, slots=True)
class KeyPointQuestion:
    """A new problem's question. `prompt_id` names its prompt, `passage_id` the first seed problem; the last three are
    those of its composition."""

    id: str
    prompt_id: str
    passage_id: str
    stage: str
    text: str
    topics: list[str]
    practices: list[str]
    key_points: list[str]


@dataclass(frozen=True, slots=True)
class Rating:
    """One rater's two scores of a question, in [0, 1]: its key points are practised, and nothing in it is wrong."""

    id: str
    question_id: str
    key_points: float
    soundness: float

    @property
    def score(self) -> float:
        """A question must meet both criteria: the lower of the two."""
        return min(self.key_points, self.soundness)

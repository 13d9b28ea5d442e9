"""Finding benchmark questions in a corpus: the same question, or a long run of words in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from src.text.normalise import question_key


class Asked(Protocol):
    """A benchmark's question, as far as contamination goes."""

    @property
    def text(self) -> str: ...

    @property
    def id(self) -> str: ...


class AsksQuestions(Protocol):
    """A benchmark, as far as contamination goes."""

    def questions(self) -> Iterable[Asked]: ...


@dataclass(frozen=True, slots=True)
class Overlap:
    """Which question of which benchmark a text repeats, and how: "same question" or "shared words"."""

    benchmark: str
    question_id: str
    how: str


@dataclass(frozen=True)
class Decontamination:
    """Refuses problems that repeat a question of a benchmark that will be asked.

    ngram: so many consecutive words in common count as a repetition (13: GPT-3, arXiv 2005.14165, appendix C). None
        compares whole questions only: right for benchmarks made from templates, whose wordings every honest problem
        of the same template shares.
    Both comparisons go without case, spaces and punctuation; a question shorter than `ngram` words is compared whole.
    """

    ngram: int | None = 13

    def __post_init__(self) -> None:
        if self.ngram is not None and self.ngram < 5:
            raise ValueError(f"ngram must be at least 5 words, or null, not {self.ngram}: fewer are chance")

    def index(self, benchmarks: Mapping[str, AsksQuestions]) -> ContaminationIndex:
        """Read the questions of all benchmarks."""
        asked = ((name, q.id, q.text) for name, benchmark in benchmarks.items() for q in benchmark.questions())
        return ContaminationIndex(asked, self.ngram)


class ContaminationIndex:
    """All questions of the benchmarks, whole and by n-gram, in memory: about 100 bytes a word."""

    def __init__(self, questions: Iterable[tuple[str, str, str]], ngram: int | None):
        self._ngram = ngram
        self._whole: dict[str, tuple[str, str]] = {}
        self._grams: dict[str, tuple[str, str]] = {}
        for benchmark, question_id, text in questions:
            key, owner = question_key(text), (benchmark, question_id)
            if not key:
                continue
            self._whole.setdefault(key, owner)
            for gram in _grams(key, ngram):
                self._grams.setdefault(gram, owner)

    def __len__(self) -> int:
        """The number of different questions."""
        return len(self._whole)

    def find(self, text: str) -> Overlap | None:
        """The first benchmark question that the text repeats, or None."""
        key = question_key(text)
        if (owner := self._whole.get(key)) is not None:
            return Overlap(*owner, "same question")
        for gram in _grams(key, self._ngram):
            if (owner := self._grams.get(gram)) is not None:
                return Overlap(*owner, "shared words")
        return None


def _grams(key: str, n: int | None) -> Iterator[str]:
    if n is None:
        return
    words = key.split(" ")
    for start in range(len(words) - n + 1):
        yield " ".join(words[start : start + n])

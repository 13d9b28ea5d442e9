"""Finding benchmark questions in a corpus: whole, by a long run of words in common, or reworded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from src.text.minhash import Sketch, Sketcher, jaccard
from src.text.normalise import question_key
from src.text.shingles import Words, grams_of, wholes, words_of


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
    """Which question of which benchmark a text repeats, and how: "same question", "shared words" or "near question"."""

    benchmark: str
    question_id: str
    how: str


@dataclass(frozen=True)
class Decontamination:
    """Refuses problems that repeat a question of a benchmark that will be asked.

    ngram: so many consecutive words in common count as a repetition (13: GPT-3, arXiv 2005.14165, appendix C). None
        compares whole questions only: right for benchmarks made from templates, whose wordings every honest problem
        of the same template shares.
    near: a question with so great a share of runs of three words in common (Jaccard similarity) counts as the same.
        It finds the reworded question that no 13 words survive in; None for benchmarks made from templates, as above.
    All comparisons go without case, spaces and punctuation; a question shorter than `ngram` words is compared whole.
    """

    ngram: int | None = 13
    near: float | None = None

    def __post_init__(self) -> None:
        if self.ngram is not None and self.ngram < 5:
            raise ValueError(f"ngram must be at least 5 words, or null, not {self.ngram}: fewer are chance")
        if self.near is not None and not 0.5 <= self.near <= 1:
            raise ValueError(f"near must lie in [0.5, 1], or be null, not {self.near}")

    def index(self, benchmarks: Mapping[str, AsksQuestions]) -> ContaminationIndex:
        """Read the questions of all benchmarks."""
        asked = ((name, q.id, q.text) for name, benchmark in benchmarks.items() for q in benchmark.questions())
        return ContaminationIndex(asked, self.ngram, self.near)


class ContaminationIndex:
    """All questions of the benchmarks in memory: whole, by n-gram and as sketches, about 16 bytes a word."""

    def __init__(self, questions: Iterable[tuple[str, str, str]], ngram: int | None, near: float | None = None):
        self._ngram, self._near = ngram, near
        asked = [(name, id, key) for name, id, text in questions if (key := question_key(text))]
        self._owners = [(name, id) for name, id, _ in asked]
        words = words_of([key for _, _, key in asked])
        self._whole = _Table(wholes(words), np.arange(len(asked)))
        if ngram is not None:
            grams = grams_of(words, ngram)
            self._grams = _Table(grams.hashes, np.repeat(np.arange(len(asked)), np.diff(grams.offsets)))
        if near is not None:
            self._sketch = Sketcher().sketch(words)
            self._bands = [_Table(band, np.arange(len(asked)), first=False) for band in self._sketch.bands.T]

    def __len__(self) -> int:
        """The number of different questions."""
        return len(np.unique(self._whole.keys))

    @property
    def questions(self) -> np.ndarray:
        """Each question as one number (`wholes` of its key), in order."""
        return self._whole.keys

    def find(self, text: str) -> Overlap | None:
        """The benchmark question that the text repeats, or None."""
        return self.find_all([question_key(text)]).get(0)

    def find_all(
        self, keys: Sequence[str], words: Words | None = None, sketch: Sketch | None = None
    ) -> dict[int, Overlap]:
        """By position, what the texts with these `question_key`s repeat: the same question before shared words, these
        before a near question, and of several questions the first. `words` and `sketch` (by the default `Sketcher`)
        spare their making."""
        if not self._owners or not keys:
            return {}
        words = words_of(keys) if words is None else words
        found: dict[int, Overlap] = {}
        if self._near is not None:
            self._find_near(sketch or Sketcher().sketch(words), found)
        if self._ngram is not None:
            grams = grams_of(words, self._ngram)
            places, owners = self._grams.find(grams.hashes)
            self._note(np.searchsorted(grams.offsets, places, side="right") - 1, owners, "shared words", found)
        self._note(*self._whole.find(wholes(words)), "same question", found)
        return dict(sorted(found.items()))

    def _note(self, texts: np.ndarray, owners: np.ndarray, how: str, found: dict[int, Overlap]) -> None:
        for text, owner in sorted(zip(texts.tolist(), owners.tolist(), strict=True), reverse=True):
            benchmark, question_id = self._owners[owner]
            found[text] = Overlap(benchmark, question_id, how)

    def _find_near(self, sketch: Sketch, found: dict[int, Overlap]) -> None:
        met = [table.find_every(band) for table, band in zip(self._bands, sketch.bands.T, strict=True)]
        pairs = sorted({pair for texts, owners in met for pair in zip(texts.tolist(), owners.tolist(), strict=True)})
        alike = [pair for pair in pairs if self._alike(sketch, *pair)]
        self._note(np.array([a for a, _ in alike]), np.array([b for _, b in alike]), "near question", found)

    def _alike(self, sketch: Sketch, text: int, question: int) -> bool:
        assert self._near is not None
        return jaccard(_set(sketch, text), _set(self._sketch, question)) >= self._near


def _set(sketch: Sketch, text: int) -> np.ndarray:
    start, end = sketch.sets.offsets[text : text + 2]
    return sketch.sets.hashes[start:end]


class _Table:
    """Numbers and who has them, to look up many at once. `first`: of several owners of a number the first will do."""

    def __init__(self, keys: np.ndarray, owners: np.ndarray, first: bool = True):
        order = np.lexsort((owners, keys))
        self.keys, self._owners = keys[order], owners[order]
        if first and len(order):
            new = np.concatenate([[True], self.keys[1:] != self.keys[:-1]])
            self.keys, self._owners = self.keys[new], self._owners[new]

    def find(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the values that are here stand, and their first owners."""
        if not len(self.keys):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        places = np.minimum(np.searchsorted(self.keys, values), len(self.keys) - 1)
        hits = np.flatnonzero(self.keys[places] == values)
        return hits, self._owners[places[hits]]

    def find_every(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `find`, with all the owners of each value."""
        low, high = (np.searchsorted(self.keys, values, side=side) for side in ("left", "right"))
        counts = high - low
        hits = np.repeat(np.arange(len(values)), counts)
        ends = np.cumsum(counts)
        places = np.repeat(low - (ends - counts), counts) + np.arange(len(hits))
        return hits, self._owners[places]

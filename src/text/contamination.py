"""Finding benchmark questions in a corpus: whole, inside another text, by a long run of words in common, or reworded.

All comparisons go without case, spaces and punctuation, and formulas have one spelling (`comparison_key`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from src.text.family import family_key
from src.text.minhash import MinHashSketch, Sketcher, jaccard
from src.text.normalise import normalise
from src.text.shingles import U64, WordWindow, grams_of, lettered, runs_at, wholes, words_of
from src.text.spelling import comparison_key

PROSE = 4  # so many words of letters are in a run that tells a question: thirteen signs of a formula are chance
SHORTEST = 6  # words, signs included, of a question that is looked for inside other texts
OPENING = 13  # words by which a generated question is looked for, before it is compared whole
FAMILY_PROSE = 6  # words of letters in a question whose family is looked for
_FUNCTIONS = words_of(["sin cos tan cot sec csc arcsin arccos arctan log ln exp lim max min gcd lcm mod det"]).hashes
_OPERATORS = words_of(["+ - * / ^"]).hashes


class Asked(Protocol):
    """A benchmark's question, as far as contamination goes."""

    @property
    def text(self) -> str: ...

    @property
    def id(self) -> str: ...


class AsksQuestions(Protocol):
    """A benchmark, as far as contamination goes. Where it has an attribute `generated` that is true, templates made its
    questions: every honest problem of a template shares the wording, so only whole questions count, alone or inside
    another text."""

    def questions(self) -> Iterable[Asked]: ...


def is_generated(benchmark: AsksQuestions) -> bool:
    return bool(getattr(benchmark, "generated", False))


@dataclass(frozen=True, slots=True)
class Overlap:
    """Which question of which benchmark a text repeats, and how: "same question", "question inside", "shared words",
    "near question" or, of one that is no repetition but for its numbers and names, "same family". What is found behind
    a problem's question alone says so: "shared words in the solution"."""

    benchmark: str
    question_id: str
    how: str


@dataclass(frozen=True)
class Decontamination:
    """Refuses problems that repeat a question of a benchmark that will be asked.

    ngram: so many consecutive words in common count as a repetition (13: GPT-3, arXiv 2005.14165, appendix C), at least
        four of them of letters; a shorter question is looked for as a whole, from six words on. None compares whole
        questions only.
    near: a question with so great a share of runs of three words in common (Jaccard similarity) counts as the same.
        It finds the reworded question that no 13 words survive in. None does without.

    Of benchmarks that templates make, questions are compared whole, alone or inside another text, whatever the options
    say.
    """

    ngram: int | None = 13
    near: float | None = 0.8

    def __post_init__(self) -> None:
        if self.ngram is not None and self.ngram < 5:
            raise ValueError(f"ngram must be at least 5 words, or null, not {self.ngram}: fewer are chance")
        if self.near is not None and not 0.5 <= self.near <= 1:
            raise ValueError(f"near must lie in [0.5, 1], or be null, not {self.near}")

    def index(self, benchmarks: Mapping[str, AsksQuestions]) -> ContaminationIndex:
        """Read the questions of all benchmarks."""
        asked = ((name, q.id, q.text) for name, benchmark in benchmarks.items() for q in benchmark.questions())
        generated = {name for name, benchmark in benchmarks.items() if is_generated(benchmark)}
        return ContaminationIndex(asked, self.ngram, self.near, generated)


class ContaminationIndex:
    """All questions of the benchmarks in memory: whole, by n-gram and as sketches, about 16 bytes a word.

    questions: (benchmark, id, text); generated: the benchmarks whose questions are compared whole only: from six words
    on inside another text too, where no formula goes on behind them ("Find the sum of 1 + 2" is no part of "Find the
    sum of 1 + 2 + 3").
    """

    def __init__(
        self,
        questions: Iterable[tuple[str, str, str]],
        ngram: int | None,
        near: float | None = None,
        generated: Collection[str] = (),
    ):
        self._ngram, self._near = ngram, near
        read = [(name, id, normalise(text)) for name, id, text in questions]
        asked = [(name, id, text, key) for name, id, text in read if (key := comparison_key(text))]
        self._owners = [(name, id) for name, id, _, _ in asked]
        words = _prose_marked(words_of([key for *_, key in asked]))
        owners = np.arange(len(asked))
        written = np.array([name not in generated for name, *_ in asked], bool)
        lengths, hashes = np.diff(words.offsets), wholes(words)
        self._whole = _Table(hashes, owners)
        self._lengths, self._hashes = lengths, hashes
        self._openings = _openings(words, ~written)
        self._runs: dict[int, _Table] = {}  # by length
        if ngram is not None:
            shorter = np.unique(lengths[written & (lengths >= SHORTEST) & (lengths < ngram)]).tolist()
            self._runs = {n: _runs(words, n, written & (lengths == n)) for n in shorter}
            self._runs[ngram] = _runs(words, ngram, written)
        if near is not None:
            self._sketch = Sketcher().sketch(words)
            self._bands = [_Table(band[written], owners[written], first=False) for band in self._sketch.bands.T]
        families, lettered_words = _families([text for *_, text, _ in asked])
        told = written & (lettered_words >= FAMILY_PROSE)
        self._families = _Table(families[told], owners[told])

    def __len__(self) -> int:
        """The number of different questions."""
        return len(np.unique(self._whole.keys))

    @property
    def questions(self) -> np.ndarray:
        """Each question as one number (`question_numbers`), in order."""
        return self._whole.keys

    @property
    def has_families(self) -> bool:
        return bool(len(self._families.keys))

    def find(self, text: str) -> Overlap | None:
        """The benchmark question that the text repeats, or None."""
        return self.find_all([comparison_key(normalise(text))]).get(0)

    def find_all(
        self, keys: Sequence[str], words: WordWindow | None = None, sketch: MinHashSketch | None = None
    ) -> dict[int, Overlap]:
        """By position, what the questions with these `comparison_key`s repeat: the same question before one inside
        another, this before shared words and these before a near question; of several questions the first. `words` and
        `sketch` (by the default `Sketcher`) spare their making."""
        if not self._owners or not keys:
            return {}
        words = words_of(keys) if words is None else words
        found: dict[int, Overlap] = {}
        if self._near is not None:
            self._find_near(sketch or Sketcher().sketch(words), found)
        self._find_inside(words, found)
        self._note(*self._whole.find(wholes(words)), "same question", found)
        return dict(sorted(found.items()))

    def find_rows(
        self,
        questions: Sequence[str],
        solutions: Sequence[str],
        words: WordWindow | None = None,
        sketch: MinHashSketch | None = None,
    ) -> dict[int, Overlap]:
        """By position, what problems repeat: in the question (`find_all`), else in what is read after it, where a
        benchmark's question may be quoted before it is solved (`find_inside`). All by their `comparison_key`s."""
        behind = self.find_inside(solutions)
        found = {place: replace(o, how=f"{o.how} in the solution") for place, o in behind.items()}
        return dict(sorted((found | self.find_all(questions, words, sketch)).items()))

    def find_inside(self, keys: Sequence[str]) -> dict[int, Overlap]:
        """By position, what is repeated inside texts of any length with these `comparison_key`s, such as solutions:
        "question inside" before "shared words". Whole texts are not compared with whole questions."""
        found: dict[int, Overlap] = {}
        if self._owners and keys:
            self._find_inside(words_of(keys), found)
        return dict(sorted(found.items()))

    def find_families(self, questions: Sequence[str]) -> dict[int, Overlap]:
        """By position, a benchmark's question that differs from the text in numbers and names alone. The texts must
        have been through `normalise`."""
        found: dict[int, Overlap] = {}
        self._note(*self._families.find(_families(questions)[0]), "same family", found)
        return found

    def _note(self, texts: np.ndarray, owners: np.ndarray, how: str, found: dict[int, Overlap]) -> None:
        for text, owner in sorted(zip(texts.tolist(), owners.tolist(), strict=True), reverse=True):
            benchmark, question_id = self._owners[owner]
            found[text] = Overlap(benchmark, question_id, how)

    def _find_inside(self, words: WordWindow, found: dict[int, Overlap]) -> None:
        for length, table in sorted(
            self._runs.items(), reverse=True
        ):  # the longest run first, so that others replace it
            grams = grams_of(words, length)
            places, owners = table.find(grams.hashes)
            how = "shared words" if length == self._ngram else "question inside"
            self._note(np.searchsorted(grams.offsets, places, side="right") - 1, owners, how, found)
        for length, table in self._openings.items():
            grams = grams_of(words, length)
            places, owners = table.find_every(grams.hashes)
            texts = np.searchsorted(grams.offsets, places, side="right") - 1
            starts = words.offsets[texts] + places - grams.offsets[texts]
            whole = self._stand_whole(words, starts, words.offsets[texts + 1], owners)
            self._note(texts[whole], owners[whole], "question inside", found)

    def _stand_whole(
        self, words: WordWindow, starts: np.ndarray, limits: np.ndarray, questions: np.ndarray
    ) -> np.ndarray:
        """Which questions stand whole where they begin at `starts`, in texts that end at `limits`, and end there."""
        ends = starts + self._lengths[questions]
        fits = np.flatnonzero(ends <= limits)
        starts, ends, limits, questions = starts[fits], ends[fits], limits[fits], questions[fits]
        same = runs_at(words, starts, ends - starts) == self._hashes[questions]
        goes_on = (ends < limits) & np.isin(words.hashes[np.minimum(ends, len(words.hashes) - 1)], _OPERATORS)
        return fits[same & ~goes_on]

    def _find_near(self, sketch: MinHashSketch, found: dict[int, Overlap]) -> None:
        met = [table.find_every(band) for table, band in zip(self._bands, sketch.bands.T, strict=True)]
        pairs = sorted({pair for texts, owners in met for pair in zip(texts.tolist(), owners.tolist(), strict=True)})
        alike = [pair for pair in pairs if self._alike(sketch, *pair)]
        self._note(np.array([a for a, _ in alike]), np.array([b for _, b in alike]), "near question", found)

    def _alike(self, sketch: MinHashSketch, text: int, question: int) -> bool:
        assert self._near is not None
        return jaccard(_set(sketch, text), _set(self._sketch, question)) >= self._near


def question_numbers(texts: Iterable[str]) -> np.ndarray:
    """One number a question (uint64), by its `comparison_key`; 0 for one without words."""
    return wholes(words_of([comparison_key(normalise(text)) for text in texts]))


def _families(questions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """One number a question's family, and how many words of letters it has."""
    words = _prose_marked(words_of([family_key(question) for question in questions]))
    before = np.concatenate([[0], np.cumsum(words.letters)])
    return wholes(words), before[words.offsets[1:]] - before[words.offsets[:-1]]


def _prose_marked(words: WordWindow) -> WordWindow:
    """The names of functions are signs of a formula, though they are letters."""
    return words._replace(letters=words.letters & ~np.isin(words.hashes, _FUNCTIONS))


def _openings(words: WordWindow, chosen: np.ndarray) -> dict[int, _Table]:
    """By length the first words of the chosen questions, of those that have enough words and prose."""
    lengths = np.diff(words.offsets)
    before = np.concatenate([[0], np.cumsum(words.letters)])
    prose = before[words.offsets[1:]] - before[words.offsets[:-1]]
    chosen = chosen & (lengths >= SHORTEST) & (prose >= np.minimum(PROSE, lengths // 2))
    shown = np.minimum(lengths, OPENING)
    hashes = runs_at(words, words.offsets[:-1], shown)
    found = ((n, np.flatnonzero(chosen & (shown == n))) for n in np.unique(shown[chosen]).tolist())
    return {n: _Table(hashes[some], some, first=False) for n, some in found}


def _runs(words: WordWindow, n: int, chosen: np.ndarray) -> _Table:
    """Every run of `n` words of the chosen texts that has enough prose in it."""
    grams = grams_of(words, n)
    owners = np.repeat(np.arange(len(chosen)), np.diff(grams.offsets))
    kept = chosen[owners] & (lettered(words, n) >= min(PROSE, n // 2))
    return _Table(grams.hashes[kept], owners[kept])


def _set(sketch: MinHashSketch, text: int) -> np.ndarray:
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
        self._shift = U64(64 - max(10, (16 * len(order)).bit_length()))
        self._there = np.zeros(1 << (61 - int(self._shift)), np.uint8)  # a bit for the first bits of each key
        np.bitwise_or.at(self._there, *self._bit(self.keys))

    def find(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the values that are here stand, and their first owners."""
        some = self._likely(values)
        places = np.minimum(np.searchsorted(self.keys, values[some]), len(self.keys) - 1)
        here = self.keys[places] == values[some] if len(some) else np.zeros(0, bool)
        return some[here], self._owners[places[here]]

    def find_every(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `find`, with all the owners of each value."""
        some = self._likely(values)
        low, high = (np.searchsorted(self.keys, values[some], side=side) for side in ("left", "right"))
        counts = high - low
        hits = np.repeat(some, counts)
        ends = np.cumsum(counts)
        places = np.repeat(low - (ends - counts), counts) + np.arange(len(hits))
        return hits, self._owners[places]

    def _likely(self, values: np.ndarray) -> np.ndarray:
        """The places of the values that may be here; of the others one in sixteen. A look at a bit costs a fifth of a
        search among the keys."""
        places, bits = self._bit(values)
        return np.flatnonzero(self._there[places] & bits)

    def _bit(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        heads = (values >> self._shift).astype(np.int64)
        return heads >> 3, np.uint8(1) << (heads & 7).astype(np.uint8)

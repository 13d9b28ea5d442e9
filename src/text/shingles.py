"""Words and runs of words as 64-bit numbers: whole batches of texts at a time, the same on every machine.

A word's number is a polynomial of its bytes, a run's a sum over its words, both mixed at the end. Nothing here calls
Python once a word: 100,000 questions take about two seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

U64 = np.uint64
_BASE = U64(0x9E3779B97F4A7C15)  # odd, so that its powers never end at zero
_INVERSE = U64(pow(int(_BASE), -1, 2**64))
_SPACE, _NEWLINE, _ZERO, _NINE, _A, _Z, _LAST_ASCII = (ord(c) for c in " \n09az\x7f")


class WordWindow(NamedTuple):
    """The words of some texts, one text after the other: `hashes` (uint64), `numeric` (holds a digit) and `letters`
    (two letters or more and nothing else) by word; text i has the words offsets[i] to offsets[i + 1]."""

    hashes: np.ndarray
    numeric: np.ndarray
    letters: np.ndarray
    offsets: np.ndarray


class Grams(NamedTuple):
    """Runs of words by text, with offsets as in `WordWindow`."""

    hashes: np.ndarray
    offsets: np.ndarray


def mixed(values: np.ndarray) -> np.ndarray:
    """The values with their bits well spread (the finaliser of SplitMix64, Steele and others 2014)."""
    values = (values ^ (values >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> U64(27))) * U64(0x94D049BB133111EB)
    return values ^ (values >> U64(31))


_BYTES = mixed(np.arange(1, 257, dtype=U64) * _BASE)


def words_of(keys: Sequence[str]) -> WordWindow:
    """The words of texts that `question_key` has been through: one space between words, no line ends."""
    data = np.frombuffer(("\n".join(keys) + "\n").encode("utf-8", "replace"), np.uint8)
    separates = (data == _SPACE) | (data == _NEWLINE)
    starts = np.flatnonzero(~separates & np.concatenate([[True], separates[:-1]]))
    ends = np.flatnonzero(data == _NEWLINE) if keys else np.zeros(0, np.int64)
    offsets = np.concatenate([[0], np.searchsorted(starts, ends)]).astype(np.int64)
    if not len(starts):
        return WordWindow(np.zeros(0, U64), np.zeros(0, bool), np.zeros(0, bool), offsets)
    data, separates, starts = data[starts[0] :], separates[starts[0] :], starts - starts[0]
    place = ramp(np.diff(starts, append=len(data)))
    values = np.where(separates, U64(0), _BYTES[data] * powers(int(place.max()) + 1)[place])
    digits = (data >= _ZERO) & (data <= _NINE)
    longer = np.flatnonzero(separates & ~np.concatenate([[True], separates[:-1]])) - starts > 1
    letters = separates | ((data >= _A) & (data <= _Z)) | (data > _LAST_ASCII)
    return WordWindow(
        mixed(np.add.reduceat(values, starts)),
        np.logical_or.reduceat(digits, starts),
        np.logical_and.reduceat(letters, starts) & longer,
        offsets,
    )


def runs_at(words: WordWindow, starts: np.ndarray, lengths: np.ndarray | int) -> np.ndarray:
    """One number for each run of words, from all of them in order; 0 for a run of none. Its length costs nothing: a
    run's sum is the difference of two running sums, brought to the power that its first word would have alone."""
    count = len(words.hashes) + 1
    totals = np.concatenate([np.zeros(1, U64), np.cumsum(words.hashes * powers(count)[:-1], dtype=U64)])
    return mixed((totals[starts + lengths] - totals[starts]) * powers(count, _INVERSE)[starts])


def wholes(words: WordWindow) -> np.ndarray:
    """One number a text, from all its words in order; 0 for a text without words."""
    return runs_at(words, words.offsets[:-1], np.diff(words.offsets))


def numbers_of(words: WordWindow) -> np.ndarray:
    """One number a text, from the words with digits in it, in any order; 0 for a text without numbers."""
    return _summed(np.where(words.numeric, mixed(words.hashes), U64(0)), words.offsets)


def grams_of(words: WordWindow, n: int, whole_if_short: bool = False) -> Grams:
    """Every run of `n` words. A text of fewer has none, or itself as one run with `whole_if_short`."""
    lengths = np.diff(words.offsets)
    counts = np.maximum(lengths - n + 1, 0)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    hashes = runs_at(words, np.repeat(words.offsets[:-1], counts) + ramp(counts), n)
    if whole_if_short and (short := np.flatnonzero((lengths < n) & (lengths > 0))).size:
        hashes = np.insert(hashes, offsets[short], wholes(words)[short])
        counts[short] = 1
        offsets = np.concatenate([[0], np.cumsum(counts)])
    return Grams(hashes, offsets)


def lettered(words: WordWindow, n: int) -> np.ndarray:
    """Of each run of `grams_of(words, n)`, how many of its words are letters alone."""
    before = np.concatenate([[0], np.cumsum(words.letters)])
    counts = np.maximum(np.diff(words.offsets) - n + 1, 0)
    starts = np.repeat(words.offsets[:-1], counts) + ramp(counts)
    return before[starts + n] - before[starts]


def sets_of(grams: Grams) -> Grams:
    """Each text's different runs, in order, as 32-bit numbers: what a Jaccard similarity is taken of."""
    texts = np.repeat(np.arange(len(grams.offsets) - 1, dtype=U64), np.diff(grams.offsets))
    keys = (texts << U64(32)) | (grams.hashes >> U64(32))
    keys.sort()
    keys = keys[np.concatenate([keys[1:] != keys[:-1], np.ones(min(len(keys), 1), bool)])]
    counts = np.bincount((keys >> U64(32)).astype(np.int64), minlength=len(grams.offsets) - 1)
    return Grams(keys.astype(np.uint32), np.concatenate([[0], np.cumsum(counts)]))


def powers(count: int, base: np.uint64 = _BASE) -> np.ndarray:
    """The first powers of an odd number, modulo 2^64."""
    return np.cumprod(np.concatenate([[U64(1)], np.full(max(count - 1, 0), base)]), dtype=U64)[: max(count, 1)]


def ramp(counts: np.ndarray) -> np.ndarray:
    """0, 1, ... for each count, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)


def _summed(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The values' sums between the offsets, mixed; 0 where there is nothing between them."""
    totals = np.concatenate([np.zeros(1, U64), np.cumsum(values, dtype=U64)])
    sums = totals[offsets[1:]] - totals[offsets[:-1]]
    return np.where(np.diff(offsets) > 0, mixed(sums), U64(0))

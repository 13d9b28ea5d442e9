"""Which of the rows that ask the same thing stay.

The answer depends on the rows alone, not on their order, their shards or the number of workers: of two alike rows it
is always the one with the lower id that stays, and ids are hashes of content.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from src.cleaning.features import Shelf
from src.core.checks import at_least
from src.text.minhash import Sketcher, jaccards
from src.text.shingles import U64, mixed

NEIGHBOURS = 24  # in a crowded band each row meets so many before it, and so many of the crowd's first
PAIRS_AT_ONCE = 200_000

KEPT, SAME, KNOWN, NEAR, NEAR_KNOWN, FULL = range(6)
REASONS = (
    "",
    "duplicate question",
    "duplicate of a known question",
    "near-duplicate question",
    "near-duplicate of a known question",
    "its family is full",
)


@dataclass(frozen=True)
class Duplicates:
    """A question stands once in the corpus; compared without case, spaces, punctuation and mark-up, but for what the
    brackets of its formulas keep together (`src.text.grouping`).

    near: the Jaccard similarity of runs of words from which two questions are the same (0.8: the Pile, RefinedWeb and
        Dolma take 0.5 to 0.85 for documents). Candidates come from MinHash bands, the similarity itself is exact.
        None compares whole questions only.
    same_numbers: two questions with other numbers are never near-duplicates; they are a family. Nor are two whose
        formulas keep other things together. False compares words and numbers alike, as text corpora do.
    family_cap: the most members of a family, the same question with other numbers and names, that stay.
    sketch: the runs of words, and the bands of the sketches.
    """

    near: float | None = 0.8
    same_numbers: bool = True
    family_cap: int | None = None
    sketch: Sketcher = field(default_factory=Sketcher)

    def __post_init__(self) -> None:
        if self.near is not None and not 0.5 <= self.near <= 1:
            raise ValueError(f"near must lie in [0.5, 1], or be null, not {self.near}")
        at_least(self, 1, "family_cap")

    def judge(self, shelf: Shelf, known: int = 0) -> Fates:
        """What becomes of each row. The last `known` rows of the shelf are no candidates: they were there before."""
        whole = shelf.column("whole")
        rows = len(whole)
        fates = Fates(np.zeros(rows, np.uint8), np.full(rows, -1, np.int64), _ranks(shelf, known))
        _drop_same(fates, whole, rows - known)
        stay = -1
        while self.near is not None and stay != (stay := int((fates.fate == KEPT).sum())):
            pairs, crowded = self._pairs(shelf, fates)
            _drop_near(fates, pairs, rows - known)
            if not crowded:
                break
        if self.family_cap is not None:
            _cap_families(fates, shelf.column("family"), self.family_cap, rows - known)
        return fates

    def _pairs(self, shelf: Shelf, fates: Fates) -> tuple[np.ndarray, bool]:
        """[n, 2] pairs of kept rows at least `near` alike, the lower rank first; and whether some band was so crowded
        that not all were met. (Then another round, among those that stay, meets more of them.)"""
        assert self.near is not None
        rows = np.flatnonzero(fates.fate == KEPT)
        rows = rows[np.argsort(fates.rank[rows])]
        sizes = shelf.column("sizes").astype(np.int64)
        starts, sets = np.cumsum(sizes) - sizes, shelf.sets()
        numbers = mixed(shelf.column("numbers"))[rows] if self.same_numbers else U64(0)
        seen, alike, crowded = np.zeros(0, U64), [np.zeros((0, 2), np.int64)], False
        for band in range(self.sketch.bands):
            met, crowd = _meetings(shelf.band(band)[rows] ^ numbers)
            crowded |= crowd > 2 * NEIGHBOURS
            met = met[~_among(met, seen)]
            seen = np.union1d(seen, met) if len(seen) + len(met) < 50_000_000 else met
            for chunk in np.array_split(met, max(1, -(-len(met) // PAIRS_AT_ONCE))):
                pairs = np.stack([rows[(chunk >> U64(32)).astype(np.int64)], rows[chunk.astype(np.uint32)]], axis=1)
                few, many = np.sort(sizes[pairs], axis=1).T
                pairs = pairs[few >= self.near * many]  # else they cannot be so alike
                alike.append(pairs[jaccards(sets, starts, sizes, pairs) >= self.near - 1e-9])
        return np.concatenate(alike), crowded


@dataclass(frozen=True)
class Fates:
    """By row: `fate` (an index of `REASONS`), `twin` (the row it repeats, or -1), `rank` (the lower one stays)."""

    fate: np.ndarray
    twin: np.ndarray
    rank: np.ndarray

    @classmethod
    def all_stay(cls, shelf: Shelf) -> Fates:
        rows = len(shelf.column("ids"))
        return cls(np.zeros(rows, np.uint8), np.full(rows, -1, np.int64), np.arange(rows))

    def drop(self, rows: np.ndarray, fate: int | np.ndarray, twins: np.ndarray) -> None:
        self.fate[rows], self.twin[rows] = fate, twins


def _ranks(shelf: Shelf, known: int) -> np.ndarray:
    """Known rows first, then by id; a row that is the same to the letter gives way by the id of its generation."""
    ids, tickets = shelf.column("ids"), shelf.column("tickets")
    candidate = np.arange(len(ids)) < len(ids) - known
    rank = np.empty(len(ids), np.int64)
    rank[np.lexsort((tickets, ids, candidate))] = np.arange(len(ids))
    return rank


def _drop_same(fates: Fates, whole: np.ndarray, candidates: int) -> None:
    order = np.lexsort((fates.rank, whole))
    new = np.concatenate([[True], whole[order][1:] != whole[order][:-1]]) if len(order) else np.zeros(0, bool)
    first = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))] if len(order) else order
    again = ~new & (order < candidates)
    fates.drop(order[again], np.where(first[again] < candidates, SAME, KNOWN), first[again])


def _meetings(keys: np.ndarray) -> tuple[np.ndarray, int]:
    """Pairs of places with the same key, as (lower << 32 | higher), sorted, and how many places share one at most. Of
    a key that many share, each place meets its nearest and the first ones only, so that a crowd costs its size, not
    its square."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    crowd = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
    start = np.repeat(crowd, np.diff(crowd, append=len(keys)))
    place = np.arange(len(keys)) - start
    found = [np.zeros(0, U64)]
    for step in range(1, NEIGHBOURS + 1):
        late = np.flatnonzero(place >= step)
        if not len(late):
            break
        found.append(_coded(order[late - step], order[late]))
        far = np.flatnonzero(place >= NEIGHBOURS + step)
        found.append(_coded(order[start[far] + step - 1], order[far]))
    return np.unique(np.concatenate(found)), int(place.max(initial=-1)) + 1


def _coded(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return (low.astype(U64) << U64(32)) | high.astype(U64)


def _among(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    if not len(known):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return known[places] == values


def _drop_near(fates: Fates, pairs: np.ndarray, candidates: int) -> None:
    """Go through the rows by rank; one stays if none stays that is alike and ranks before it. (All of a round's rows
    whose betters are decided are decided together, which gives the same.)"""
    known = pairs[:, 0] >= candidates  # rows that were there before stay whatever they are like
    pairs = pairs[~(known & (pairs[:, 1] >= candidates))]
    undecided = np.zeros(len(fates.fate), bool)
    undecided[pairs[pairs[:, 1] < candidates][:, 1]] = True
    while undecided.any():
        better, worse = pairs[undecided[pairs[:, 1]]].T
        waits = np.zeros(len(fates.fate), bool)
        waits[worse[undecided[better]]] = True
        loses = ~undecided[better] & (fates.fate[better] == KEPT)
        order = np.argsort(-fates.rank[better[loses]], kind="stable")  # so that the best twin is written last
        lost, twin = worse[loses][order], better[loses][order]
        fates.drop(lost, np.where(twin < candidates, NEAR, NEAR_KNOWN), twin)
        undecided[lost] = False
        undecided &= waits


def _cap_families(fates: Fates, family: np.ndarray, cap: int, candidates: int) -> None:
    rows = np.flatnonzero(fates.fate[:candidates] == KEPT)
    rows = rows[np.lexsort((fates.rank[rows], family[rows]))]
    if not len(rows):
        return
    new = np.concatenate([[True], family[rows][1:] != family[rows][:-1]])
    start = np.maximum.accumulate(np.where(new, np.arange(len(rows)), 0))
    over = np.arange(len(rows)) - start >= cap
    fates.drop(rows[over], FULL, rows[start[over]])

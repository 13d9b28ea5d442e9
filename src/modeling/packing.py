"""Put rows into sequences of a fixed capacity with hardly a slot left empty.

Best fit over the *histogram* of lengths: rows of one length are alike, so whole groups of equal bins are filled at
once, and the work depends on the number of lengths, not of rows (after Krell et al., arXiv 2107.02027).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np

CARRY_BELOW = 0.98
"""An ordered window hands the rows of bins emptier than this on to the next window."""

WINDOW_ROWS = 2_048
"""Rows of an ordered window: far more than a sequence holds, far fewer than a corpus."""


@dataclass(frozen=True)
class Bins:
    """Ragged lists: bin i holds `rows[offsets[i]:offsets[i + 1]]`."""

    rows: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        return self.rows[self.offsets[i] : self.offsets[i + 1]]

    def take(self, order: np.ndarray) -> Bins:
        """The bins of these numbers, in this order."""
        sizes = np.diff(self.offsets)[order]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        inside = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
        return Bins(self.rows[np.repeat(self.offsets[:-1][order], sizes) + inside], offsets)

    @staticmethod
    def join(parts: list[Bins]) -> Bins:
        sizes = [np.diff(p.offsets) for p in parts]
        rows = [p.rows for p in parts]
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]) if parts else np.zeros(1, np.int64)
        return Bins(np.concatenate(rows) if parts else np.zeros(0, np.int64), offsets.astype(np.int64))


Group = tuple[tuple[int, ...], int]
"""The lengths in a bin, and how many bins are filled just so."""


def best_fit(counts: np.ndarray, capacity: int) -> list[Group]:
    """Pack `counts[n]` rows of length n, longest first, each into the fullest bin that still has room; bins that are
    alike are served together, a row each.

    Raises ValueError when a row is longer than `capacity`.
    """
    if counts[capacity + 1 :].any():
        raise ValueError(f"a row is longer than the capacity of {capacity} tokens")
    open_bins: dict[int, list[Group]] = {}  # by room left
    rooms: list[int] = []  # its keys, sorted
    full: list[Group] = []

    def put(lengths: tuple[int, ...], n: int, room: int) -> None:
        if room == 0:
            full.append((lengths, n))
            return
        if room not in open_bins:
            open_bins[room] = []
            insort(rooms, room)
        open_bins[room].append((lengths, n))

    for length in range(min(capacity, len(counts) - 1), 0, -1):
        left = int(counts[length])
        while left:
            at = bisect_left(rooms, length)
            if at == len(rooms):
                each = capacity // length
                bins, rest = divmod(left, each)
                if bins:
                    put((length,) * each, bins, capacity - each * length)
                if rest:
                    put((length,) * rest, 1, capacity - rest * length)
                break
            room = rooms[at]
            lengths, n = open_bins[room].pop()
            if not open_bins[room]:
                del open_bins[room], rooms[at]
            used = min(n, left)
            if n > used:
                put(lengths, n - used, room)
            put((*lengths, length), used, room - length)
            left -= used
    return full + [group for room in rooms for group in open_bins[room]]


def pack(lengths: np.ndarray, rows: np.ndarray, capacity: int) -> Bins:
    """Pack the rows of these numbers (`lengths` is of all rows). Rows of equal length are used in the order given."""
    mine = lengths[rows]
    counts = np.bincount(mine, minlength=capacity + 1)
    by_length = rows[np.argsort(mine, kind="stable")]
    next_of = np.concatenate([[0], np.cumsum(counts)])
    flat, sizes = [], []
    for group, n in best_fit(counts, capacity):
        bins = np.empty((n, len(group)), dtype=np.int64)
        for column, length in enumerate(group):
            start = next_of[length]
            bins[:, column] = by_length[start : start + n]
            next_of[length] += n
        flat.append(bins.ravel())
        sizes.append(np.full(n, len(group)))
    if not flat:
        return Bins.join([])
    return Bins(np.concatenate(flat), np.concatenate([[0], np.cumsum(np.concatenate(sizes))]))


def pack_shuffled(lengths: np.ndarray, rows: np.ndarray, capacity: int, rng: np.random.Generator) -> Bins:
    """Best fit over all rows; which rows meet, and the order of the bins, is drawn from `rng`."""
    bins = pack(lengths, rng.permutation(rows), capacity)
    return bins.take(rng.permutation(len(bins)))


def pack_in_order(lengths: np.ndarray, rows: np.ndarray, capacity: int, window: int = WINDOW_ROWS) -> Bins:
    """Best fit within windows of consecutive rows: no row moves further than about a window.

    Inside a window bins are ordered by their first row, rows inside a bin by number; the rows of bins that stay
    emptier than `CARRY_BELOW` go on to the next window, so that only the last one leaves gaps.
    """
    done: list[Bins] = []
    carried = rows[:0]
    for start in range(0, len(rows), window):
        last = start + window >= len(rows)
        bins = pack(lengths, np.concatenate([carried, rows[start : start + window]]), capacity)
        fill = np.add.reduceat(lengths[bins.rows], bins.offsets[:-1]) / capacity
        loose = fill < CARRY_BELOW
        if last or np.diff(bins.offsets)[loose].sum() > window // 4:  # rows that fit badly by nature are not hoarded
            loose[:] = False
        carried = np.sort(bins.take(np.flatnonzero(loose)).rows)
        kept = [np.sort(bins[i]) for i in np.flatnonzero(~loose)]
        kept.sort(key=lambda b: int(b[0]))
        sizes = [len(b) for b in kept]
        if kept:
            done.append(Bins(np.concatenate(kept), np.concatenate([[0], np.cumsum(sizes)])))
    return Bins.join(done)


def one_per_bin(rows: np.ndarray) -> Bins:
    """No packing: every row a sequence of its own."""
    return Bins(rows, np.arange(len(rows) + 1))


def fill(bins: Bins, lengths: np.ndarray, capacity: int) -> float:
    """The share of slots that hold a token."""
    return float(lengths[bins.rows].sum() / (capacity * len(bins))) if len(bins) else 1.0

"""Puzzles at random, many at a time: numbers are drawn, two of them combined until one is left, which is the target.

Whether a puzzle is for exams or for training is decided by a hash of its numbers alone, whatever their order, range and
target: so no exam shares a puzzle with any training set, whoever draws them, with whatever seed and options.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from src.core.errors import UserError
from src.core.records import seed_from
from src.puzzles.mixing import U64, Draws, hashed, mixed
from src.puzzles.space import OPERATIONS, PuzzleSpace

Split = Literal["training", "exam"]

EXAM_ONE_IN = 16  # sets of numbers
BLOCK = 32_768  # puzzles drawn at once
TRIES = 16  # draws of one step; a puzzle without a valid step by then is given up
OTHER_SPLIT = {"training": "numbers kept for exams", "exam": "numbers not kept for exams"}
NO_TARGET, REPEATED, ASKED, SURPLUS = "no valid target", "repeated", "asked by a benchmark", "more than asked for"
USED_UP = 0.02  # so small a share of new puzzles in a block says that the space holds hardly any more
BITS_A_PUZZLE = 16


@dataclass(frozen=True)
class SolvedPuzzles:
    """Solved puzzles of one size N, as columns: `numbers` is (N, rows) integers; `left`, `operation` (a place in
    OPERATIONS), `right` and `result` are (N - 1, rows), a step after the other. The last result is the target."""

    numbers: np.ndarray
    left: np.ndarray
    operation: np.ndarray
    right: np.ndarray
    result: np.ndarray

    def __len__(self) -> int:
        return self.numbers.shape[1]

    @property
    def targets(self) -> np.ndarray:
        return self.result[-1]

    @cached_property
    def number_sets(self) -> np.ndarray:
        """A hash (uint64) of the numbers of each puzzle, in whatever order."""
        return number_sets(self.numbers)

    @cached_property
    def keys(self) -> np.ndarray:
        """A hash (uint64) of each puzzle: its numbers, in whatever order, and its target."""
        return puzzle_keys(self.number_sets, self.targets)

    def where(self, chosen: np.ndarray) -> SolvedPuzzles:
        """The chosen rows: a mask, or places in order."""
        columns = (self.numbers, self.left, self.operation, self.right, self.result)
        return SolvedPuzzles(*(column[:, chosen] for column in columns))


def number_sets(numbers: np.ndarray) -> np.ndarray:
    """A hash (uint64) of each set of numbers, in whatever order; (N, rows) -> rows."""
    return hashed(np.sort(numbers.T, axis=1).T, start=len(numbers))


def puzzle_keys(sets: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return mixed(sets ^ targets.astype(U64))


def is_exam(sets: np.ndarray) -> np.ndarray:
    """Whether puzzles of these `number_sets` are kept for exams."""
    return np.asarray(sets % U64(EXAM_ONE_IN) == 0)


def training_puzzles(
    space: PuzzleSpace, size: int, rows: int, seed: int, without: Collection[int], dropped: Counter[str]
) -> Iterator[SolvedPuzzles]:
    """`rows` different puzzles of one size for training, a block at a time.

    without: `keys` of puzzles to leave out, beside those that are kept for exams. dropped: counts, by reason, what was
    drawn besides. Memory: two bytes a puzzle; in exchange at most one new puzzle in sixteen is taken for an old one.
    Raises UserError where the space holds too few.
    """
    seen, left_out = _Seen(rows * BITS_A_PUZZLE), np.array(sorted(without), U64)
    draws, found, block = Draws(seed_from("puzzles", seed, size)), 0, min(BLOCK, max(256, rows))
    while found < rows:
        drawn = draw(space, size, block, draws, "training", dropped)
        asked = np.isin(drawn.keys, left_out)
        new = np.flatnonzero(seen.add(drawn.keys) & ~asked)
        dropped[ASKED] += int(asked.sum())
        dropped[REPEATED] += len(drawn) - len(new) - int(asked.sum())
        if len(new) < USED_UP * block:
            raise _used_up(space, size, f"{rows:,} different puzzles were asked for, and {found:,} found")
        dropped[SURPLUS] += max(0, found + len(new) - rows)
        yield drawn.where(new[: rows - found])
        found += len(new)


def exam_puzzles(space: PuzzleSpace, size: int, rows: int, seed: int) -> Iterator[SolvedPuzzles]:
    """`rows` different puzzles of one size that are kept for exams. Raises UserError where there are too few."""
    known: set[int] = set()
    draws = Draws(seed_from("exam", seed, size))
    while len(known) < rows:
        drawn = draw(space, size, BLOCK, draws, "exam", Counter())
        places = {key: place for place, key in reversed(list(enumerate(drawn.keys.tolist()))) if key not in known}
        if not places:
            raise _used_up(space, size, f"{rows:,} exam puzzles were asked for, and {len(known):,} found")
        yield drawn.where(np.array(sorted(places.values())[: rows - len(known)]))
        known |= places.keys()


def _used_up(space: PuzzleSpace, size: int, problem: str) -> UserError:
    where = f"those of {size} numbers in [{space.low}, {space.high}] are nearly used up"
    return UserError(f"{problem}; {where}.", "Ask for fewer, or widen the space: sizes, range, target_limit.")


def draw(space: PuzzleSpace, size: int, count: int, draws: Draws, split: Split, dropped: Counter[str]) -> SolvedPuzzles:
    """`count` puzzles of one size, less those that belong to the other split or come to no valid target.

    Numbers are uniform; so is each step, over the ordered pairs of what is left and the operations that give a result
    the space allows.
    """
    within = space.high - space.low + 1
    numbers = np.stack([draws.below(within, count) + space.low for _ in range(size)]).astype(space.integer)
    numbers = numbers[:, is_exam(number_sets(numbers)) == (split == "exam")]
    live, valid = numbers.copy(), np.ones(numbers.shape[1], bool)
    steps = []
    for left in range(size, 1, -1):
        steps.append(_step(space, live[:left], draws, last=left == 2))
        valid &= steps[-1].valid
    columns = (np.stack([getattr(step, name) for step in steps]) for name in ("a", "operation", "b", "result"))
    found = SolvedPuzzles(numbers, *columns).where(valid)
    dropped[OTHER_SPLIT[split]] += count - len(valid)
    dropped[NO_TARGET] += len(valid) - len(found)
    return found


@dataclass
class _Step:
    """One step of many puzzles; where it is not `valid`, the rest means nothing."""

    a: np.ndarray
    operation: np.ndarray
    b: np.ndarray
    result: np.ndarray
    valid: np.ndarray


def _step(space: PuzzleSpace, live: np.ndarray, draws: Draws, last: bool) -> _Step:
    """Combine two of the values `live` (left, rows) in each puzzle: the result takes the first one's place, and then
    whatever is last that of the second. Puzzles whose draw is not allowed draw again."""
    left, rows = live.shape
    kinds = np.array([OPERATIONS.index(sign) for sign in space.operations], live.dtype)
    a, operation, b, result = np.zeros((4, rows), live.dtype)
    step = _Step(a, operation, b, result, np.zeros(rows, bool))
    open_rows = np.arange(rows)
    for _ in range(TRIES):
        if not len(open_rows):
            break
        choice = draws.below(left * (left - 1) * len(kinds), len(open_rows))
        pair, kind = np.divmod(choice.astype(np.int32), len(kinds))
        first, second = np.divmod(pair, left - 1)
        second += second >= first
        a, b, operation = live[first, open_rows], live[second, open_rows], kinds[kind]
        result, allowed = _apply(space, a, operation, b)
        allowed &= np.abs(result) <= (space.target_limit if last else space.step_limit)
        done = open_rows[allowed]
        step.valid[done] = True
        step.a[done], step.operation[done], step.b[done] = a[allowed], operation[allowed], b[allowed]
        step.result[done] = result[allowed]
        live[first[allowed], done] = result[allowed]
        live[second[allowed], done] = live[left - 1, done]
        open_rows = open_rows[~allowed]
    return step


def _apply(space: PuzzleSpace, a: np.ndarray, operation: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The results, and which of them the space allows whatever their size."""
    divides = operation == OPERATIONS.index("/")
    divisor = np.where(divides & (b != 0), b, 1)
    quotient = a // divisor
    result = np.choose(operation, (a + b, a - b, a * b, quotient))
    if space.trivial:
        allowed = ~divides | (b != 0)
    else:
        least = np.where(operation < OPERATIONS.index("*"), 1, 2)
        size = np.abs(b)
        allowed = (size >= least) & (np.abs(a) >= np.where(divides, size, least))
    if space.division == "exact":
        allowed &= ~divides | (quotient * divisor == a)
    return result, allowed


class _Seen:
    """A set of keys that never forgets one and takes a few unknown ones for known: one bit a key, by its hash."""

    def __init__(self, bits: int):
        self._bits = max(64, bits)
        self._bytes = np.zeros(-(-self._bits // 8), np.uint8)

    def add(self, keys: np.ndarray) -> np.ndarray:
        """Which of the keys are new; of several with one bit the first."""
        places = keys % U64(self._bits)
        new = np.zeros(len(keys), bool)
        new[np.unique(places, return_index=True)[1]] = True
        byte, bit = (places >> U64(3)).astype(np.int64), (1 << (places & U64(7))).astype(np.uint8)
        new &= (self._bytes[byte] & bit) == 0
        np.bitwise_or.at(self._bytes, byte[new], bit[new])
        return new

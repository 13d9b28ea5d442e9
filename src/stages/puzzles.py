"""Stage `puzzles`: arithmetical puzzles with their solutions, drawn, written and checked against the exams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from src.cleaning.gate import write_checked
from src.core.checks import at_least
from src.core.records import Problem, arrow_schema, write_batches
from src.core.stage import Stage, StageContext, Upstream
from src.puzzles.chains import gold_puzzle
from src.puzzles.drawing import SolvedPuzzles, number_sets, puzzle_keys, training_puzzles
from src.puzzles.space import PuzzleSpace
from src.puzzles.writing import Direction, ids, questions, solutions
from src.text.contamination import Decontamination

BYTES_A_ROW = 60  # on disk, compressed
PIECE = 1_024  # rows of one size that stand together in a mixed order


@dataclass(frozen=True)
class Puzzles(Stage):
    """Writes the table `problems`: different puzzles, each size as often as the others, the first ones once
    more where `rows` is no multiple of their number.

    rows: how many; share: only the first so many of them, and a larger share holds the smaller ones.
    order: "mixed" has a few of each size in turns; "by_size" all of the smallest first, for a curriculum with
        `pretrain.recipe.order=in_order`.
    direction: solutions go forward from the numbers, or backward from the target.
    benchmarks: no puzzle that one of them asks, in symbols or in words, is written. Exams drawn from a space of puzzles
        (`PuzzleBenchmark`) share none with any training set in any case; a question in words is no puzzle in symbols.
    """

    kind: ClassVar[str] = "puzzles"
    version: ClassVar[int] = 3

    rows: int
    space: PuzzleSpace = field(default_factory=PuzzleSpace)
    share: float = 1.0
    order: Literal["mixed", "by_size"] = "mixed"
    direction: Direction = "forward"
    data_seed: int = 0
    benchmarks: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at_least(self, len(self.space.sizes), "rows")
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], not {self.share}")

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return sum(self._wanted().values())

    def estimate(self) -> dict[str, float]:
        return {"disk_gb": self.rows * self.share * BYTES_A_ROW / 1e9}

    def run(self, ctx: StageContext) -> None:
        """Raises UserError where the space holds too few puzzles."""
        dropped: Counter[str] = Counter()
        with ctx.progress("drawing puzzles", total=sum(self._wanted().values()), unit="puzzles") as bar:

            def written() -> Iterator[pa.RecordBatch]:
                for solved in self._solved(dropped):
                    bar.advance(len(solved))
                    yield self._batch(solved)

            kept = write_batches(ctx.out / "problems", Problem, written())
        ctx.tally.enter(kept + dropped.total())
        ctx.tally.keep(kept)
        for reason, n in sorted(dropped.items()):
            ctx.tally.reject(reason, n)
        how = Decontamination()
        write_checked(ctx.out, how, how.index(self.benchmarks), sorted(self.benchmarks))

    def _wanted(self) -> dict[int, int]:
        """Puzzles by size."""
        return self._spread(max(len(self.space.sizes), round(self.share * self.rows)))

    def _spread(self, rows: int) -> dict[int, int]:
        """By size; more rows are no fewer of any size, so that a larger share holds the smaller one."""
        each, more = divmod(rows, len(self.space.sizes))
        return {size: each + (place < more) for place, size in enumerate(self.space.sizes)}

    def _solved(self, dropped: Counter[str]) -> Iterator[SolvedPuzzles]:
        asked, whole = self._asked(), self._spread(self.rows)
        streams = [
            _pieces(n, training_puzzles(self.space, size, whole[size], self.data_seed, asked, dropped), dropped)
            for size, n in sorted(self._wanted().items())
        ]
        in_order = chain(*streams) if self.order == "by_size" else chain.from_iterable(zip_longest(*streams))
        return (solved for solved in in_order if solved is not None)

    def _asked(self) -> set[int]:
        """The keys of the puzzles that benchmarks ask."""
        golds = (
            gold_puzzle(question.gold)
            for benchmark in self.benchmarks.values()
            if benchmark.answer_type in ("puzzle", "chain")
            for question in benchmark.questions()
        )
        columns = ((np.array(numbers)[:, None], np.array([target])) for numbers, target in golds)
        return {int(puzzle_keys(number_sets(numbers), target)[0]) for numbers, target in columns}

    def _batch(self, solved: SolvedPuzzles) -> pa.RecordBatch:
        n = len(solved)
        same = {"prompt_id": "", "passage_id": "", "kind": "plain", "generator": "puzzles", "round": 0}
        columns = {name: pa.repeat(pa.scalar(value), n) for name, value in same.items()}
        columns |= {
            "id": ids(solved, self.direction),
            "stage": pa.repeat(pa.scalar(f"{len(solved.numbers)} numbers"), n),
            "question": questions(solved),
            "solution": solutions(solved, self.direction),
            "answer": pa.array(solved.targets).cast(pa.string()),
        }
        schema = arrow_schema(Problem)
        return pa.record_batch([columns[name] for name in schema.names], schema=schema)


def _pieces(n: int, blocks: Iterable[SolvedPuzzles], dropped: Counter[str]) -> Iterator[SolvedPuzzles]:
    """The first n rows, a few at a time."""
    for block in blocks:
        for start in range(0, min(n, len(block)), PIECE):
            yield block.where(np.arange(start, min(start + PIECE, n, len(block))))
        dropped["beyond the share"] += max(0, len(block) - n)
        n -= len(block)
        if n <= 0:
            return

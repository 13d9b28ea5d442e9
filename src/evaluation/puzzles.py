"""Arithmetical puzzles in symbols as a benchmark: any right chain of equations counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from src.core.checks import at_least
from src.evaluation.benchmark import Benchmark
from src.evaluation.prompting import Style
from src.evaluation.question import Question
from src.puzzles.chains import chain_gold, puzzle_text
from src.puzzles.drawing import exam_puzzles
from src.puzzles.space import PuzzleSpace
from src.puzzles.writing import solutions
from src.text.answers import AnswerType


@dataclass(frozen=True, kw_only=True)
class PuzzleBenchmark(Benchmark):
    """`n` puzzles of `space`, each size as often as the others, of numbers that no training set of puzzles has.

    sizes, high: in place of the space's own, for exams outside of what was taught. Results are broken down by size.
    """

    space: PuzzleSpace = field(default_factory=PuzzleSpace)
    sizes: tuple[int, ...] | None = None
    high: int | None = None
    n: int = 300
    seed: int = 0
    answer_type: AnswerType = "chain"
    style: Style | None = "plain"
    max_tokens: int = 160

    generated: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes, high = self.sizes or self.space.sizes, self.space.high if self.high is None else self.high
        space = replace(self.space, sizes=sizes, high=high)
        object.__setattr__(self, "space", space)
        at_least(self, len(space.sizes), "n")

    @property
    def source(self) -> str:
        return f"puzzles of {', '.join(map(str, self.space.sizes))} numbers in [{self.space.low}, {self.space.high}]"

    def size_hint(self) -> int:
        return min(self.n // self.every, self.limit or self.n)

    def all_questions(self) -> Iterator[Question]:
        each, more = divmod(self.n, len(self.space.sizes))
        for place, size in enumerate(self.space.sizes):
            for solved in exam_puzzles(self.space, size, each + (place < more), self.seed):
                rows = zip(solved.numbers.T.tolist(), solved.targets.tolist(), solutions(solved).to_pylist())
                for numbers, target, solution in rows:
                    gold = chain_gold(numbers, target, self.space.division == "exact")
                    yield Question(puzzle_text(numbers, target), gold, f"{size} numbers", solution=solution)

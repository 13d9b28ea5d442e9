"""Arithmetical puzzles (arXiv 2406.02100): a model learns to reach a target from given numbers, and is asked about
larger numbers and longer puzzles than it was taught.

puzzles -> pretrain -> evaluate
"""

from __future__ import annotations

from src.methods.shared import examined_base, examined_student
from src.pipeline.graph import Graph
from src.stages.puzzles import Puzzles


def puzzle(graph: Graph) -> None:
    """The puzzles are solved as they are made: there is no teacher, and nothing to clean."""
    puzzles = graph.add("puzzles", graph.stage(Puzzles, "puzzles", benchmarks="benchmark"))
    examined_student(graph, puzzles, *examined_base(graph), sft=None)

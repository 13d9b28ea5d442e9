"""The tables of a finished stage that a tracker shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from src.core.records import BASE, STUDENT, Prediction, Problem, read_table

MOST_SAMPLES, MOST_FLIPPED = 50, 500  # rows of a table


def tracked_tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What is worth looking at in an artifact: some problems; in an evaluation the questions that changed sides."""
    tables: dict[str, list[dict[str, Any]]] = {}
    if any((folder / "problems").glob("*.parquet")):
        problems = islice(read_table(folder / "problems", Problem), MOST_SAMPLES)
        tables["samples"] = [
            {"stage": p.stage, "kind": p.kind, "question": p.question, "solution": p.solution, "answer": p.answer}
            for p in problems
        ]
    if any((folder / "predictions").glob("*.parquet")):
        tables["flipped"] = list(islice(_flipped(folder), MOST_FLIPPED))
    return tables


def _flipped(folder: Path) -> Iterator[dict[str, Any]]:
    """Questions that the base model answered and the student did not, or the other way round."""
    before: dict[tuple[str, str], bool] = {}
    for row in read_table(folder / "predictions", Prediction):
        if row.model == BASE:
            before[row.benchmark, row.question_id] = any(row.verdict)
    for row in read_table(folder / "predictions", Prediction):
        was = before.get((row.benchmark, row.question_id))
        if row.model == STUDENT and was is not None and was != any(row.verdict):
            yield {
                "benchmark": row.benchmark,
                "stage": row.stage,
                "change": "lost" if was else "won",
                "prompt": row.prompt,
                "gold": row.gold,
                "answer": row.extracted[0] if row.extracted else None,
                "text": row.samples[0] if row.samples else "",
            }

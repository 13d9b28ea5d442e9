"""The gate between texts and training: no student learns from rows that nobody compared with its examination."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from src.core.errors import UserError
from src.core.records import BATCH_ROWS, Example
from src.core.store import write_json
from src.text.contamination import (
    AsksQuestions,
    ContaminationIndex,
    Decontamination,
    Overlap,
    is_generated,
    question_numbers,
)
from src.text.normalise import normalise
from src.text.parsing import question_in
from src.text.spelling import comparison_key

log = logging.getLogger(__name__)

CHECKED = "checked.json"
QUESTIONS = "checked_questions.npy"
Unchecked = Literal["refuse", "allow"]


def write_checked(
    folder: Path, how: Decontamination | None, index: ContaminationIndex | None, names: list[str]
) -> dict[str, Any]:
    """Leave with a corpus what it was compared with: the benchmarks' names, the method, each question as a number."""
    if how is None or index is None:
        facts: dict[str, Any] = {"benchmarks": [], "ngram": None, "near": None}
    else:
        facts = {"benchmarks": names, "ngram": how.ngram, "near": how.near}
    write_json(folder / CHECKED, facts)
    np.save(folder / QUESTIONS, index.questions if index is not None else np.zeros(0, np.uint64))
    return facts


def gate(
    corpora: Mapping[str, Path], benchmarks: Mapping[str, AsksQuestions], unchecked: Unchecked
) -> dict[str, float]:
    """Raise `UserError` unless every question of every benchmark was compared with every corpus; where people wrote the
    questions, by more than whole questions.

    corpora: folders of cleaned artifacts by name. With `unchecked` "allow" training goes on, and the summary that
    comes back says how many questions the corpora were never compared with (`unchecked_questions`), for a report to
    show in red.
    """
    unseen: dict[str, dict[str, int]] = {}
    asked = {name: _keys(benchmark) for name, benchmark in benchmarks.items()}
    for corpus, folder in corpora.items():
        known, whole_only = _compared(folder), _how(folder).get("ngram") is None
        missing = {
            name: len(keys) if whole_only and not is_generated(benchmarks[name]) else int((~np.isin(keys, known)).sum())
            for name, keys in asked.items()
        }
        if missing := {name: n for name, n in missing.items() if n}:
            unseen[corpus] = missing
    total = sum(n for missing in unseen.values() for n in missing.values())
    if not total:
        return {"unchecked_questions": 0}
    told = "; ".join(f"{corpus}: {_list(missing)}" for corpus, missing in unseen.items())
    problem = f"The corpus was not checked against questions that the student will be asked ({told})."
    if unchecked == "refuse":
        raise UserError(
            problem,
            "Clean it against these benchmarks (clean=basic checks against all of `benchmark`; where people wrote them "
            "whole questions are not enough), or train on it all the same with pretrain.unchecked=allow; the "
            "report will say so.",
        )
    log.warning("%s Training on it all the same: pretrain.unchecked=allow.", problem)
    return {"unchecked_questions": total}


Rows = Callable[[], Iterator[Example]]


def compared(rows: Rows, index: ContaminationIndex) -> Iterator[tuple[Example, Overlap | None]]:
    """The rows of a fine-tuning set, in order, with the benchmark's question that each repeats: as its own question, or
    anywhere in its prompt (worked examples, turns of a conversation) or response."""
    for some in _batches(rows):
        questions = [comparison_key(normalise(question_of(row))) for row in some]
        whole = [comparison_key(normalise(f"{row.prompt}\n{row.response}")) for row in some]
        repeats = index.find_rows(questions, whole)
        yield from ((row, repeats.get(place)) for place, row in enumerate(some))


def _batches(rows: Rows) -> Iterator[tuple[Example, ...]]:
    source = rows()
    while some := tuple(islice(source, BATCH_ROWS)):
        yield some


def question_of(example: Example) -> str:
    """The question in a training row's prompt."""
    return question_in(example.prompt)


def _keys(benchmark: AsksQuestions) -> np.ndarray:
    keys = question_numbers(question.text for question in benchmark.questions())
    return np.unique(keys[keys != 0])


def _compared(folder: Path) -> np.ndarray:
    """The questions that a corpus was compared with; none for one that nobody cleaned."""
    path = folder / QUESTIONS
    try:
        return np.load(path) if path.exists() else np.zeros(0, np.uint64)
    except (ValueError, OSError, EOFError):
        raise UserError(f"{path} is damaged.", f"Remove the artifact and run again: rm -r {folder}") from None


def _how(folder: Path) -> dict[str, Any]:
    path = folder / CHECKED
    try:
        facts: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except ValueError:
        raise UserError(f"{path} is damaged.", f"Remove the artifact and run again: rm -r {folder}") from None
    return facts


def _list(missing: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} of {name}" for name, n in missing.items())

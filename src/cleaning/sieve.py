"""The first pass: each row by itself. Whoever gets through is written down with its features; the others' reasons are.

One part at a time, in any process and any order; a finished part is never done again.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from src.cleaning.features import Features, features_of, joined
from src.cleaning.parts import UNREADABLE, Part, read_part
from src.core.records import Generation, Problem, arrow_schema
from src.text.arithmetic import check_arithmetic
from src.text.contamination import ContaminationIndex, Overlap
from src.text.minhash import Sketcher
from src.text.normalise import key_of_normal
from src.text.parsing import ParsedProblem, Rejection, parse_generation, to_problem
from src.text.quality import Rules, prose
from src.text.shingles import words_of
from src.text.spelling import comparison_key
from src.text.topics import read

LONGEST = 1_000_000  # characters: what is longer is not even parsed
FAILED = "generation failed"
WRONG_ARITHMETIC = "wrong arithmetic"
# What a solution looks like that the token limit cut short: the limit is the reason, not the look.
CUT_OFF_SYMPTOMS = frozenset({"no boxed answer", "unbalanced LaTeX"})

OPEN = pa.schema(
    [
        *arrow_schema(Problem),
        ("generation_id", pa.string()),
        ("repairs", pa.string()),
        ("arithmetic", pa.string()),
        ("topic", pa.string()),
        ("level", pa.int8()),
        ("grade", pa.float32()),
        ("words", pa.int32()),
        ("steps", pa.int32()),
    ]
)
PROBLEM = arrow_schema(Problem).names
LEFT = pa.schema([(name, pa.string()) for name in ("id", "prompt_id", "passage_id", "reason", "twin")])


@dataclass(frozen=True)
class Sieve:
    """What is asked of a row by itself.

    arithmetic: "refuse" what is wrong, "note" it, or None; samples: rejected rows to keep of each reason; families:
    whether the rows' families will be looked at.
    """

    rules: Rules | None
    index: ContaminationIndex | None
    sketcher: Sketcher
    arithmetic: str | None
    samples: int
    families: bool = True
    round: int = 0

    def sift(self, part: Part, folder: Path) -> Path:
        """Leave what the part's rows came to in `folder`, which appears at once and complete."""
        if folder.exists():
            return folder
        partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        found = _Found(self.samples)
        features = [self._batch(rows, found) for rows in read_part(part)]
        joined(features).save(partial)
        pq.write_table(pa.Table.from_pylist(found.open, OPEN), partial / "open.parquet", compression="lz4")
        pq.write_table(pa.Table.from_pylist(found.left, LEFT), partial / "left.parquet", compression="lz4")
        (partial / "part.json").write_text(json.dumps(found.as_dict(), ensure_ascii=False))
        partial.rename(folder)
        return folder

    def _batch(self, rows: list[Generation], found: _Found) -> Features:
        parsed = []
        for row in rows:
            problem = self._parse(row)
            if isinstance(problem, Rejection):
                found.reject(row, problem.reason)
            else:
                parsed.append((row, problem))
        questions = [problem.question for _, problem in parsed]
        keys = [comparison_key(question) for question in questions]
        words = words_of(keys)
        sketch = self.sketcher.sketch(words)
        shared = sketch if self.sketcher == Sketcher() else None
        overlaps: dict[int, Overlap] = {}
        if self.index:
            solutions = [comparison_key(problem.solution) for _, problem in parsed]
            overlaps = self.index.find_rows(keys, solutions, words, shared)
        relatives = self.index.find_families(questions) if self.index and self.index.has_families else {}
        problems = [to_problem(row, problem, self.round) for row, problem in parsed]
        kept = []
        for place, (row, problem) in enumerate(parsed):
            if overlap := overlaps.get(place):
                found.contaminate(row, overlap)
                continue
            sums = self._sums(row, problem)
            if sums == WRONG_ARITHMETIC and self.arithmetic == "refuse":
                found.reject(row, WRONG_ARITHMETIC)
            else:
                kept.append(place)
                found.keep(row, problems[place], problem, sums)
                if relative := relatives.get(place):
                    found.relatives.append({"id": row.id, **dataclasses.asdict(relative)})
        features = features_of(
            ids=[problem.id for problem in problems],
            tickets=[row.id for row, _ in parsed],
            questions=questions,
            words=words,
            tool=[problem.kind == "tool" for problem in problems],
            sketch=sketch,
            families=self.families,
        )
        return features.take(kept)

    def _parse(self, row: Generation) -> ParsedProblem | Rejection:
        """Parse and ask the rules."""
        if row.finish_reason == "error":
            return Rejection(FAILED)
        if row.finish_reason in UNREADABLE:
            return Rejection(row.finish_reason)
        if len(row.text) > LONGEST:
            return Rejection(f"longer than {LONGEST:,} characters")
        parsed = parse_generation(row.text, row.kind)
        if isinstance(parsed, Rejection) or self.rules is None:
            return parsed
        reason = self.rules.reason(parsed, row.stage)
        if reason in CUT_OFF_SYMPTOMS and row.finish_reason == "length":
            return Rejection("cut off at the token limit")
        return Rejection(reason) if reason else parsed

    def _sums(self, row: Generation, problem: ParsedProblem) -> str:
        if self.arithmetic is None or row.kind == "tool":
            return "unchecked"
        sums = check_arithmetic(prose(problem.solution))
        return WRONG_ARITHMETIC if sums.wrong else "arithmetic" if sums.checked else "unchecked"


@dataclass
class _Found:
    samples: int
    entered: int = 0
    open: list[dict[str, Any]] = field(default_factory=list)
    left: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    contaminated: list[dict[str, str]] = field(default_factory=list)
    relatives: list[dict[str, str]] = field(default_factory=list)
    shown: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def keep(self, row: Generation, problem: Problem, parsed: ParsedProblem, sums: str) -> None:
        topic, level, grade, words = read(problem.question, key_of_normal(problem.question))
        self.open.append(
            {
                **{name: getattr(problem, name) for name in PROBLEM},
                "generation_id": row.id,
                "repairs": "|".join(parsed.repairs),
                "arithmetic": sums,
                "topic": topic,
                "level": level,
                "grade": grade,
                "words": words,
                "steps": sum(1 for line in problem.solution.split("\n") if line.strip()),
            }
        )

    def reject(self, row: Generation, reason: str) -> None:
        self.reasons[reason] += 1
        self.left.append(
            {"id": row.id, "prompt_id": row.prompt_id, "passage_id": row.passage_id, "reason": reason, "twin": None}
        )
        if reason != FAILED:
            text = row.text if len(row.text) <= LONGEST // 100 else f"{row.text[: LONGEST // 100]} [...]"
            self.shown.setdefault(reason, []).append(shown_row(reason, row.id, row.stage, row.kind, text))
            if len(self.shown[reason]) > 4 * self.samples + 50:
                self.shown[reason] = first_of(self.shown[reason], self.samples)

    def contaminate(self, row: Generation, overlap: Overlap) -> None:
        self.reject(row, f"contaminated by {overlap.benchmark}")
        self.contaminated.append({"id": row.id, **dataclasses.asdict(overlap)})

    def as_dict(self) -> dict[str, Any]:
        shown = {reason: first_of(rows, self.samples) for reason, rows in self.shown.items()}
        return {
            "reasons": self.reasons,
            "contaminated": self.contaminated,
            "relatives": self.relatives,
            "shown": shown,
        }


def shown_row(reason: str, id: str, stage: str, kind: str, text: str) -> dict[str, str]:
    """A line of `rejected.jsonl`."""
    return {"reason": reason, "id": id, "stage": stage, "kind": kind, "text": text}


def first_of(rows: list[dict[str, str]], count: int) -> list[dict[str, str]]:
    """Those with the lowest ids: the same ones whatever came first."""
    return heapq.nsmallest(count, rows, key=lambda row: row["id"])

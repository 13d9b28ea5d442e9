"""Stage `clean`: raw generations become problems that have earned their place; the others leave with a reason.

Three passes over the rows, texts on disk: each row by itself (in parallel), rows beside each other (numbers only), and
the tables. Nothing depends on the order of rows or shards; a kill costs the parts that were in hand.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from src.cleaning.card import FAMILIES, write_card
from src.cleaning.corpus import OpenRows
from src.cleaning.duplicates import Duplicates, Fates
from src.cleaning.features import Features, Shelf, features_of
from src.cleaning.fit import Balance
from src.cleaning.gate import question_of, write_checked
from src.cleaning.parts import Part, parts_of
from src.cleaning.sieve import FAILED, Sieve, first_of
from src.cleaning.sources import Sources
from src.cleaning.verification import Verification
from src.core.checks import at_least
from src.core.fingerprint import not_in_key
from src.core.records import BATCH_ROWS, Problem, content_id
from src.core.stage import Stage, StageContext, Upstream
from src.core.store import write_json
from src.stages.sft import NoSFT, SFTSet
from src.stages.verifying import verify
from src.text.contamination import AsksQuestions, Decontamination
from src.text.minhash import Sketcher
from src.text.normalise import normalise
from src.text.quality import Rules
from src.text.shingles import words_of
from src.text.spelling import comparison_key


@dataclass(frozen=True)
class Clean(Stage):
    """Reads `generations`; writes the tables `problems` (round 0: written by no teacher), `facts` (about each of them)
    and `rejections` (all others, with the reason), in the order of their ids, and a dataset card, `README.md`.

    rules: what is asked of a parsed problem; None asks nothing.
    duplicates: what counts as the same question, which stands once; None lets all stand. The teacher's (the
        `problems` of inputs other than `generations` and `passages`) and those of `beside` stood before.
    decontamination: how questions and solutions are compared with the questions of `benchmarks`; None compares
        nothing. All that is found is listed in `contaminated.jsonl`; `checked.json` says what was compared. What asks a
        benchmark's question with other numbers and names stays, is counted (`of_a_benchmark_family`) and listed in
        `benchmark_families.jsonl`.
    benchmarks: whose questions must not be in the corpus.
    verification: how answers are checked; None checks none.
    balance: sampling weights; None gives none.
    beside: a fine-tuning set that the corpus will be read with.
    share: of what is clean, for studies of the corpus's size; chosen by id, so a larger share holds the smaller one.
    samples: rejected generations to list for each reason in `rejected.jsonl`.
    workers: processes that share the work.

    `coverage.json` counts source x stage x topic x kind, `stage_fit.json` says how the stages read; `programs.json` in
    which isolation programs were run.
    """

    kind: ClassVar[str] = "clean"
    version: ClassVar[int] = 15

    rules: Rules | None = field(default_factory=Rules)
    duplicates: Duplicates | None = field(default_factory=Duplicates)
    decontamination: Decontamination | None = None
    benchmarks: dict[str, AsksQuestions] = field(default_factory=dict)
    verification: Verification | None = None
    balance: Balance | None = None
    beside: SFTSet = field(default_factory=NoSFT)
    share: float = 1.0
    samples: int = 20
    workers: int = field(
        default=1, metadata=not_in_key("how many processes share the work: rows do not depend on who did them")
    )

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], not {self.share}")
        at_least(self, 0, "samples")
        at_least(self, 1, "workers")

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return inputs["generations"].rows

    def run(self, ctx: StageContext) -> None:
        sketcher = self.duplicates.sketch if self.duplicates else Sketcher(bands=1, rows=1)
        index = self.decontamination.index(self.benchmarks) if self.decontamination else None
        ctx.summary["benchmark_questions_compared"] = len(index) if index is not None else 0
        mode = self.verification.arithmetic_mode if self.verification else None
        families = self.duplicates is not None and self.duplicates.family_cap is not None
        folders = self._sift(ctx, Sieve(self.rules, index, sketcher, mode, self.samples, families))
        rows = self._compare(ctx, folders, sketcher)
        if self.verification:
            verify(ctx, self.verification, rows, self.workers)
        if self.share < 1:
            for row in np.flatnonzero(rows.stays & (rows.ids[: rows.count] >= self.share * 2.0**64)):
                rows.refuse(row, BEYOND_SHARE)
        checked = write_checked(ctx.out, self.decontamination, index, sorted(self.benchmarks))
        self._write(ctx, rows, folders, checked)

    def _sift(self, ctx: StageContext, sieve: Sieve) -> list[Path]:
        """The first pass: a folder for each part."""
        parts = parts_of(ctx.inputs["generations"].path / "generations")
        folders = [ctx.work / "parts" / f"{number:06d}" for number in range(len(parts))]
        total = sum(part.rows for part in parts)
        with ctx.progress("cleaning", total=total, unit="generations") as bar:
            if self.workers == 1 or len(parts) < 2:
                for part, folder in zip(parts, folders):
                    sieve.sift(part, folder)
                    bar.advance(part.rows)
            else:
                with ProcessPoolExecutor(self.workers, get_context("spawn"), _begin, (sieve,)) as pool:
                    jobs = {pool.submit(_sift, part, folder): part for part, folder in zip(parts, folders)}
                    for job in as_completed(jobs):
                        job.result()
                        bar.advance(jobs[job].rows)
        ctx.tally.enter(total)
        return folders

    def _compare(self, ctx: StageContext, folders: list[Path], sketcher: Sketcher) -> OpenRows:
        """The second pass: rows beside each other, and beside what stood before."""
        known = self._known(ctx, sketcher) if self.duplicates else []
        shelf = Shelf([*folders, *(folder for folder, _ in known)], ctx.work)
        fates = self.duplicates.judge(shelf, sum(n for _, n in known)) if self.duplicates else Fates.all_stay(shelf)
        return OpenRows(folders, fates, shelf.column("ids"), shelf.column("tool"))

    def _known(self, ctx: StageContext, sketcher: Sketcher) -> list[tuple[Path, int]]:
        """The questions that stood before, as parts of their own."""
        found: list[tuple[Path, int]] = []
        questions = self._known_questions(ctx)
        while some := list(islice(questions, 8 * BATCH_ROWS)):
            place = ctx.work / "known" / f"{len(found):06d}"
            place.mkdir(parents=True, exist_ok=True)
            _features_of_questions(some, sketcher).save(place)
            found.append((place, len(some)))
        ctx.summary["known_questions"] = sum(n for _, n in found)
        return found

    def _known_questions(self, ctx: StageContext) -> Iterator[tuple[str, str]]:
        """A problem's own id, so that a row that gives way to it can be followed there."""
        for name, artifact in sorted(ctx.inputs.items()):
            if name not in ("generations", "passages") and (artifact.path / "problems").is_dir():
                yield from ((problem.id, problem.question) for problem in artifact.table("problems", Problem))
        for question in map(question_of, self.beside.examples()):
            yield content_id(question), question

    def _write(self, ctx: StageContext, rows: OpenRows, folders: list[Path], checked: dict[str, Any]) -> None:
        """The third pass: the tables and what they hold."""
        sources = Sources(ctx.inputs["passages"].path / "passages" if "passages" in ctx.inputs else None)
        coverage, repairs, shown = rows.write(ctx.out, ctx.work, sources, self.balance, self.samples)
        parts = [json.loads((folder / "part.json").read_text(encoding="utf-8")) for folder in folders]
        for reason, n in sorted(sum((Counter(part["reasons"]) for part in parts), rows.left()).items()):
            (ctx.tally.fail if reason == FAILED else ctx.tally.reject)(reason, n)
        ctx.tally.keep(int(rows.stays.sum()))
        ctx.summary["kept_share"] = ctx.tally.kept / ctx.tally.entered if ctx.tally.entered else 0.0
        ctx.summary |= {f"repaired/{repair}": n for repair, n in sorted(repairs.items())}
        ctx.summary |= coverage.summary()
        for part in parts:
            shown += [row for some in part["shown"].values() for row in some]
        _write_lines(ctx.out / "rejected.jsonl", _samples(shown, self.samples))
        _write_lines(ctx.out / "contaminated.jsonl", [row for part in parts for row in part["contaminated"]])
        relatives = [row for part in parts for row in part["relatives"]]
        _write_lines(ctx.out / FAMILIES, relatives)
        ctx.summary["of_a_benchmark_family"] = len(relatives)
        cells = coverage.table(self.balance)
        write_json(ctx.out / "coverage.json", cells)
        write_json(ctx.out / "stage_fit.json", coverage.stages())
        write_card(ctx.out, ctx.tally.as_dict(), cells, sources.licences, checked, len(relatives))


BEYOND_SHARE = "left out: share below 1"

_sieve: Sieve


def _begin(sieve: Sieve) -> None:
    global _sieve
    _sieve = sieve


def _sift(part: Part, folder: Path) -> Path:
    return _sieve.sift(part, folder)


def _features_of_questions(asked: list[tuple[str, str]], sketcher: Sketcher) -> Features:
    """`asked`: ids and questions."""
    ids, questions = [id for id, _ in asked], [normalise(question) for _, question in asked]
    words = words_of([comparison_key(question) for question in questions])
    return features_of(ids, ids, questions, words, [False] * len(ids), sketcher.sketch(words), families=False)


def _samples(rows: list[dict[str, str]], count: int) -> list[dict[str, str]]:
    by_reason: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_reason.setdefault(row["reason"], []).append(row)
    return [row for some in by_reason.values() for row in first_of(some, count)]


def _write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in sorted(rows, key=lambda row: row["id"]))
    path.write_text("".join(lines), encoding="utf-8")

"""Stage `clean`: raw generations become problems that have earned their place; the others leave with a reason."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from src.core.records import Generation, Problem, content_id, write_table
from src.core.stage import Stage, StageContext
from src.text.contamination import AsksQuestions, ContaminationIndex, Decontamination, Overlap
from src.text.normalise import question_key
from src.text.parsing import ParsedProblem, Rejection, parse_generation, to_problem
from src.text.quality import Rules


@dataclass(frozen=True)
class Clean(Stage):
    """Reads `generations`, writes the table `problems` (round 0: written by no teacher) and `rejected.jsonl`.

    rules: what is asked of a parsed problem; None asks nothing.
    duplicates: whether a question that stood before may stand again; compared without case, spaces and punctuation.
    decontamination: how problems are compared with the questions of `benchmarks`; None compares nothing. All that is
        found is listed in `contaminated.jsonl`.
    benchmarks: whose questions must not be in the corpus.
    share: of what is clean, for studies of the corpus's size; chosen by id, so a larger share holds the smaller one.
    samples: rejected generations to list for each reason.
    """

    kind: ClassVar[str] = "clean"
    version: ClassVar[int] = 1

    rules: Rules | None = field(default_factory=Rules)
    duplicates: bool = False
    decontamination: Decontamination | None = None
    benchmarks: dict[str, AsksQuestions] = field(default_factory=dict)
    share: float = 1.0
    samples: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], not {self.share}")
        if self.samples < 0:
            raise ValueError(f"samples must be at least 0, not {self.samples}")

    def run(self, ctx: StageContext) -> None:
        generations = ctx.inputs["generations"]
        total = generations.count("generations")
        index = self.decontamination.index(self.benchmarks) if self.decontamination else None
        ctx.summary["benchmark_questions_compared"] = len(index) if index is not None else 0
        with (
            ctx.progress("cleaning", total=total, unit="generations") as bar,
            Rejected(ctx, self.samples) as rejected,
        ):
            write_table(ctx.out / "problems", Problem, self._problems(ctx, index, rejected, bar.advance))
        ctx.summary["kept_share"] = ctx.tally.kept / ctx.tally.entered if ctx.tally.entered else 0.0

    def _problems(
        self, ctx: StageContext, index: ContaminationIndex | None, rejected: Rejected, advance: Callable[[], None]
    ) -> Iterator[Problem]:
        seen: set[int] = set()
        for generation in ctx.inputs["generations"].table("generations", Generation):
            ctx.tally.enter()
            advance()
            if generation.finish_reason == "error":
                ctx.tally.fail("generation failed")
                continue
            parsed = self._parse(generation)
            if isinstance(parsed, Rejection):
                rejected.add(generation, parsed.reason)
            elif index is not None and (overlap := index.find(parsed.question)):
                rejected.add_contaminated(generation, overlap)
            elif not self.duplicates and _seen_before(parsed.question, seen):
                rejected.add(generation, "duplicate question")
            elif _lot(generation.id) >= self.share:
                ctx.tally.reject(LEFT_OUT)
            else:
                ctx.tally.keep()
                for repair in parsed.repairs:
                    ctx.summary[f"repaired/{repair}"] = ctx.summary.get(f"repaired/{repair}", 0) + 1
                yield to_problem(generation, parsed, round=0)

    def _parse(self, generation: Generation) -> ParsedProblem | Rejection:
        """Parse and ask the rules."""
        parsed = parse_generation(generation.text, generation.kind)
        if isinstance(parsed, Rejection) or self.rules is None:
            return parsed
        reason = self.rules.reason(parsed)
        if reason in CUT_OFF_SYMPTOMS and generation.finish_reason == "length":
            return Rejection("cut off at the token limit")
        return Rejection(reason) if reason else parsed


LEFT_OUT = "left out: share below 1"


def _lot(id: str) -> float:
    """A number in [0, 1) that the id alone decides."""
    return int(content_id("share", id)[:12], 16) / 16**12


# What a solution looks like that the token limit cut short: the limit is the reason, not the look.
CUT_OFF_SYMPTOMS = frozenset({"no boxed answer", "unbalanced LaTeX"})


def _seen_before(question: str, seen: set[int]) -> bool:
    key, before = int(content_id(question_key(question)), 16), len(seen)
    seen.add(key)
    return len(seen) == before


class Rejected:
    """Tallies rejections and lists the first few of each reason; contaminated ones are all listed. Used in a `with`."""

    def __init__(self, ctx: StageContext, samples: int):
        self._ctx, self._samples = ctx, samples

    def __enter__(self) -> Rejected:
        self._sampled = (self._ctx.out / "rejected.jsonl").open("w", encoding="utf-8")
        self._contaminated = (self._ctx.out / "contaminated.jsonl").open("w", encoding="utf-8")
        return self

    def __exit__(self, *exc: object) -> None:
        self._sampled.close()
        self._contaminated.close()

    def add(self, generation: Generation, reason: str) -> None:
        self._ctx.tally.reject(reason)
        if self._ctx.tally.rejected[reason] <= self._samples:
            row = {"reason": reason, "id": generation.id, "stage": generation.stage, "kind": generation.kind}
            self._sampled.write(json.dumps({**row, "text": generation.text}, ensure_ascii=False) + "\n")

    def add_contaminated(self, generation: Generation, overlap: Overlap) -> None:
        self.add(generation, f"contaminated by {overlap.benchmark}")
        row = {"id": generation.id, **dataclasses.asdict(overlap)}
        self._contaminated.write(json.dumps(row, ensure_ascii=False) + "\n")

"""Stage `clean`: raw generations become problems that have earned their place; the others leave with a reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from src.core.records import Generation, Problem, content_id, write_table
from src.core.stage import Stage, StageContext
from src.text.normalise import question_key
from src.text.parsing import ParsedProblem, Rejection, parse_generation, to_problem
from src.text.quality import Rules


@dataclass(frozen=True)
class Clean(Stage):
    """Reads `generations`, writes the table `problems` (round 0: written by no teacher) and `rejected.jsonl`.

    rules: what is asked of a parsed problem; None asks nothing.
    duplicates: whether a question that stood before may stand again; compared without case, spaces and punctuation.
    samples: rejected generations to list for each reason.
    """

    kind: ClassVar[str] = "clean"
    version: ClassVar[int] = 1

    rules: Rules | None = field(default_factory=Rules)
    duplicates: bool = False
    samples: int = 20

    def __post_init__(self) -> None:
        if self.samples < 0:
            raise ValueError(f"samples must be at least 0, not {self.samples}")

    def run(self, ctx: StageContext) -> None:
        generations = ctx.inputs["generations"]
        total = generations.count("generations")
        with (
            ctx.progress("cleaning", total=total, unit="generations") as bar,
            RejectedSamples(ctx.out / "rejected.jsonl", self.samples) as rejected,
        ):
            write_table(ctx.out / "problems", Problem, self._problems(ctx, rejected, bar.advance))
        ctx.summary["kept_share"] = ctx.tally.kept / ctx.tally.entered if ctx.tally.entered else 0.0

    def _problems(self, ctx: StageContext, rejected: RejectedSamples, advance: Callable[[], None]) -> Iterator[Problem]:
        seen: set[int] = set()
        for generation in ctx.inputs["generations"].table("generations", Generation):
            ctx.tally.enter()
            advance()
            if generation.finish_reason == "error":
                ctx.tally.fail("generation failed")
                continue
            verdict = self._judge(generation, seen)
            if isinstance(verdict, Rejection):
                ctx.tally.reject(verdict.reason)
                rejected.add(generation, verdict.reason)
                continue
            ctx.tally.keep()
            for repair in verdict.repairs:
                ctx.summary[f"repaired/{repair}"] = ctx.summary.get(f"repaired/{repair}", 0) + 1
            yield to_problem(generation, verdict, round=0)

    def _judge(self, generation: Generation, seen: set[int]) -> ParsedProblem | Rejection:
        """Parse, ask the rules, look for the question among those kept before."""
        parsed = parse_generation(generation.text, generation.kind)
        if isinstance(parsed, Rejection):
            return parsed
        if self.rules is not None and (reason := self.rules.reason(parsed)):
            torn = generation.finish_reason == "length" and reason in CUT_OFF_SYMPTOMS
            return Rejection("cut off at the token limit" if torn else reason)
        if not self.duplicates:
            key = int(content_id(question_key(parsed.question)), 16)
            if key in seen:
                return Rejection("duplicate question")
            seen.add(key)
        return parsed


# What a solution looks like that the token limit cut short: the limit is the reason, not the look.
CUT_OFF_SYMPTOMS = frozenset({"no boxed answer", "unbalanced LaTeX"})


class RejectedSamples:
    """Lists the first few rejected generations of each reason; used in a `with` block."""

    def __init__(self, path: Path, most: int):
        self._path, self._most = path, most
        self._listed: Counter[str] = Counter()

    def __enter__(self) -> RejectedSamples:
        self._file = self._path.open("w", encoding="utf-8")
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def add(self, generation: Generation, reason: str) -> None:
        if self._listed[reason] >= self._most:
            return
        self._listed[reason] += 1
        row = {"reason": reason, "id": generation.id, "stage": generation.stage, "kind": generation.kind}
        self._file.write(json.dumps({**row, "text": generation.text}, ensure_ascii=False) + "\n")

"""Stage `corpus`: math texts from a reader, cut to length, each once."""

from __future__ import annotations

import json
import logging
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from src.core.checks import at_least
from src.core.errors import UserError
from src.core.records import Passage, content_id, write_table
from src.core.row_files import RowFile, RowView
from src.core.seen import Seen
from src.core.stage import Stage, StageContext, Upstream
from src.corpus.base import BadRow, Reader, passage
from src.text.sentences import cut

LISTED_BAD_ROWS = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus(Stage):
    """Writes the table `passages`, and `bad_rows.jsonl`: place and reason of the first thousand broken rows.

    chars: a passage is cut to this length, back to a sentence end; as long as the longest prompt wants it.
    min_chars: shorter ones are rejected.
    limit: at most so many passages; which ones hangs on their content and `data_seed`, neither on order nor on files.
    """

    kind: ClassVar[str] = "corpus"
    version: ClassVar[int] = 3

    reader: Reader
    chars: int = 2_000
    min_chars: int = 100
    limit: int | None = None
    data_seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.min_chars <= self.chars or self.chars < 1:
            raise ValueError(f"min_chars must lie between 0 and chars ({self.chars}), not {self.min_chars}")
        at_least(self, 1, "limit")

    def check_inputs(self, inputs: Mapping[str, Upstream]) -> None:
        self.reader.check("corpus")

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        try:
            bounds = [bound for bound in (self.limit, self.reader.size_hint()) if bound is not None]
        except UserError:  # a file that is not there is told by the reader's identity
            return None
        return min(bounds, default=None)

    def run(self, ctx: StageContext) -> None:
        with BadRows(ctx.out / "bad_rows.jsonl") as bad, ctx.progress("reading texts", unit="rows") as bar:
            passages = self._passages(ctx, bad, bar.advance)
            if self.limit is not None:
                passages = self._draw(ctx, passages, self.limit)
            kept = write_table(ctx.out / "passages", Passage, _counted(ctx, passages))
        bad.report()
        if not kept:
            raise UserError(
                f"The corpus is empty: {_why_empty(ctx)}.", "Check the corpus options, above all text and min_chars."
            )
        ctx.summary["bad_rows"] = bad.count

    def _passages(self, ctx: StageContext, bad: BadRows, advance: Callable[[], None]) -> Iterator[Passage]:
        """Whole, cut, new passages; everything else is tallied."""
        seen = Seen()
        for row in self.reader.read():
            ctx.tally.enter()
            advance()
            if isinstance(row, BadRow):
                ctx.tally.reject(row.reason)
                bad.add(row)
                continue
            text = cut(row.text, self.chars)
            short = passage(row.source, text, row.meta) if len(text) < len(row.text) else row
            if len(text) < self.min_chars:
                ctx.tally.reject("too short")
            elif seen.add(int(short.id, 16) % 2**64):
                yield short
            else:
                ctx.tally.reject("duplicate")

    def _draw(self, ctx: StageContext, passages: Iterable[Passage], limit: int) -> Iterator[Passage]:
        """The `limit` passages whose ids hash lowest, in that order: shuffled, and the same from any order.

        What may be drawn waits on disk, 16 bytes of each in memory; whenever `limit` more wait, the bar is lowered."""
        waiting, lots = RowFile(ctx.work / "waiting.rows", Passage), array("Q")
        bar, met = 2**64, 0
        for row in passages:
            met += 1
            lot = int(content_id("draw", self.data_seed, row.id)[:16], 16)
            if lot < bar:
                waiting.append(row)
                lots.append(lot)
                if len(lots) % limit == 0:
                    bar = int(np.partition(np.array(lots, np.uint64), limit - 1)[limit - 1]) + 1
        drawn = np.argsort(np.array(lots, np.uint64), kind="stable")[:limit]
        if met > len(drawn):
            ctx.tally.reject("over the limit", met - len(drawn))
        return iter(RowView(waiting, drawn))


class BadRows:
    """Counts broken rows and lists the first ones in a file; used in a `with` block."""

    def __init__(self, path: Path):
        self._path = path
        self._reasons: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def __enter__(self) -> BadRows:
        self._file = self._path.open("w", encoding="utf-8")
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    @property
    def count(self) -> int:
        return self._reasons.total()

    def add(self, row: BadRow) -> None:
        if not row.broken:
            return
        if self.count < LISTED_BAD_ROWS:
            self._file.write(json.dumps({"place": row.place, "reason": row.reason}, ensure_ascii=False) + "\n")
        self._reasons[row.reason] += 1
        self._first.setdefault(row.reason, row.place)

    def report(self) -> None:
        """One line for each reason, with the first place."""
        for reason, count in self._reasons.most_common():
            log.warning("%s bad row(s) left out: %s (first: %s)", f"{count:,}", reason, self._first[reason])


def _counted(ctx: StageContext, passages: Iterable[Passage]) -> Iterator[Passage]:
    for row in passages:
        ctx.tally.keep()
        ctx.summary[f"source/{row.source}"] = ctx.summary.get(f"source/{row.source}", 0) + 1
        yield row


def _why_empty(ctx: StageContext) -> str:
    if not ctx.tally.entered:
        return "the reader found no row at all"
    reasons = ", ".join(f"{count:,} x {reason}" for reason, count in ctx.tally.rejected.most_common(3))
    return f"none of its {ctx.tally.entered:,} rows gave a passage ({reasons})"

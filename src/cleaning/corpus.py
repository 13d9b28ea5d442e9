"""From the parts of the first pass to the finished corpus: what each open row is in for, and the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from src.cleaning.duplicates import KEPT, REASONS, SAME, Fates
from src.cleaning.features import keys_of
from src.cleaning.fit import Balance, Coverage
from src.cleaning.sieve import LEFT, shown_row
from src.cleaning.sources import Sources
from src.cleaning.tables import SortedTable
from src.cleaning.verification import UNCHECKED
from src.core.records import Problem, arrow_schema
from src.text.parsing import format_response

FACTS = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "generation_id", "source", "verdict", "topic")),
        ("level", pa.int8()),
        ("grade", pa.float32()),
        ("words", pa.int32()),
        ("steps", pa.int32()),
        ("weight", pa.float32()),
    ]
)
LEFT_OUT = "left out to balance the corpus"


class OpenRows:
    """The rows that got through the first pass, by number; the parts hold them in that order.

    `reason`: why a row goes, "" while it stays. `verdict`: of its answer. Both may be set until `write`. `ids`: of
    these rows, then of what stood before them.
    """

    def __init__(self, folders: list[Path], fates: Fates, ids: np.ndarray, tool: np.ndarray):
        self.folders, self.ids, self._fates = folders, ids, fates
        self.sizes = [pq.read_metadata(folder / "open.parquet").num_rows for folder in folders]
        self.count = sum(self.sizes)
        self.reasons: list[str] = list(REASONS)
        self.verdicts: list[str] = [""]  # "": as the first pass saw it
        self._reason = fates.fate[: self.count].astype(np.uint16)
        self._verdict = np.zeros(self.count, np.uint8)
        self.tool = tool[: self.count]

    @property
    def stays(self) -> np.ndarray:
        return self._reason == KEPT

    def refuse(self, row: int, reason: str) -> None:
        self._reason[row] = _number(self.reasons, reason)

    def say(self, row: int, verdict: str) -> None:
        self._verdict[row] = _number(self.verdicts, verdict)

    def unsaid(self) -> np.ndarray:
        """Which rows no check beyond the first pass has spoken on."""
        return self._verdict == 0

    def twins(self) -> dict[int, int]:
        """By natural-language row that stays, the row that asked the very same and was solved by a program: that with
        the lowest id, where there are several."""
        fates = self._fates
        same = np.flatnonzero((fates.fate[: self.count] == SAME) & self.tool)
        same = same[np.argsort(-fates.rank[same])]
        pairs = zip(fates.twin[same].tolist(), same.tolist())
        return {first: twin for first, twin in pairs if first < self.count and not self.tool[first]}

    def read(self, wanted: np.ndarray, columns: list[str]) -> Iterator[tuple[np.ndarray, pa.Table]]:
        """The wanted rows' numbers and texts, a part at a time."""
        start = 0
        for folder, size in zip(self.folders, self.sizes):
            rows = start + np.flatnonzero(wanted[start : start + size])
            if len(rows):
                yield rows, pq.read_table(folder / "open.parquet", columns=columns).take(pa.array(rows - start))
            start += size

    def write(
        self, out: Path, scratch: Path, sources: Sources, balance: Balance | None, samples: int
    ) -> tuple[Coverage, Counter[str], list[dict[str, str]]]:
        """Write `problems`, `facts` and `rejections`. Returns the coverage, the repairs of rows that stay, and
        samples of those rejected here (lowest ids first, of each reason)."""
        coverage, repairs = Coverage(), Counter[str]()
        for rows, table in self.read(self.stays, list(_READ)):
            coverage.add(self._judged(rows, table, sources))
        weights = coverage.weights(balance) if balance else {}
        if balance and balance.thin and weights:
            coverage = self._thin(balance, weights, sources)
        shown: dict[str, list[dict[str, str]]] = {}
        problems = SortedTable(out / "problems", arrow_schema(Problem), int(self.stays.sum()), scratch / "problems")
        facts = SortedTable(out / "facts", FACTS, int(self.stays.sum()), scratch / "facts")
        left = SortedTable(out / "rejections", LEFT, self._left_before() + int((~self.stays).sum()), scratch / "left")
        for folder in self.folders:
            table = pq.read_table(folder / "left.parquet")
            left.add(table, keys_of(table["id"].to_pylist()))
        for rows, table in self.read(np.ones(self.count, bool), _ALL):
            stays = self.stays[rows]
            kept = table.filter(pa.array(stays))
            repairs.update(r for text in kept["repairs"].to_pylist() if text for r in text.split("|"))
            problems.add(kept, self.ids[rows[stays]])
            facts.add(self._facts(rows[stays], kept, sources, balance, weights), self.ids[rows[stays]])
            gone = self._gone(rows[~stays], table.filter(pa.array(~stays)))
            left.add(gone, keys_of(gone["id"].to_pylist()))
            _show(shown, gone, table.filter(pa.array(~stays)), samples)
        for each in (problems, facts, left):
            each.finish()
        return coverage, repairs, [row for rows_ in shown.values() for row in rows_]

    def left(self) -> Counter[str]:
        """How many rows go, by reason."""
        numbers, counts = np.unique(self._reason[~self.stays], return_counts=True)
        return Counter({self.reasons[number]: int(n) for number, n in zip(numbers.tolist(), counts)})

    def _judged(self, rows: np.ndarray, table: pa.Table, sources: Sources) -> pa.Table:
        first = table["arithmetic"].to_pylist()
        said = (self.verdicts[v] for v in self._verdict[rows].tolist())
        verdict = [later or before or UNCHECKED for later, before in zip(said, first)]
        table = table.append_column("verdict", pa.array(verdict, pa.string()))
        return table.append_column("source", pa.array(sources.of(table["passage_id"].to_pylist()), pa.string()))

    def _facts(
        self,
        rows: np.ndarray,
        table: pa.Table,
        sources: Sources,
        balance: Balance | None,
        weights: dict[tuple[str, ...], float],
    ) -> pa.Table:
        table = self._judged(rows, table, sources)
        values = _row_weights(table, balance, weights) if balance and len(rows) else np.ones(len(rows))
        return table.append_column("weight", pa.array(values.astype(np.float32)))

    def _thin(self, balance: Balance, weights: dict[tuple[str, ...], float], sources: Sources) -> Coverage:
        coverage, heaviest = Coverage(), max(weights.values())
        reason = _number(self.reasons, LEFT_OUT)
        for rows, table in self.read(self.stays, list(_READ)):
            judged = self._judged(rows, table, sources)
            keeps = balance.keeps(self.ids[rows], _row_weights(judged, balance, weights), heaviest)
            self._reason[rows[~keeps]] = reason
            if keeps.any():
                coverage.add(judged.filter(pa.array(keeps)))
        return coverage

    def _gone(self, rows: np.ndarray, table: pa.Table) -> pa.Table:
        reasons = [self.reasons[number] for number in self._reason[rows].tolist()]
        twins = self._fates.twin[rows]
        names = [f"{self.ids[twin]:016x}" if twin >= 0 else None for twin in twins.tolist()]
        columns = [table["generation_id"], table["prompt_id"], table["passage_id"]]
        return pa.table([*columns, pa.array(reasons, pa.string()), pa.array(names, pa.string())], schema=LEFT)

    def _left_before(self) -> int:
        return sum(pq.read_metadata(folder / "left.parquet").num_rows for folder in self.folders)


_READ = ("passage_id", "stage", "kind", "topic", "level", "grade", "words", "steps", "arithmetic")
_ALL = [*arrow_schema(Problem).names, "generation_id", "repairs", *_READ[3:]]


def _number(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def _row_weights(table: pa.Table, balance: Balance, weights: dict[tuple[str, ...], float]) -> np.ndarray:
    cells = zip(*(table[name].to_pylist() for name in balance.by), strict=True)
    return np.array([weights[cell] for cell in cells])


def _show(shown: dict[str, list[dict[str, str]]], gone: pa.Table, texts: pa.Table, samples: int) -> None:
    reasons = np.array(gone["reason"].to_pylist(), dtype=object)
    ids = gone["id"].to_pylist()
    for reason in sorted(set(reasons.tolist())):
        places = sorted(np.flatnonzero(reasons == reason).tolist(), key=lambda place: ids[place])[:samples]
        rows: list[dict[str, Any]] = texts.take(pa.array(places, pa.int64())).to_pylist()
        found = [
            shown_row(reason, r["generation_id"], r["stage"], r["kind"], format_response(r["question"], r["solution"]))
            for r in rows
        ]
        shown[reason] = sorted([*shown.get(reason, []), *found], key=lambda row: row["id"])[:samples]

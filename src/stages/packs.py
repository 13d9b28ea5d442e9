"""Which packed sequences a row was read in: the table `packs` that a student leaves, one line a reading.

The plan of a training is a pure function of lengths, recipe and seed, so it is made again here rather than written down
as it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from src.cleaning.features import keys_of
from src.cleaning.tables import SortedTable
from src.core.records import BATCH_ROWS

if TYPE_CHECKING:
    from src.modeling.plan import Plan
    from src.modeling.recipe import Order, Recipe
    from src.modeling.rows import TokenRows

# `id`: of the row; `corpus`: its name; `epoch`, `phase` (null without phases) and `step` count from 1 as people do,
# `sequence` and `start`, its first token there, from 0; `tokens`: of the row, or of the piece that the line is about.
PACKS = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "corpus")),
        *((name, pa.int32()) for name in ("epoch", "phase", "step", "sequence", "start", "tokens")),
    ]
)


def write_packs(out: Path, work: Path, recipe: Recipe, orders: Sequence[Order], seed: int) -> int:
    """Write the table into the folder `out`, in the order of its ids; return the number of readings.

    work: of the training, which holds the tokenized `rows`. Memory: 24 bytes a reading besides the plan's own.
    """
    from src.modeling.plan import make_plan
    from src.modeling.rows import TokenRows

    made = json.loads((work / "rows" / "rows.json").read_text(encoding="utf-8"))
    rows = TokenRows(work / "rows", tuple(made["corpora"]), made["counts"])
    readings = _Readings(rows, make_plan(rows, recipe, tuple(orders), seed), bool(recipe.phases))
    table = SortedTable(out, PACKS, readings.count, work / "packs")
    first = 0
    for ids in _batches(rows.folder / "ids.txt"):
        of_rows, columns = readings.of(first, first + len(ids))
        read = [ids[row - first] for row in of_rows.tolist()]
        table.add(pa.table([pa.array(read, pa.string()), *columns], names=PACKS.names), _keys(read))
        first += len(ids)
    table.finish()
    return readings.count


class _Readings:
    """All readings of a plan, to be asked for by row. A reading is a place in the plan's flat list of rows."""

    def __init__(self, rows: TokenRows, plan: Plan, phases: bool):
        self._rows, self._plan, self._phases = rows, plan, phases
        offsets = plan.bins.offsets[: min(len(plan.bins), plan.steps * plan.batch) + 1]
        self._offsets = offsets
        self._flat = plan.bins.rows[: offsets[-1]]
        self._places = np.argsort(self._flat, kind="stable")
        self._tokens_before = np.cumsum(rows.lengths[self._flat], dtype=np.int64) - rows.lengths[self._flat]
        counts = np.bincount(self._flat, minlength=len(rows.lengths))
        self._readings_before = np.concatenate([[0], np.cumsum(counts)])

    @property
    def count(self) -> int:
        return len(self._flat)

    def of(self, first: int, end: int) -> tuple[np.ndarray, list[pa.Array]]:
        """Of the rows from `first` to before `end`: by reading the row's number, and all columns but the id."""
        low, high = self._readings_before[[first, end]]
        places = self._places[low:high]
        rows = self._flat[places]
        sequence = np.searchsorted(self._offsets, places, side="right") - 1
        step = sequence // self._plan.batch
        names = np.array(self._rows.corpora, dtype=object)[self._rows.corpus[rows]]
        parts = np.array([boundary.step for boundary in self._plan.boundaries])
        columns = {
            # A row is read once a pass, so its n-th reading is in the n-th epoch of its corpus.
            "epoch": np.arange(low, high) - self._readings_before[rows] + 1,
            "phase": np.searchsorted(parts, step, side="right"),  # a phase is a whole number of steps
            "step": step + 1,
            "sequence": sequence,
            "start": self._tokens_before[places] - self._tokens_before[self._offsets[sequence]],
            "tokens": self._rows.lengths[rows],
        }
        numbers = [
            pa.nulls(len(rows), pa.int32()) if name == "phase" and not self._phases else pa.array(values, pa.int32())
            for name, values in columns.items()
        ]
        return rows, [pa.array(names, pa.string()), *numbers]


def _batches(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        while ids := [line[:-1] for line in islice(lines, 8 * BATCH_ROWS)]:
            yield ids


def _keys(ids: list[str]) -> np.ndarray:
    """Numbers in the order of the ids, so that one is found by few row groups; of ids that are no hashes, any."""
    try:
        return np.array([int(id[:16], 16) for id in ids], np.uint64)
    except (ValueError, OverflowError):
        return keys_of(ids)

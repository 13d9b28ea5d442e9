"""What a corpus covers, and whether the problems of a stage read like it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from src.cleaning.verification import ARITHMETIC, VERIFIED
from src.text.shingles import U64, mixed
from src.text.topics import fits

By = Literal["source", "stage", "topic", "kind"]
CELL = ("source", "stage", "topic", "kind")
MEASURES = ("words", "steps", "grade")
_SALT = U64(0x5851F42D4C957F2D)


@dataclass(frozen=True)
class Balance:
    """Sampling weights that even out what the corpus has much and little of: a cell of n rows weighs n^(power - 1) a
    row, so that power 1 leaves all as it is and 0 gives each cell the same (XLM's exponent, arXiv 1901.07291).

    by: what makes a cell. thin: rows are left out by these weights; False only writes the weights down.
    """

    by: tuple[By, ...] = ("stage",)
    power: float = 0.5
    thin: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", tuple(self.by))
        if not self.by or not set(self.by) <= set(CELL):
            raise ValueError(f"by must name some of {', '.join(CELL)}, not {list(self.by)}")
        if not 0 <= self.power <= 1:
            raise ValueError(f"power must lie in [0, 1], not {self.power}")

    def weights(self, cells: Counter[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
        """By cell of `by`; the mean over the rows is 1."""
        total = cells.total()
        raw = {cell: n ** (self.power - 1.0) for cell, n in cells.items()}
        scale = total / sum(raw[cell] * n for cell, n in cells.items()) if total else 1.0
        return {cell: weight * scale for cell, weight in sorted(raw.items())}

    def keeps(self, ids: np.ndarray, weights: np.ndarray, heaviest: float) -> np.ndarray:
        """Which rows stay when thinned: by a number that the row's id alone decides."""
        lots = mixed(ids ^ _SALT).astype(np.float64) / 2.0**64
        return lots < weights / heaviest

    def cell(self, row: tuple[str, ...]) -> tuple[str, ...]:
        """From a row's (source, stage, topic, kind)."""
        return tuple(row[CELL.index(name)] for name in self.by)


@dataclass
class Coverage:
    """Counts of the rows that stay, a table of them at a time, and the measures of each stage."""

    rows: Counter[tuple[str, ...]] = field(default_factory=Counter)
    verified: Counter[tuple[str, ...]] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    fitting: Counter[str] = field(default_factory=Counter)
    _measures: dict[str, dict[str, list[np.ndarray]]] = field(default_factory=dict)

    def add(self, table: pa.Table) -> None:
        """`table`: with the columns of CELL, MEASURES, `level` and `verdict`."""
        cells = list(zip(*(table[name].to_pylist() for name in CELL), strict=True))
        verdicts = table["verdict"].to_pylist()
        self.rows.update(cells)
        self.verified.update(cell for cell, verdict in zip(cells, verdicts) if verdict in VERIFIED)
        self.verdicts.update(verdicts)
        stages = np.array(table["stage"].to_pylist(), dtype=object)
        levels = table["level"].to_pylist()
        self.fitting.update(stage for stage, level in zip(stages.tolist(), levels) if fits(stage, level))
        for stage in sorted(set(stages.tolist())):
            of_stage = self._measures.setdefault(stage, {name: [] for name in MEASURES})
            for name in MEASURES:
                of_stage[name].append(table[name].to_numpy()[stages == stage].astype(np.float32))

    def table(self, balance: Balance | None) -> list[dict[str, Any]]:
        """Rows of `coverage.json`: a cell each, with how many rows, how many verified and, by option, their weight."""
        weights = self.weights(balance) if balance else {}
        return [
            {
                **dict(zip(CELL, cell)),
                "rows": n,
                "verified": self.verified[cell],
                **({"weight": round(weights[balance.cell(cell)], 6)} if balance else {}),
            }
            for cell, n in sorted(self.rows.items())
        ]

    def weights(self, balance: Balance) -> dict[tuple[str, ...], float]:
        cells: Counter[tuple[str, ...]] = Counter()
        for cell, n in self.rows.items():
            cells[balance.cell(cell)] += n
        return balance.weights(cells)

    def stages(self) -> dict[str, Any]:
        """`stage_fit.json`: by stage the rows, the share whose terms fit it, and quantiles of each measure."""
        counts = self._by(1, self.rows)
        return {
            stage: {
                "rows": counts[stage],
                "terms_fit": round(self.fitting[stage] / counts[stage], 4),
                **{name: _quantiles(np.concatenate(pieces)) for name, pieces in measures.items()},
            }
            for stage, measures in sorted(self._measures.items())
        }

    def summary(self) -> dict[str, float]:
        """For the manifest: shares verified, in all, by source and by stage; of the steps alone; rows by verdict; share
        of rows whose terms fit the stage."""
        total = self.rows.total()
        found = {
            "verified_share": self.verified.total() / total if total else 0.0,
            "arithmetic_share": self.verdicts[ARITHMETIC] / total if total else 0.0,
        }
        found |= {f"verdict/{verdict}": n for verdict, n in sorted(self.verdicts.items())}
        for place, name in ((0, "source"), (1, "stage")):
            counts, verified = self._by(place, self.rows), self._by(place, self.verified)
            found |= {f"verified/{name}/{value}": verified[value] / n for value, n in sorted(counts.items())}
        stages = self._by(1, self.rows)
        return found | {f"terms_fit/{stage}": self.fitting[stage] / n for stage, n in sorted(stages.items())}

    def _by(self, place: int, counter: Counter[tuple[str, ...]]) -> Counter[str]:
        found: Counter[str] = Counter()
        for cell, n in counter.items():
            found[cell[place]] += n
        return found


def _quantiles(values: np.ndarray) -> dict[str, float]:
    low, median, high = np.quantile(values, (0.1, 0.5, 0.9))
    found = {"mean": values.mean(dtype=np.float64), "p10": low, "p50": median, "p90": high}
    return {name: round(float(value), 2) for name, value in found.items()}

"""Where the passages behind the problems come from: sources and their licences, a few bytes a passage."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from src.cleaning.features import keys_of

UNKNOWN = "unknown"
LICENCE_FIELDS = ("licence", "license")


class Sources:
    """Looks up the source of a passage. Without a table of passages, every source is "unknown"."""

    def __init__(self, passages: Path | None):
        self.names = [UNKNOWN]
        self.licences: dict[str, Counter[str]] = {}
        self._keys, self._numbers = np.zeros(0, np.uint64), np.zeros(0, np.uint16)
        if passages is not None:
            self._read(passages)

    def _read(self, passages: Path) -> None:
        keys, numbers, known = [self._keys], [self._numbers], {UNKNOWN: 0}
        for shard in sorted(passages.glob("*.parquet")):
            for batch in pq.ParquetFile(shard).iter_batches(columns=["id", "source", "meta"]):
                ids, sources, metas = (column.to_pylist() for column in batch.columns)
                keys.append(keys_of(ids))
                numbers.append(np.array([known.setdefault(s, len(known)) for s in sources], np.uint16))
                for source, meta in zip(sources, metas):
                    self.licences.setdefault(source, Counter())[_licence(meta)] += 1
        self.names = list(known)
        flat = np.concatenate(keys)
        order = np.argsort(flat)
        self._keys, self._numbers = flat[order], np.concatenate(numbers)[order]

    def of(self, passage_ids: list[str]) -> list[str]:
        if not len(self._keys):
            return [UNKNOWN] * len(passage_ids)
        keys = keys_of(passage_ids)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        numbers = np.where(self._keys[places] == keys, self._numbers[places], 0)
        return [self.names[number] for number in numbers.tolist()]


def _licence(meta: str | None) -> str:
    values = json.loads(meta) if meta and "licen" in meta else {}
    return next((values[name] for name in LICENCE_FIELDS if values.get(name)), "not stated")

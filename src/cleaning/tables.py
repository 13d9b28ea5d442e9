"""Tables that come out in the order of their ids, however many rows and in whatever order they came in."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from src.core.records import BATCH_ROWS, SHARD_ROWS
from src.text.shingles import U64


class SortedTable:
    """Rows go to a file for each range of `key`s, which are spread evenly; each file is then sorted by itself.

    The same rows give the same bytes. Holds one shard in memory.
    """

    def __init__(self, folder: Path, schema: pa.Schema, rows: int, scratch: Path):
        self._folder, self._schema, self._scratch = folder, schema, scratch
        self._shards = max(1, -(-rows // SHARD_ROWS))
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        self._spill_schema = schema.append(pa.field("_key", pa.uint64()))
        self._files: dict[int, pa.ipc.RecordBatchFileWriter] = {}

    def add(self, rows: pa.Table, keys: np.ndarray) -> None:
        """`keys`: uint64 by row."""
        if not rows.num_rows:
            return
        rows = rows.select(self._schema.names).append_column("_key", pa.array(keys, pa.uint64()))
        shard = ((keys >> U64(32)) * U64(self._shards)) >> U64(32)
        for number in np.unique(shard).tolist():
            self._file(number).write_table(rows.filter(pa.array(shard == number)).cast(self._spill_schema))

    def _file(self, number: int) -> pa.ipc.RecordBatchFileWriter:
        if number not in self._files:
            self._files[number] = pa.ipc.new_file(self._scratch / f"{number:05d}.arrow", self._spill_schema)
        return self._files[number]

    def finish(self) -> None:
        """Write the shards `00000.parquet`, ...; an empty table is one empty shard."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in self._files.values():
            file.close()
        for number in range(self._shards):
            table = self._spilled(number)
            order = pc.sort_indices(table, [("_key", "ascending"), ("id", "ascending")])
            table = table.take(order).drop_columns(["_key"]).combine_chunks()
            path = self._folder / f"{number:05d}.parquet"
            pq.write_table(table, path, row_group_size=BATCH_ROWS, compression="zstd")
        shutil.rmtree(self._scratch)

    def _spilled(self, number: int) -> pa.Table:
        if number not in self._files:
            return self._spill_schema.empty_table()
        with pa.memory_map(str(self._scratch / f"{number:05d}.arrow")) as source:
            return pa.ipc.open_file(source).read_all()

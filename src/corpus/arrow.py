"""Rows of Arrow files, as `datasets.Dataset.save_to_disk` leaves them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.core.errors import UserError
from src.corpus.files import FileReader, RawRow, find_files
from src.corpus.parquet import columns_of


@dataclass(frozen=True)
class ArrowReader(FileReader):
    """Files in Arrow's streaming format."""

    def size_hint(self) -> int | None:
        import pyarrow as pa

        try:
            return sum(_count_rows(path) for path in find_files(self.files))
        except (pa.ArrowException, OSError):  # told when the file is read
            return None

    def field_names(self) -> Iterator[tuple[Path, list[str]]]:
        import pyarrow as pa

        for path in find_files(self.files):
            try:
                with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
                    yield path, stream.schema.names
            except (pa.ArrowException, OSError):  # told when the file is read
                continue

    def rows(self, paths: Sequence[str]) -> Iterator[RawRow]:
        import pyarrow as pa

        for path in find_files(self.files):
            number = 0
            try:
                with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
                    columns = columns_of(path, paths, stream.schema.names)
                    for batch in stream:
                        for row in batch.select(columns).to_pylist():
                            number += 1
                            yield RawRow(f"{path}, row {number}", path.parent.name, row)
            except (pa.ArrowException, OSError) as error:
                raise UserError(f"'{path}' cannot be read as Arrow: {error}.", "Save the data set again.") from None


def _count_rows(path: Path) -> int:
    import pyarrow as pa

    with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
        return sum(batch.num_rows for batch in stream)

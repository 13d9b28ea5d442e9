"""Several corpora as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from src.core.records import Passage, seed_from
from src.corpus.base import BadRow, Reader


@dataclass(frozen=True)
class Mixture(Reader):
    """The passages of every reader, one reader after the other.

    readers: name -> reader. shares: name -> share of that reader's passages to keep, in (0, 1]; 1 where none is
    given. Which ones are kept hangs on each passage's content alone, so neither order nor new files change it.
    """

    readers: dict[str, Reader]
    shares: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.readers:
            raise ValueError("readers must name at least one reader")
        for name, share in self.shares.items():
            if name not in self.readers:
                raise ValueError(f"shares names '{name}', which is none of the readers: {', '.join(self.readers)}")
            if not 0 < share <= 1:
                raise ValueError(f"the share of '{name}' must lie in (0, 1], not {share}")

    def check(self, place: str) -> None:
        for name, reader in self.readers.items():
            reader.check(f"{place}.readers.{name}")

    def size_hint(self) -> int | None:
        sizes = [reader.size_hint() for reader in self.readers.values()]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def identity(self) -> dict[str, str]:
        return {f"{name}/{k}": v for name, reader in self.readers.items() for k, v in reader.identity().items()}

    def read(self) -> Iterator[Passage | BadRow]:
        for name, reader in self.readers.items():
            share = self.shares.get(name, 1.0)
            for row in reader.read():
                if isinstance(row, Passage) and seed_from("mixture", row.id) >= share * 2**31:
                    yield BadRow(row.id, f"outside the share of {name}", broken=False)
                else:
                    yield row

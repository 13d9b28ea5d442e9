"""What a corpus reader is: passages one by one, and a reason for each row that did not become one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from src.core.records import Passage, content_id


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that gave no passage. `reason` is a short phrase shared by many rows: it is counted.

    `broken` is False for a healthy row outside what the reader was asked for (a score too low, another source).
    """

    place: str
    reason: str
    broken: bool = True


class Reader(ABC):
    """A source of math texts. Subclasses are frozen dataclasses that a config option names by `_target_`."""

    @abstractmethod
    def read(self) -> Iterator[Passage | BadRow]:
        """Yield every row, holding a few in memory. Raises UserError when the source as a whole cannot be read."""

    def check(self, place: str) -> None:
        """Raises UserError for what can be seen to be wrong before anything is read in full. place: where the reader's
        options stand in the configuration, for what to type."""
        return None

    def size_hint(self) -> int | None:
        """How many passages there are at most, known without reading them; None: nobody knows."""
        return None

    def identity(self) -> dict[str, str]:
        """What the passages depend on beside the options: hashes of files, versions of packages."""
        return {}


def passage(source: str, text: str, meta: Mapping[str, str] | None = None) -> Passage:
    """A passage named by its text alone, so that the same text from two sources is one passage."""
    return Passage(content_id(text), source, text, dict(meta or {}))

"""Passages from a data set on the Hugging Face Hub, or a local folder in its layout, streamed row by row."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from src.core.checks import at_least
from src.core.errors import UserError, require
from src.core.hub import commit
from src.core.records import Passage
from src.corpus.base import BadRow, Reader
from src.corpus.fields import Fields, lookup
from src.corpus.files import as_patterns, hash_files

NOTED = 1_000  # rows from one note of the place to the next: so many at most are read again
TRIES, FIRST_WAIT = 5, 1.0  # to go on without a row between, and the first of the waits (seconds), each twice the last

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HuggingFaceReader(Reader):
    """A split of a data set, never downloaded as a whole.

    name: "owner/data" on the Hub, or a local folder of Parquet or JSON Lines files. config, split, data_files and
        revision are those of `datasets.load_dataset`; pin `revision` to make a run repeatable for ever.
    text, source, meta: see `Fields`; the source defaults to `name`.
    score, min_score, max_score: keep rows whose field `score` lies in this range, ends included.
    where: field -> value; keep rows that have exactly these values.
    limit: stop after so many rows of the stream.
    """

    name: str
    config: str | None = None
    split: str = "train"
    data_files: tuple[str, ...] | str = ()
    revision: str | None = None
    text: str = "text"
    source: str | None = None
    meta: dict[str, str] = field(default_factory=dict)
    score: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    where: dict[str, str] = field(default_factory=dict)
    limit: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_files", as_patterns(self.data_files))
        if self.score is None and (self.min_score is not None or self.max_score is not None):
            raise ValueError("min_score and max_score need score, the field that holds it")
        if self.min_score is not None and self.max_score is not None and self.min_score > self.max_score:
            raise ValueError(f"min_score {self.min_score} lies above max_score {self.max_score}")
        at_least(self, 1, "limit")
        self._fields()

    def _fields(self) -> Fields:
        return Fields(self.text, self.source, dict(self.meta))

    def pinned(self) -> HuggingFaceReader:
        """The same data set at the commit where its revision is now. Raises UserError where nobody knows."""
        if self._folder.exists():
            return self
        return replace(self, revision=commit(self.name, "dataset", self.revision))

    def size_hint(self) -> int | None:
        return self.limit

    def identity(self) -> dict[str, str]:
        """Hashes of a local folder's files. A data set on the Hub has its commit in `revision`, see `pinned`."""
        files = sorted(path for path in self._folder.rglob("*") if path.is_file()) if self._folder.is_dir() else []
        return hash_files(files)

    @property
    def _folder(self) -> Path:
        """What `name` is, where it is there; else it is a name on the Hub."""
        return Path(self.name).expanduser()

    def read(self) -> Iterator[Passage | BadRow]:
        fields = self._fields()
        for number, row in enumerate(islice(self._stream(), self.limit), start=1):
            place = f"{self.name}, row {number}"
            yield self._unwanted(row, place) or fields.passage(row, self.name, place)

    def _unwanted(self, row: Mapping[str, Any], place: str) -> BadRow | None:
        for path, value in self.where.items():
            if str(_value(row, path)) != value:
                return BadRow(place, f"{path} is not {value}", broken=False)
        if self.score is None:
            return None
        score = _value(row, self.score)
        if isinstance(score, bool) or not isinstance(score, int | float):
            return BadRow(place, f"no number in '{self.score}'")
        if self.min_score is not None and not score >= self.min_score:
            return BadRow(place, f"{self.score} below {self.min_score}", broken=False)
        if self.max_score is not None and not score <= self.max_score:
            return BadRow(place, f"{self.score} above {self.max_score}", broken=False)
        return None

    def _stream(self) -> Iterator[dict[str, Any]]:
        """Rows of the split. Where the Hub is cut off after a row, reading goes on at the next one. An error of the
        library or the network becomes one message that names the data set."""
        require("datasets", "The corpus reader 'huggingface'")
        noted, state, number, tries = 0, None, 0, 0
        while True:
            try:
                stream = self._opened()
                if state is not None:
                    stream.load_state_dict(state)
                for row in islice(stream, number - noted, None):
                    tries, number = 0, number + 1
                    if number % NOTED == 0:  # after a whole row: of one that failed nobody knows how far it came
                        noted, state = number, stream.state_dict()
                    yield row
                return
            except UserError:
                raise
            except Exception as error:  # the library, its file systems and its decoders share no base class
                first = (str(error) or type(error).__name__).splitlines()[0]
                tries += 1
                if not number or self._folder.exists() or tries > TRIES:
                    raise UserError(
                        f"The data set '{self.name}' cannot be read: {first}", _mend(self._folder)
                    ) from error
                wait = FIRST_WAIT * 2 ** (tries - 1)
                log.warning("%s was cut off after row %d (%s); going on in %.0f s", self.name, number, first, wait)
                time.sleep(wait)

    def _opened(self) -> Any:
        import datasets

        return datasets.load_dataset(
            str(self._folder) if self._folder.exists() else self.name,
            self.config,
            split=self.split,
            data_files=list(self.data_files) or None,
            revision=self.revision,
            streaming=True,
        )


def _value(row: Mapping[str, Any], path: str) -> Any:
    try:
        return lookup(row, path)
    except KeyError:
        return None


def _mend(folder: Path) -> str:
    if folder.exists():
        return "Check config, split and data_files against the files in that folder."
    if os.environ.get("HF_HUB_OFFLINE") == "1" or os.environ.get("HF_DATASETS_OFFLINE") == "1":
        return "HF_HUB_OFFLINE is set: unset it, or name a local folder."
    return (
        "Check the name, config and split, and the network; "
        "a gated data set needs its licence accepted on the Hub and `hf auth login`."
    )

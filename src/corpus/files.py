"""Local files named by paths and globs: found, checked and hashed; what readers of such files share."""

from __future__ import annotations

import glob
from abc import abstractmethod
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from src.core.errors import UserError
from src.core.fingerprint import file_digest, not_in_key
from src.core.records import Passage
from src.corpus.base import BadRow, Reader
from src.corpus.fields import Fields


class RawRow(NamedTuple):
    """A row as it stands in a file. `place` names file and line; `content` is a BadRow where nothing can be read."""

    place: str
    source: str
    content: Mapping[str, Any] | BadRow


@dataclass(frozen=True)
class FileReader(Reader):
    """files: paths or globs. text, source, meta: see `Fields`; the source defaults to the file's name."""

    files: tuple[str, ...] | str = field(metadata=not_in_key("where local rows lie; their content is in identity()"))
    text: str = "text"
    source: str | None = None
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", as_patterns(self.files))
        if not self.files:
            raise ValueError("files must name at least one file")
        self.fields()

    @abstractmethod
    def rows(self, paths: Sequence[str]) -> Iterator[RawRow]:
        """Every row of the files, of which the fields at these dotted paths are needed."""

    def field_names(self) -> Iterator[tuple[Path, list[str]]]:
        """Each file with the names of its fields; of JSON Lines, those that its first rows have. A file whose fields
        cannot be told is left out."""
        return iter(())

    def check(self, place: str) -> None:
        wanted = Fields(self.text).columns()
        for path, there in self.field_names():
            if lacking := absent(wanted, there):
                raise lacking_fields(path, lacking, there, f"{place}.text={near(lacking[0], there)}")

    def read(self) -> Iterator[Passage | BadRow]:
        fields = self.fields()
        for place, source, content in self.rows(fields.paths()):
            yield content if isinstance(content, BadRow) else fields.passage(content, source, place)

    def fields(self) -> Fields:
        return Fields(self.text, self.source, dict(self.meta))

    def identity(self) -> dict[str, str]:
        return hash_files(find_files(self.files))


def absent(wanted: Iterable[str], there: Sequence[str]) -> list[str]:
    """The top-level fields that none of the names is, or begins with behind a dot. Without any names nothing is."""
    return [w for w in wanted if there and not any(name == w or name.startswith(f"{w}.") for name in there)]


def near(name: str, there: Sequence[str]) -> str:
    """The name that was probably meant; NAME where none is near."""
    return next(iter(get_close_matches(name, there, n=1)), "NAME")


def lacking_fields(path: Path, lacking: Sequence[str], there: Sequence[str], options: str) -> UserError:
    """options: what to type instead."""
    names = " and ".join(f"'{name}'" for name in lacking)
    return UserError(f"'{path}' has no field {names}.", f"It has: {', '.join(there)}. Name them: {options}")


def format_of(path: Path) -> str:
    """The reader of `conf/reader` that fits a file: by its first bytes, else by its suffix."""
    if path.is_file() and is_parquet(path):
        return "parquet"
    return {".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow"}.get(path.suffix.lower(), "jsonl")


def is_utf16(path: Path) -> bool:
    """By its first bytes: what PowerShell writes with `>`."""
    with path.open("rb") as file:
        return file.read(2) in (BOM_UTF16_LE, BOM_UTF16_BE)


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def as_patterns(files: Iterable[str] | str) -> tuple[str, ...]:
    """One path or several, as several: so that `corpus.files=my.jsonl` may be typed without brackets."""
    return (files,) if isinstance(files, str) else tuple(files)


def find_files(patterns: Iterable[str] | str) -> list[Path]:
    """The files that the patterns name, sorted within each pattern, each file once.

    Raises UserError for a pattern that matches nothing, naming what lies nearby.
    """
    found: dict[Path, None] = {}
    for pattern in as_patterns(patterns):
        expanded = str(Path(pattern).expanduser())
        files = [path for path in _expand(expanded) if path.is_file()]
        if not files:
            raise _nothing(pattern, Path(expanded))
        found.update(dict.fromkeys(files))
    return list(found)


def hash_files(files: Iterable[Path]) -> dict[str, str]:
    """File name -> SHA-256 of its content; files of one name are numbered. Independent of the folder's place."""
    hashes: dict[str, str] = {}
    for path in files:
        name, count = path.name, 1
        while name in hashes:
            count += 1
            name = f"{path.name}#{count}"
        hashes[name] = file_digest(path)
    return hashes


def _expand(pattern: str) -> list[Path]:
    # pathlib's own glob takes no absolute pattern
    return sorted(map(Path, glob.iglob(pattern, recursive=True))) if glob.has_magic(pattern) else [Path(pattern)]  # noqa: PTH207


def _nothing(pattern: str, path: Path) -> UserError:
    if path.is_dir():
        return UserError(f"'{pattern}' is a folder, not a file.", _files_of(pattern.rstrip("/"), path))
    problem = f"No file matches '{pattern}'." if glob.has_magic(str(path)) else f"There is no file '{pattern}'."
    folder = path.parent
    if not folder.is_dir():
        return UserError(problem, f"The folder '{folder}' does not exist; paths are relative to {Path.cwd()}")
    stems = {p.stem: p.name for p in sorted(folder.iterdir())}  # any file of the same suffix would look alike
    names = [stems[stem] for stem in get_close_matches(path.stem, stems, n=1)]
    return UserError(
        problem, f"Did you mean '{folder / names[0]}'?" if names else f"Paths are relative to {Path.cwd()}"
    )


def _files_of(pattern: str, folder: Path) -> str:
    """What to type for the files of a folder: a glob of the suffix that most have, there or one folder below."""
    for below in ("", "*/"):
        suffixes = Counter("".join(p.suffixes[-2:]) for p in folder.glob(f"{below}*") if p.is_file() and p.suffix)
        if data := {suffix: n for suffix, n in suffixes.items() if suffix not in (".json", ".md", ".txt")} or suffixes:
            return f"Name its files by a glob: '{pattern}/{below}*{max(data, key=lambda suffix: data[suffix])}'"
    return "It holds no files; name another."

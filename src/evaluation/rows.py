"""Rows of a benchmark, each knowing where it stands, so that an error can name benchmark, file and row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.core.errors import UserError, require

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """`where` reads like "gsm8k.jsonl, line 17"."""

    where: str
    values: dict[str, Any]

    def error(self, problem: str, mend: str) -> UserError:
        return UserError(f"{self.where}: {problem}.", mend)

    def value(self, name: str) -> Any:
        """A field's value. "a.b" looks inside a; "a|b" is the one of the two that the row has.

        Raises UserError when it is not there, null or NaN.
        """
        name = next((option for option in name.split("|") if option in self.values), name)
        value: Any = self.values
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                there = ", ".join(sorted(map(str, self.values)))
                raise self.error(f"there is no field '{name}', but: {there}", "Correct the benchmark's `fields`.")
            value = value[part]
        if value is None:
            raise self.error(f"the field '{name}' is null", "Mend or remove the row.")
        if value != value:  # what tables write where there is nothing
            raise self.error(f"the field '{name}' is NaN", "Mend or remove the row.")
        return value

    def text(self, name: str) -> str:
        """A field, or a template over fields, as text; whole floats are written as integers (145.0 -> "145")."""
        return ", ".join(self.texts(name))

    def texts(self, name: str) -> list[str]:
        """As `text`, and each member of a field that is a list."""
        if "{" in name:
            return [_SLOT.sub(lambda slot: self.text(slot[1]), name).strip()]
        value = self.value(name)
        texts = [_written(one) for one in (value if isinstance(value, list) else [value])]
        if not texts or not all(texts):
            raise self.error(f"the field '{name}' is empty", "Mend or remove the row.")
        return texts

    def strings(self, name: str) -> list[str]:
        """A field that holds choices: a list, or {"text": [...]} as the hub's multiple-choice sets have it."""
        value = self.value(name)
        if isinstance(value, dict):
            value = value.get("text", list(value.values()))
        if not isinstance(value, list) or not value:
            raise self.error(f"the field '{name}' holds no list of choices", "Correct the benchmark's `fields`.")
        return [str(choice).strip() for choice in value]


def _written(value: Any) -> str:
    if value != value:
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def place_of(folder: str | None, file: str, origin: str = "") -> Path:
    """Where a benchmark's file lies: `gsm8k.jsonl` in the folder, or `gsm8k/test.jsonl` as the published harnesses
    keep it. `origin`: where such a file can be had, for the message.

    Raises UserError where there is neither.
    """
    path = Path(folder or "", file).expanduser()
    published = path.parent / path.stem / "test.jsonl"
    for place in (path, published):
        if place.is_file():
            return place
    where = f"; it comes from {origin}" if origin else ""
    raise UserError(
        f"There is no benchmark file {path}, nor {published}{where}.",
        "Put the file into a folder, and add benchmark_dir=FOLDER.",
    )


def read_rows(path: Path) -> Iterator[BenchmarkRow]:
    """The rows of a `.jsonl`, `.json` or `.parquet` file. Raises UserError for a missing, empty or broken file."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.", "Check its name.")
    empty = True
    for row in _READERS.get(path.suffix, _jsonl)(path):
        empty = False
        yield row
    if empty:
        raise UserError(f"The benchmark file {path} is empty.", "Put rows into it, or name another file.")


def _jsonl(path: Path) -> Iterator[BenchmarkRow]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _row(f"{path.name}, line {number}", line)


def _row(where: str, line: str) -> BenchmarkRow:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is no JSON{_reason(error)}", "Mend or remove the line.") from None
    return _checked(where, values)


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
        return f": {error}"
    return " that can be read: it holds a number of thousands of digits"  # more than Python converts


def _checked(where: str, values: Any) -> BenchmarkRow:
    if not isinstance(values, dict):
        raise UserError(f"{where} holds {type(values).__name__}, not an object with fields.", "Mend or remove it.")
    return BenchmarkRow(where, values)


def _json(path: Path) -> Iterator[BenchmarkRow]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path.name} is no JSON{_reason(error)}", "Mend the file.") from None
    if not isinstance(rows, list):
        raise UserError(f"{path.name} holds no list of rows.", "Write a JSON list, or one object a line as .jsonl.")
    return (_checked(f"{path.name}, entry {number}", values) for number, values in enumerate(rows, 1))


def _parquet(path: Path) -> Iterator[BenchmarkRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path.name} is no Parquet file: {error}", "Mend the file.") from None
    rows = (values for batch in file.iter_batches() for values in batch.to_pylist())
    return (BenchmarkRow(f"{path.name}, row {number}", values) for number, values in enumerate(rows, 1))


_READERS = {".jsonl": _jsonl, ".json": _json, ".parquet": _parquet}


def hub_rows(repo: str, subset: str | None, split: str, revision: str | None) -> Iterator[BenchmarkRow]:
    """The rows of a split on the hub. Raises UserError when it cannot be had, naming the data set and the split."""
    require("datasets", f"the benchmark {repo}")
    import datasets

    try:
        table = datasets.load_dataset(repo, subset, split=split, revision=revision)
    except Exception as error:  # the hub's client raises a dozen unrelated types: offline, gated, missing, renamed
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(
            f"The benchmark {repo}{f' ({subset})' if subset else ''}, split '{split}', cannot be loaded: {reason}",
            "Check the name and the network, or point `benchmark_dir` at a folder with a copy of its file.",
        ) from error
    where = f"{repo} {split}"
    return (_checked(f"{where}, row {number}", values) for number, values in enumerate(table, 1))

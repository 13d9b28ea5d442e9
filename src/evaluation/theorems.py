"""Theorems to be proved formally as benchmarks: miniF2F, ProofNet and PutnamBench, from local copies in Lean 4."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from src.core.errors import UserError
from src.core.fingerprint import file_digest, not_in_key
from src.evaluation.benchmark import Benchmark
from src.evaluation.prompting import Style
from src.evaluation.question import Question
from src.evaluation.rows import BenchmarkRow, read_rows
from src.text.answers import AnswerType
from src.theorems.lean import declarations, source
from src.theorems.statement import Declaration

# Of tables: what DeepSeek-Prover, ProofNet, ProofNet#, Kimina and PutnamBench call the same fields.
STATEMENT = ("formal_statement", "lean4_formalization", "lean4_statement")
HEADER = ("header", "lean4_src_header")
INFORMAL = ("informal_prefix", "informal_statement", "informal_stmt", "nl_statement", "problem")
PROOF = ("formal_proof", "proof")
_WORKED_OUT = "\\begin{proof}"  # ProofNet's words go on with the proof in words
TABLES = (".jsonl", ".json", ".parquet")


class Entry(NamedTuple):
    """A theorem of a library. split, proof: "" where it tells none."""

    declaration: Declaration
    split: str = ""
    proof: str = ""


def read_library(path: Path) -> Iterator[Entry]:
    """The theorems of a `.lean` file, of all of a folder, or of a table with a theorem in each row.

    Raises UserError where there are none, and for a row or file that holds no theorem to prove.
    """
    if path.suffix in TABLES:
        for row in read_rows(path):
            yield _entry(row)
        return
    files = lean_files(path)
    for file in files:
        try:
            yield from map(Entry, declarations(file.read_text(encoding="utf-8")))
        except (ValueError, UnicodeDecodeError) as error:
            raise UserError(f"{file}: {error}.", "Mend or remove the file.") from None


def lean_files(path: Path) -> Sequence[Path]:
    """Raises UserError where there is no such file or folder, or no source text of Lean in it."""
    found = [path] if path.is_file() else sorted(path.rglob("*.lean"))
    if not found:
        raise UserError(
            f"{path} holds no .lean files.", f"Name a folder of them, or a file: .lean, {', '.join(TABLES)}."
        )
    return found


def digest_of_files(path: Path) -> str:
    """The SHA-256 over all files of a library, whatever they are called. Raises UserError where there are none."""
    digests = (file_digest(file) for file in lean_files(path))
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _entry(row: BenchmarkRow) -> Entry:
    statement = _first(row, STATEMENT)
    if statement is None:
        raise row.error(f"there is no field {' or '.join(STATEMENT)}", "Name the field so.")
    try:
        *_, found = declarations(f"{_first(row, HEADER) or ''}\n{statement.lstrip()}")
    except ValueError as error:  # none to unpack, or one without a conclusion
        told = str(error) if "conclusion" in str(error) else "it does not end in ':= sorry', ':= by' or ':='"
        raise row.error(f"this is no theorem to prove: {told}", "Mend or remove the row.") from None
    informal = found.informal or (_first(row, INFORMAL) or "").partition(_WORKED_OUT)[0]
    informal = informal.strip().removeprefix("/--").removesuffix("-/").strip()
    return Entry(replace(found, informal=informal), str(row.values.get("split") or ""), _first(row, PROOF) or "")


def _first(row: BenchmarkRow, names: Sequence[str]) -> str | None:
    """The first of these fields that the row has, as it stands there."""
    return next((value for name in names if isinstance(value := row.values.get(name), str) and value.strip()), None)


@dataclass(frozen=True, kw_only=True)
class LeanBenchmark(Benchmark):
    """Theorems of a local copy in Lean 4. A checker says whether what a model writes proves them.

    places: where a copy may lie below `benchmark_dir`, each a folder of .lean files or a table; the first that is there
    counts. "{split}" and "{Split}" in them stand for the split, which also chooses rows of a table that tells one.
    origin: where a copy is to be had.
    """

    places: tuple[str, ...]
    origin: str
    split: str = "test"
    benchmark_dir: str | None = field(
        default=None, metadata=not_in_key("where local copies lie; their content is in identity()")
    )
    answer_type: AnswerType = "proof"
    style: Style | None = "proof"
    max_tokens: int = 2_048

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "places", tuple(self.places))

    @property
    def source(self) -> str:
        return self.places[0].partition("/")[0]

    def identity(self) -> dict[str, str]:
        """The digest of the copy, whatever its place. Raises UserError where there is none."""
        return {"sha256": digest_of_files(self._place())}

    def all_questions(self) -> Iterator[Question]:
        for entry in read_library(self._place()):
            if entry.split in ("", self.split):
                yield Question(source(entry.declaration), json.dumps(asdict(entry.declaration), ensure_ascii=False))

    def _place(self) -> Path:
        names = [name.format(split=self.split, Split=self.split.capitalize()) for name in self.places]
        mend = f"Get it from {self.origin}; set benchmark_dir to the folder that holds it."
        if self.benchmark_dir is None:
            raise UserError("This benchmark is read from a local copy, and benchmark_dir names no folder.", mend)
        folder = Path(self.benchmark_dir).expanduser()
        for name in names:
            if (folder / name).exists():
                return folder / name
        raise UserError(f"There is none of {', '.join(names)} in {folder}.", mend)

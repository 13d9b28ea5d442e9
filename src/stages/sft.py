"""Supervised fine-tuning sets: rows that the pre-training reads last, in their order."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import file_digest
from src.core.records import Example, content_id, seed_from
from src.core.stage import rows_together
from src.generation.procedural.size import FULL, Size, families_digest


class SFTSet(ABC):
    """An option of the `sft` group."""

    @abstractmethod
    def examples(self) -> Iterator[Example]:
        """The rows, the same ones in the same order every time."""

    def corpora(self) -> dict[str, Callable[[], Iterator[Example]]]:
        """The rows by the names under which a recipe's phases may weigh them."""
        return {"sft": self.examples}

    def identity(self) -> dict[str, str]:
        """What the options do not say and the rows depend on."""
        return {}

    @property
    def rows_at_most(self) -> int | None:
        """How many rows there are at most; None where nobody knows before they are read."""
        return None


@dataclass(frozen=True)
class NoSFT(SFTSet):
    """No rows."""

    def examples(self) -> Iterator[Example]:
        return iter(())

    @property
    def rows_at_most(self) -> int:
        return 0


@dataclass(frozen=True)
class ProceduralSFT(SFTSet):
    """`n` problems built and solved by the procedural families that training may see, drawn by `seed`; a
    `tool_share` of them is solved by a program. `size`: which corner of the families' space. Then `reading` problems of
    those that the shipped base has read, so that what it could is not forgotten."""

    n: int = 2_000
    seed: int = 0
    tool_share: float = 0.0
    size: Size = FULL
    reading: int = 0

    def __post_init__(self) -> None:
        at_least(self, 1, "n")
        at_least(self, 0, "reading")
        if not 0 <= self.tool_share <= 1:
            raise ValueError(f"tool_share must lie in [0, 1], not {self.tool_share}")

    @property
    def rows_at_most(self) -> int:
        return self.n + self.reading

    def identity(self) -> dict[str, str]:
        read = Reading().identity() if self.reading else {}
        return {"families": families_digest(), **read}

    def examples(self) -> Iterator[Example]:
        from src.generation.procedural.sets import training_problems
        from src.text.parsing import format_pretraining

        drawn = training_problems(self.n, self.seed, self.tool_share, size=self.size)
        for problem in drawn:
            prompt, response = format_pretraining(problem)
            yield Example(problem.id, "procedural SFT", prompt, response)
        if self.reading:
            yield from Reading(self.reading, self.seed, tool_share=0.0, written_share=0.0).examples()


@dataclass(frozen=True)
class Reading(SFTSet):
    """`n` problems of the families that a base reads and nothing else uses, drawn by `seed`.

    A `tool_share` of them is solved by a program. A `written_share` stands as the synthesizer writes (the family's
    topic words, then problem and solution), the others as the student reads (the problem, then the solution).
    """

    n: int = 100_000
    seed: int = 0
    tool_share: float = 0.15
    written_share: float = 0.35

    def __post_init__(self) -> None:
        at_least(self, 1, "n")
        for name in ("tool_share", "written_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")

    @property
    def rows_at_most(self) -> int:
        return self.n

    def identity(self) -> dict[str, str]:
        from src.prompts import templates

        return {"families": families_digest(), "prompt": content_id(*templates.brief_forms())}

    def examples(self) -> Iterator[Example]:
        from src.generation.procedural.reading import reading_problems
        from src.prompts import templates
        from src.text.parsing import format_pretraining, format_response

        for problem, topics in reading_problems(self.n, self.seed, self.tool_share):
            if seed_from("written", self.seed, problem.id) < self.written_share * 2**31:
                prompt = f"{templates.brief('', problem.kind, topics)}\n\n"
                response = format_response(problem.question, problem.solution)
            else:
                prompt, response = format_pretraining(problem)
            yield Example(problem.id, "reading", prompt, response)


@dataclass(frozen=True)
class SeveralSFT(SFTSet):
    """Sets read one after the other; a recipe with phases can weigh them by their names here."""

    sets: dict[str, SFTSet]

    def __post_init__(self) -> None:
        if not self.sets or any(name.startswith("corpus") for name in self.sets):
            raise ValueError(f"sets must have names that do not begin with 'corpus', not {list(self.sets)}")

    @property
    def rows_at_most(self) -> int | None:
        return rows_together(each.rows_at_most for each in self.sets.values())

    def examples(self) -> Iterator[Example]:
        return chain.from_iterable(each.examples() for each in self.sets.values())

    def corpora(self) -> dict[str, Callable[[], Iterator[Example]]]:
        return {name: each.examples for name, each in self.sets.items()}


@dataclass(frozen=True)
class JsonlSFT(SFTSet):
    """Rows of a local JSONL file: `prompt` and `response` name its fields."""

    path: str
    prompt: str = "input"
    response: str = "output"

    def __post_init__(self) -> None:
        for name in ("path", "prompt", "response"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")

    def examples(self) -> Iterator[Example]:
        """Raises UserError that names the line, where one cannot be used: a fine-tuning set is not for guessing."""
        for number, line in enumerate(self._lines(), start=1):
            if not line.strip():
                continue
            prompt, response = self._fields(line, number)
            yield Example(content_id(prompt, response), Path(self.path).name, prompt, response)

    def _lines(self) -> Iterator[str]:
        try:
            with Path(self.path).expanduser().open(encoding="utf-8") as file:
                yield from file
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror}.", "Set sft.path to a JSONL file.") from None
        except UnicodeDecodeError as error:
            raise UserError(
                f"{self.path} is not UTF-8 text ({error.reason}).", "Convert it, e.g. with iconv."
            ) from None

    def _fields(self, line: str, number: int) -> tuple[str, str]:
        where = f"{self.path}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{where}: no JSON ({error.msg}).", "Mend or delete the line.") from None
        if not isinstance(row, dict) or not all(isinstance(row.get(f), str) for f in (self.prompt, self.response)):
            has = ", ".join(row) if isinstance(row, dict) else type(row).__name__
            raise UserError(
                f"{where}: expected texts under '{self.prompt}' and '{self.response}', found {has}.",
                "Set sft.prompt and sft.response to the names of the file's fields.",
            )
        return row[self.prompt], row[self.response]

    def identity(self) -> dict[str, str]:
        path = Path(self.path).expanduser()
        if not path.is_file():
            raise UserError(f"There is no file {self.path}.", "Set sft.path to a JSONL file.")
        return {"sha256": file_digest(path)}

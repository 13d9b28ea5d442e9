"""Stage `rows`: rows of somebody else's making, in the tables that the other stages read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TextIO

from src.core.errors import UserError
from src.core.records import Generation, Passage, Prediction, Problem, Prompt, content_id, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.corpus.base import BadRow
from src.corpus.fields import EMPTY, Fields
from src.corpus.files import FileReader, absent, lacking_fields, near
from src.stages.corpus import BadRows
from src.text.boxed import last_boxed
from src.text.parsing import format_response, question_in

Form = Literal["problems", "prompts", "predictions"]
PARTS: dict[Form, tuple[str, ...]] = {
    "problems": ("question", "solution"),
    "prompts": ("text",),
    "predictions": ("gold", "prediction"),
}
CALLED = {  # how published sets name the parts of a problem
    "question": ("problem", "prompt", "input", "instruction", "query"),
    "solution": ("answer", "response", "output", "completion"),
}
FURTHER = ("stage", "kind")
NO_OBJECT = "not an object with fields"  # a reason of the readers that tells of no field
LOOKED_AT = 200  # rows, for a guess at the tokens of all
CHARS_A_TOKEN = 2.8  # of JiuZhang3.0's samples with SmolLM2's tokenizer: 2.8 in words, 3.0 with programs


class UserRow(NamedTuple):
    """A row that has all its parts. `id` names it in every table; `place` is its file and line."""

    id: str
    place: str
    source: str
    parts: dict[str, str]

    @property
    def stage(self) -> str:
        return self.parts.get("stage", "")

    @property
    def kind(self) -> str:
        return self.parts.get("kind") or ("tool" if "```python" in self.parts.get("solution", "") else "cot")


@dataclass(frozen=True)
class UserRows(Stage):
    """Reads `reader`'s files as `form` says and writes the table `passages`, whose `meta` holds the place of each row
    in its file, and beside it

        problems     question, solution   -> `problems`, `generations` and `prompts`
        prompts      text                 -> `prompts`
        predictions  gold, prediction     -> `predictions`, without verdicts

    fields: part -> field of the rows, dotted path or template (see `Fields`). The parts above are needed; "stage" and
        "kind" (cot or tool; by default tool for a solution with a Python block) may be added.

    A row has one id in all tables: the hash of its parts, and of how many such rows came before it. A row that lacks a
    part is rejected, and listed with its place in `bad_rows.jsonl`. An empty prediction is kept, for it is wrong:
    left out it would raise the share of right ones.
    """

    kind: ClassVar[str] = "rows"
    version: ClassVar[int] = 6
    counts_rows: ClassVar[bool] = True

    reader: FileReader
    form: Form
    fields: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        needed = PARTS[self.form]
        if missing := [part for part in needed if part not in self.fields]:
            raise ValueError(f"fields must say where the rows hold {' and '.join(missing)}")
        if unknown := self.fields.keys() - {*needed, *FURTHER}:
            raise ValueError(f"fields of {self.form} are {', '.join((*needed, *FURTHER))}, not {', '.join(unknown)}")
        for name in self.fields:
            self._field(name)

    def check_inputs(self, inputs: Mapping[str, Upstream]) -> None:
        """Raises UserError for a file that lacks a field, with all that it lacks and those that it has."""
        for path, there in self.reader.field_names():
            lacking = {part: absent(self._field(part).columns(), there) for part in self.fields}
            if names := list(dict.fromkeys(name for each in lacking.values() for name in each)):
                raise lacking_fields(path, names, there, " ".join(self._advice(lacking, there)))

    def _advice(self, lacking: Mapping[str, list[str]], there: Sequence[str]) -> Iterator[str]:
        """For each part that is lacking, what to type: a field that none of the other parts is read from."""
        taken = {name for part, each in lacking.items() if not each for name in self._field(part).columns()}
        free = [name for name in there if name.partition(".")[0] not in taken]
        for part in (part for part, each in lacking.items() if each):
            name = _meant(part, free)
            free = [other for other in free if other != name]
            yield f"fields.{part}={name}"

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return self.all_rows

    def expected_tokens(self) -> float | None:
        """A guess at the tokens of all rows by the length of the first, for plans; None where nobody can count rows."""
        rows = self.all_rows
        first = [row for row in islice(self._all(), LOOKED_AT if rows else 0) if isinstance(row, UserRow)]
        if not first or rows is None:
            return None
        chars = sum(len(row.parts.get(part, "")) for row in first for part in PARTS[self.form])
        return rows * chars / len(first) / CHARS_A_TOKEN

    @cached_property
    def all_rows(self) -> int | None:
        """How many there are at most; None where nobody can tell before they are read. Lines are counted once."""
        try:
            return self.reader.size_hint()
        except (UserError, OSError):  # a file that cannot be read is told by the reader's identity
            return None

    def run(self, ctx: StageContext) -> None:
        read = ctx.work / "rows.jsonl"  # the user's files are read once: they might change
        with (
            BadRows(ctx.out / "bad_rows.jsonl") as bad,
            ctx.progress("reading rows", unit="rows") as bar,
            read.open("w", encoding="utf-8") as file,
        ):
            passages = (_passage(row) for row in self._kept(ctx, bad, bar.advance, file))
            kept = write_table(ctx.out / "passages", Passage, passages)
        bad.report()
        if not kept:
            raise self._nothing_kept(ctx)
        if self.form == "predictions":
            write_table(ctx.out / "predictions", Prediction, map(_prediction, _rows(read)))
            return
        write_table(ctx.out / "prompts", Prompt, map(_prompt, _rows(read)))
        if self.form == "problems":
            write_table(ctx.out / "generations", Generation, map(_generation, _rows(read)))
            write_table(ctx.out / "problems", Problem, map(_problem, _rows(read)))

    def _nothing_kept(self, ctx: StageContext) -> UserError:
        """Why there is no row, and what mends that: the files, or where in the rows the parts are looked for."""
        reasons = ctx.tally.rejected.most_common()
        if not reasons:
            return UserError(f"There is no row in {', '.join(self.reader.files)}.", "Name a file that holds rows.")
        problem = f"No row can be read: {', '.join(f'{n:,} x {reason}' for reason, n in reasons[:3])}."
        if any("field" in reason for reason, _ in reasons if reason != NO_OBJECT):
            return UserError(problem, f"Say where the rows hold their parts: fields.{PARTS[self.form][0]}=NAME")
        return UserError(problem, "A row is one JSON object on one line; other files: reader=parquet or reader=arrow")

    def _kept(self, ctx: StageContext, bad: BadRows, advance: Callable[[], None], file: TextIO) -> Iterator[UserRow]:
        """The rows that have all their parts, each written into `file`; the others are tallied and listed."""
        for row in self._all():
            ctx.tally.enter()
            advance()
            if isinstance(row, BadRow):
                ctx.tally.reject(row.reason)
                bad.add(row)
            else:
                ctx.tally.keep()
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                yield row

    def _all(self) -> Iterator[UserRow | BadRow]:
        before: Counter[str] = Counter()
        mappings = {name: self._field(name) for name in self.fields}
        paths = dict.fromkeys(path for mapping in mappings.values() for path in mapping.paths())
        for place, source, content in self.reader.rows(list(paths)):
            if isinstance(content, BadRow):
                yield content
                continue
            parts: dict[str, str] = {}
            for name, mapping in mappings.items():
                found = mapping.passage(content, source, place)
                if name == "prediction" and isinstance(found, BadRow) and found.reason == EMPTY:
                    parts[name] = ""
                    continue
                if isinstance(found, BadRow):
                    yield found
                    break
                parts[name] = question_in(found.text) if name == "question" else found.text
            else:
                same = content_id(self.form, *parts.values())
                before[same] += 1
                yield UserRow(content_id(same, before[same]) if before[same] > 1 else same, place, source, parts)

    def _field(self, name: str) -> Fields:
        return Fields(self.fields[name], numbers=name in ("gold", "prediction"))


def _meant(part: str, free: Sequence[str]) -> str:
    """The field that probably holds the part: by its spelling, else by what others call it; NAME where none does."""
    of_others = {name for other, names in CALLED.items() if other != part for name in (other, *names)}
    if (name := near(part, [name for name in free if name not in of_others])) != "NAME":
        return name
    return next((name for name in CALLED.get(part, ()) if name in free), "NAME")


def _rows(read: Path) -> Iterator[UserRow]:
    with read.open(encoding="utf-8") as file:
        for line in file:
            yield UserRow(*json.loads(line))


def _passage(row: UserRow) -> Passage:
    text = row.parts.get("question") or row.parts.get("text") or row.parts["prediction"]
    return Passage(row.id, row.source, text, {"place": row.place})


def _prompt(row: UserRow) -> Prompt:
    return Prompt(row.id, row.id, row.stage, row.kind, row.parts.get("text") or row.parts["question"])


def _generation(row: UserRow) -> Generation:
    text = format_response(row.parts["question"], row.parts["solution"])
    return Generation(row.id, row.id, row.id, row.stage, row.kind, text, "stop", 0, row.source)


def _problem(row: UserRow) -> Problem:
    question, solution = row.parts["question"], row.parts["solution"]
    answer = last_boxed(solution) or None
    return Problem(row.id, row.id, row.id, row.stage, row.kind, question, solution, answer, row.source, 0)


def _prediction(row: UserRow) -> Prediction:
    gold, answer = row.parts["gold"], row.parts["prediction"]
    return Prediction(row.id, "", row.source, row.id, row.stage, "", gold, [answer], [], [], [])

"""From a row of somebody else's making to a passage: which fields hold the text, the source and the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from src.core.records import Passage
from src.corpus.base import BadRow, passage
from src.text.normalise import normalise

EMPTY = "empty text"
TEXT, ANSWER = (str,), (str, int, float)  # the types of a value that may be read
_DAMAGED = re.compile("[\x00\ud800-\udfff]")  # NUL, and halves of characters, which no UTF-8 file can hold


@dataclass(frozen=True)
class Fields:
    """Where a row keeps its parts.

    text: a field ("text"), a dotted path into nested fields ("meta.abstract"), or a template of them
        ("{question:.1000}\\n\\n{answer:.1000}": a precision cuts that field to so many characters).
    source: the passage's source, literally; None takes the reader's own name.
    meta: name -> field or template, kept beside the text; a field that a row lacks is left out.
    numbers: a number is read as well, as it is written in Python: answers are often given so.
    """

    text: str = "text"
    source: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    numbers: bool = False

    def __post_init__(self) -> None:
        for template in (self.text, *self.meta.values()):
            if not template or not _paths(template):
                raise ValueError(f"a field mapping must name at least one field, not {template!r}")

    def paths(self) -> list[str]:
        """The dotted paths that are needed, in order."""
        return list(dict.fromkeys(path for template in (self.text, *self.meta.values()) for path in _paths(template)))

    def columns(self) -> list[str]:
        """The top-level fields that are needed, in order, where no field's own name holds a dot."""
        return list(dict.fromkeys(path.split(".")[0] for path in self.paths()))

    def passage(self, row: object, source: str, place: str) -> Passage | BadRow:
        """The row's passage, or the reason why it has none."""
        if not isinstance(row, Mapping):
            return BadRow(place, "not an object with fields")
        try:
            written = _fill(self.text, row, ANSWER if self.numbers else TEXT)
            meta = self._meta(row)
        except KeyError as missing:
            return BadRow(place, f"no field '{missing.args[0]}'")
        except TypeError as wrong:
            return BadRow(place, str(wrong))
        if any(map(_DAMAGED.search, (written, *meta.values()))):
            return BadRow(place, "damaged characters")
        if not (text := normalise(written)):
            return BadRow(place, EMPTY)
        return passage(self.source or source, text, meta)

    def _meta(self, row: Mapping[str, Any]) -> dict[str, str]:
        meta = {}
        for name, template in self.meta.items():
            try:
                meta[name] = _fill(template, row)
            except (KeyError, TypeError):
                continue
        return meta


def lookup(row: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; a field whose own name holds the dot comes first. Raises KeyError(path)."""
    if path in row:
        return row[path]
    head, _, rest = path.partition(".")
    inner = row.get(head)
    if not rest or not isinstance(inner, Mapping):
        raise KeyError(path)
    try:
        return lookup(inner, rest)
    except KeyError:
        raise KeyError(path) from None


def _paths(template: str) -> list[str]:
    if "{" not in template:
        return [template]
    try:
        return [name for _, name, _, _ in Formatter().parse(template) if name]
    except ValueError as error:
        raise ValueError(f"the template {template!r} cannot be read: {error}") from None


def _fill(template: str, row: Mapping[str, Any], types: tuple[type, ...] = (object,)) -> str:
    if "{" not in template:
        return _as_text(row, template, types)
    parts = []
    for literal, name, spec, _ in Formatter().parse(template):
        parts.append(literal)
        if name:
            parts.append(format(_as_text(row, name, types), spec or ""))
    return "".join(parts)


def _as_text(row: Mapping[str, Any], path: str, types: tuple[type, ...]) -> str:
    value = lookup(row, path)
    if value is None or (float in types and value != value):  # NaN is what tables write where there is nothing
        raise KeyError(path)
    if isinstance(value, bytes):  # Parquet of tools that do not say that a column is text
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise TypeError("invalid UTF-8") from None
    if not isinstance(value, types) or (isinstance(value, bool) and object not in types):
        raise TypeError(f"field '{path}' is {type(value).__name__}, not text")
    return str(value)

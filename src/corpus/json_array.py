"""Rows of a JSON file that is one array, read element by element."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import BufferedReader, TextIOWrapper
from typing import Any

from src.corpus.base import BadRow

CHUNK = 1 << 20  # characters that are read at once
BETWEEN = " \t\r\n,"


def is_array(file: BufferedReader) -> bool:
    """Whether the file's first character opens an array; nothing is read away."""
    return file.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["


def elements(file: BufferedReader, limit: int, place: str) -> Iterator[tuple[str, Mapping[str, Any] | BadRow]]:
    """(place, row) for each element, in constant memory. One that is no object, or holds a number that Python does not
    convert, is a `BadRow`; what cannot be read as JSON, or is longer than `limit` characters, ends the file, for
    nobody knows where the next element begins. Bytes that are no UTF-8 become lone surrogates, which a reader refuses
    in a text."""
    too_long: list[str] = []
    decoder = json.JSONDecoder(parse_int=lambda digits: _whole(digits, too_long), strict=False)
    text = TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape")
    buffer, number = text.read(CHUNK).lstrip()[1:], 0
    while True:
        at = 0
        while (start := _next(buffer, at)) < len(buffer) and buffer[start] != "]":
            try:
                row, end = decoder.raw_decode(buffer, start)
            except (ValueError, RecursionError):
                break
            if end == len(buffer):
                break  # more of it may follow
            number, at = number + 1, end
            here = f"{place}, row {number}"
            yield here, _row(row, here, too_long)
        buffer = buffer[at:].lstrip(BETWEEN)
        if buffer.startswith("]"):
            return
        more = text.read(CHUNK) if len(buffer) <= limit else ""
        if not more:
            here = f"{place}, row {number + 1}"
            yield here, BadRow(here, "invalid JSON: the rest of the file is not read")
            return
        buffer += more


def _next(buffer: str, at: int) -> int:
    """Where the next element begins."""
    while at < len(buffer) and buffer[at] in BETWEEN:
        at += 1
    return at


def _row(row: object, place: str, too_long: list[str]) -> Mapping[str, Any] | BadRow:
    if too_long:
        too_long.clear()
        return BadRow(place, "invalid JSON")
    return row if isinstance(row, Mapping) else BadRow(place, "not an object with fields")


def _whole(digits: str, too_long: list[str]) -> int:
    try:
        return int(digits)
    except ValueError:  # more digits than Python converts
        too_long.append(digits)
        return 0

"""Texts that every file and database can hold."""

from __future__ import annotations

UNREADABLE_CHARACTERS = "unreadable characters"  # the note of a text that had some


def readable(text: str) -> str:
    """Half a surrogate pair and NUL, which no file can hold, become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")

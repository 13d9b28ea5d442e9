"""Thinking models: what they write before their answer is no part of it."""

from __future__ import annotations

from src.text.parsing import THOUGHT_MARKS as MARKS


def split_thinking(text: str, opened: bool = False) -> tuple[str, str]:
    """(thoughts, answer). The answer begins after the last closing mark, and is empty where the thoughts never end.

    opened: the prompt itself ends in an opening mark.
    """
    ends = [(text.rfind(close), close) for _, close in MARKS if close in text]
    if ends:
        at, close = max(ends)
        thoughts, answer = text[:at], text[at + len(close) :]
        return _without_opening(thoughts), answer.lstrip()
    if opened or any(text.lstrip().startswith(opening) for opening, _ in MARKS):
        return _without_opening(text), ""
    return "", text


def ends_in_thinking(prompt: str) -> bool:
    """Whether a prompt, as a chat template writes it, leaves the model inside its thoughts."""
    return prompt.rstrip().endswith(tuple(opening for opening, _ in MARKS))


def _without_opening(thoughts: str) -> str:
    thoughts = thoughts.lstrip()
    for opening, _ in MARKS:
        thoughts = thoughts.removeprefix(opening)
    return thoughts.strip()

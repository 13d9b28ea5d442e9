"""Reading a reply in OpenAI's protocol, as servers really send it."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Mapping
from typing import Any

from src.generation.base import Completion
from src.generation.budget import Spent
from src.generation.json_output import read_json
from src.generation.provider import Provider
from src.generation.refusals import Unreadable
from src.generation.thinking import split_thinking
from src.text.readable import UNREADABLE_CHARACTERS, readable

CONTENT_FILTER = "content filter"
ALL_THOUGHTS = "cut off while it was thinking"
MOST_TOKENS = 10**9  # of one call: what says more is broken


def read_reply(reply: Any, id: str, booked: Spent, provider: Provider, as_json: bool) -> Completion:
    """The completion in a chat or text reply, or the vector of an embedding as text.

    booked: what the call was booked at, the most it can cost; a reply without usage is taken to cost that.
    Raises Unreadable, with its cost as far as that is told, for a reply without a text that could be kept.
    """
    prompt_tokens, completion_tokens, cached_tokens = _usage(reply, booked, provider)
    charged = prompt_tokens, completion_tokens, cached_tokens
    if (vector := _vector(reply)) is not None:
        return Completion(id, vector_text(vector), "stop", prompt_tokens)
    choices = reply.get("choices") if isinstance(reply, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Unreadable("no choices in it", charged if _says_usage(reply) else None)
    raw, thinking, refused = _texts(choices[0])
    text, thinking, refused = readable(raw), readable(thinking), readable(refused)
    said = choices[0].get("finish_reason") or choices[0].get("stop_reason")
    reason, notes = provider.finish_reason(said), list[str]()
    if reason is None:  # null, "tool_calls", ...: the text is there, and paid for
        reason = "length" if not said and 0 < booked.completion_tokens <= completion_tokens else "stop"
        notes.append(readable(f"finish reason: {said}"))
    if reason == "broken off":
        raise Unreadable(f"broken off: {said}", charged)
    if reason == CONTENT_FILTER or (refused and not text):
        return Completion(id, text or refused, "error", *charged[:2], CONTENT_FILTER, cached_tokens)
    if not text.strip():
        if reason != "length":
            raise Unreadable("empty answer", charged)
        notes.append(ALL_THOUGHTS)
    if text != raw:
        notes.append(UNREADABLE_CHARACTERS)
    if as_json and reason == "stop":
        try:
            text, odd = read_json(text)
        except Unreadable as problem:
            raise Unreadable(str(problem), charged) from None
        notes += [odd] if odd else []
    note = ", ".join(notes) or None
    return Completion(id, text, reason, *charged[:2], None, cached_tokens, note, thinking)


def vector_text(vector: list[float]) -> str:
    """A vector as text: base64 of little-endian float32. `src.embedding.server` reads it."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def worth_keeping(answer: Completion) -> bool:
    """Whether the same question would get the same again."""
    return answer.error in (None, CONTENT_FILTER)


def _vector(reply: Any) -> list[float] | None:
    """The first vector of a reply with embeddings; None for any other reply."""
    data = reply.get("data") if isinstance(reply, dict) else None
    found = data[0].get("embedding") if isinstance(data, list) and data and isinstance(data[0], dict) else None
    if not isinstance(found, list) or not found:
        return None
    numbers = [float(n) for n in found if isinstance(n, (int, float)) and not isinstance(n, bool)]
    return numbers if len(numbers) == len(found) and all(map(math.isfinite, numbers)) else None


def _texts(choice: Mapping[str, Any]) -> tuple[str, str, str]:
    """(answer, thoughts, refusal) of a choice of either interface."""
    message = choice.get("message")
    if not isinstance(message, dict):
        thoughts, text = split_thinking(str(choice.get("text") or ""))
        return text, thoughts, ""
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    written = "".join(_part(part, "text") for part in parts)
    apart = message.get("reasoning_content") or message.get("reasoning") or "".join(_part(p, "thinking") for p in parts)
    thoughts, text = split_thinking(written)
    return text, str(apart or thoughts), str(message.get("refusal") or "")


def _part(part: Any, kind: str) -> str:
    """What a part of a message adds to the text, or to the thoughts; a bare string is text."""
    if not isinstance(part, dict):
        return part if isinstance(part, str) and kind == "text" else ""
    said = part.get("type", "text")
    if said not in {"text": ("text", "output_text"), "thinking": ("thinking", "reasoning")}[kind]:
        return ""
    value = part.get(said) or part.get("text") or ""
    return "".join(_part(inner, "text") for inner in value) if isinstance(value, list) else str(value)


def _usage(reply: Any, booked: Spent, provider: Provider) -> tuple[int, int, int]:
    """Tokens of the prompt, of all that was written, and of the prompt's those from the cache.

    Some servers count thoughts in `total_tokens` alone. What is not said is taken to be what was booked.
    """
    usage = reply.get("usage") if isinstance(reply, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    total = _count(usage.get("total_tokens"))
    if total is not None and prompt is not None and (completion is not None or total > prompt):
        completion = max(completion or 0, total - prompt)
    prompt = booked.prompt_tokens if prompt is None else prompt
    completion = booked.completion_tokens if completion is None else completion
    cached: Any = usage
    for name in provider.cached_tokens.split("."):
        cached = cached.get(name) if isinstance(cached, dict) else None
    return prompt, completion, min(prompt, _count(cached) or 0)


def _says_usage(reply: Any) -> bool:
    return isinstance(reply, dict) and isinstance(reply.get("usage"), dict)


def _count(value: Any) -> int | None:
    """A number of tokens; None for what is none, as -1 or a number that no text has."""
    counts = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return int(value) if counts else None

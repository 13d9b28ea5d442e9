"""Reading what a server that speaks OpenAI's protocol says: texts, refusals, pauses."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from src.generation.base import Completion
from src.generation.budget import Spent
from src.text.parsing import format_response

CONTENT_FILTER = "content filter"

PROBLEM_SCHEMA = {
    "type": "object",
    "properties": {
        "problem": {"type": "string", "description": "The new problem, complete in itself."},
        "solution": {"type": "string", "description": "Its solution, step by step, the final answer in \\boxed{}."},
    },
    "required": ["problem", "solution"],
    "additionalProperties": False,
}
RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "problem_and_solution", "strict": True, "schema": PROBLEM_SCHEMA},
}


class Unreadable(Exception):  # noqa: N818  a reason to try again
    """The server answered, and the answer is none."""


def read_reply(reply: Any, id: str, booked: Spent, as_json: bool) -> Completion:
    """The completion in a chat or text reply. Raises Unreadable for a reply without a choice.

    A reply that does not say how many tokens it cost is taken to cost what was booked for it: the most it can.
    """
    choices = getattr(reply, "choices", None)
    if not choices:
        raise Unreadable("no choices in it")
    choice, usage = choices[0], getattr(reply, "usage", None)
    message = getattr(choice, "message", None)
    text = (choice.text if message is None else message.content or getattr(message, "refusal", None)) or ""
    prompt_tokens, completion_tokens = (
        most if (said := getattr(usage, name, None)) is None else said
        for name, most in (("prompt_tokens", booked.prompt_tokens), ("completion_tokens", booked.completion_tokens))
    )
    reason, error = choice.finish_reason, None
    if reason not in ("stop", "length"):
        error = CONTENT_FILTER if reason == "content_filter" else f"unknown finish reason: {reason}"
        reason = "error"
    return Completion(id, from_json(text) if as_json else text, reason, prompt_tokens, completion_tokens, error)


def worth_keeping(answer: Completion) -> bool:
    """Whether the same question would get the same again; what a server broke off for reasons of its own is not."""
    return answer.error is None or answer.error == CONTENT_FILTER


def from_json(text: str) -> str:
    """An answer in `PROBLEM_SCHEMA`, in the words of all other generators; one that is cut off stays as it is."""
    try:
        said = json.loads(text)
        return format_response(said["problem"], said["solution"])
    except (ValueError, TypeError, KeyError):
        return text


def refusal(code: str, said: str) -> str:
    """A short name, the same for all refusals of a sort, for the counts."""
    if code == "context_length_exceeded" or "context length" in said:
        return "prompt too long"
    return CONTENT_FILTER if "content_filter" in code or "content_policy" in code else "bad request"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: a number of them, or a date."""
    header = headers.get("retry-after")
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def never_sent(error: Exception) -> bool:
    """Whether the connection was not even made: then nothing can have been charged."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")

"""What a server says when it gives no text: the words and the waiting time in whatever form it puts them."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from src.text.readable import readable

LONGEST_WORDS = 400  # of a server's, in a message
_TELLING = ("code", "type", "error_type", "status", "message", "detail", "msg", "reason", "quotaId")
_PAUSE = re.compile(r"(?:try again in|retry (?:after|in))\s*((?:\d*\.?\d+\s*(?:ms|[hms])[a-z]*\s*)+)", re.I)
_SPAN = re.compile(r"(\d*\.?\d+)\s*(ms|h|m|s)", re.I)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Unreadable(Exception):  # noqa: N818  a reason to try again
    """The server answered, and the answer is none. `charged`: whether it may cost something all the same."""

    def __init__(self, problem: str, charged: Any = None):
        self.charged = charged
        super().__init__(problem)


class NoAnswer(Exception):  # noqa: N818
    """The line broke, or nothing came in time. `sent`: whether the call may have arrived, and be charged."""

    def __init__(self, problem: str, sent: bool = True):
        self.sent = sent
        super().__init__(problem)


class Refusal(Exception):  # noqa: N818
    """An error that the server tells: with an HTTP status, or in the body of a 200 (then its code is the status)."""

    def __init__(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None):
        self.status, self.body, self.headers = status, body, headers or {}
        super().__init__(status, body)

    @property
    def words(self) -> str:
        """Code, type and message in one line, from wherever the body holds them."""
        if not isinstance(self.body, (dict, list)):
            return readable(" ".join(str(self.body or "").split())[:LONGEST_WORDS])
        told = dict.fromkeys(str(word) for word in _told(self.body) if word not in ("", "error", None))
        return readable(" ".join(" ".join(told).split())[:LONGEST_WORDS]) or json.dumps(self.body)[:LONGEST_WORDS]

    @property
    def elsewhere(self) -> str | None:
        """Where it sends calls on to."""
        return next((value for name, value in self.headers.items() if name.lower() == "location"), None)

    @property
    def pause(self) -> float | None:
        """Seconds that it asks to wait: in a header, as a number or a date, or in its words."""
        headers = {name.lower(): value.strip() for name, value in self.headers.items()}
        if (millis := _number(headers.get("retry-after-ms"))) is not None:
            return millis / 1000
        if (asked := headers.get("retry-after")) is not None:
            return _number(asked) if _number(asked) is not None else _until(asked)
        found = _PAUSE.search(self.words)
        return sum(float(n) * _SECONDS[unit.lower()] for n, unit in _SPAN.findall(found[1])) if found else None

    def __str__(self) -> str:
        return f"HTTP {self.status}: {self.words}" if self.words else f"HTTP {self.status}"


def refusal_in(body: Any, headers: Mapping[str, str]) -> Refusal | None:
    """The error in the body of a reply that claims success."""
    if not isinstance(body, dict) or not body.get("error") or body.get("choices"):
        return None
    error = body["error"]
    code = error.get("code") if isinstance(error, dict) else None
    status = int(code) if isinstance(code, int | str) and str(code).isdecimal() and 400 <= int(code) < 600 else 200
    return Refusal(status, body, headers)


def _told(body: Any) -> Iterator[Any]:
    """Telling values, outermost first."""
    if isinstance(body, list):
        for item in body:
            yield from _told(item)
    elif isinstance(body, dict):
        yield from (body[name] for name in _TELLING if isinstance(body.get(name), (str, int)))
        if "retryDelay" in body:
            yield f"retry in {body['retryDelay']}"
        for name, value in body.items():
            if isinstance(value, (dict, list)):
                yield from _told(value)
            elif name == "error":
                yield value


def _number(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, TypeError):
        return None

"""Where calls go."""

from __future__ import annotations

from urllib.parse import urlsplit


def check_url(url: str) -> None:
    """Raise ValueError, with what it must be, for a URL that no call can be sent to. It is not in the words: it may
    hold a password."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:  # UnicodeError is one: a label that is empty or too long
        raise ValueError("must name a host, and no port but one from 0 to 65535") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    if not host:
        raise ValueError("must name a host")

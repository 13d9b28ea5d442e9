"""What one provider does in its own way, as data: which fields it takes, and what its refusals mean.

The option files in `conf/generator` fill a `Provider`; the tables here hold what all providers have in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from src.generation.refusals import Refusal


class AnswerVerdict(StrEnum):
    """What a refusal means. The first four end the run: no other call would be spared."""

    NO_CREDIT = "no credit"
    SPENDING_LIMIT = "spending limit"
    BAD_KEY = "bad key"
    UNKNOWN_MODEL = "unknown model"
    CONTENT_FILTER = "content filter"
    TOO_LONG = "prompt too long"
    THROTTLED = "throttled"  # wait, and ask again: it says nothing about the call
    SERVER_ERROR = "server error"  # try again, so and so often
    BAD_REQUEST = "bad request"  # this call alone


FATAL = frozenset(
    {AnswerVerdict.NO_CREDIT, AnswerVerdict.SPENDING_LIMIT, AnswerVerdict.BAD_KEY, AnswerVerdict.UNKNOWN_MODEL}
)
OF_THE_CALL = frozenset({AnswerVerdict.CONTENT_FILTER, AnswerVerdict.TOO_LONG, AnswerVerdict.BAD_REQUEST})

# "STATUS words" or either alone; words are looked for in the error's code, type and message. The first that fits.
COMMON: Mapping[AnswerVerdict, tuple[str, ...]] = {
    AnswerVerdict.NO_CREDIT: (
        "402",
        "insufficient_quota",
        "insufficient balance",
        "insufficient credit",
        "insufficient_balance",
        "credit balance is too low",
        "billing_not_active",
        "billing hard limit",
    ),
    AnswerVerdict.SPENDING_LIMIT: (
        "429 monthly",
        "429 spending limit",
        "api usage limit",
        "403 monthly",
        "403 spending limit",
    ),
    AnswerVerdict.CONTENT_FILTER: (
        "content_filter",
        "content_policy",
        "content management policy",
        "responsibleaipolicy",
        "moderation",
        "was flagged",
        "content exists risk",
        "data_inspection_failed",
        "usage policies",
    ),
    AnswerVerdict.TOO_LONG: (
        "context_length_exceeded",
        "context length",
        "context window",
        "prompt is too long",
        "input is too long",
        "string_above_max_length",
        "429 request too large",  # for a limit of tokens a minute: no pause makes it smaller
        "413",
    ),
    AnswerVerdict.BAD_KEY: ("401", "invalid_api_key", "400 api key not valid", "403", "407"),
    AnswerVerdict.UNKNOWN_MODEL: ("404", "3xx", "model_not_found", "400 not a valid model", "400 invalid model"),
    AnswerVerdict.THROTTLED: ("429", "503", "529", "overloaded", "resource_exhausted"),
    AnswerVerdict.SERVER_ERROR: ("5xx", "408", "409", "425", "499", "200"),
}

FinishReason = Literal["stop", "length", "content filter", "broken off"]
FINISH: Mapping[FinishReason, tuple[str, ...]] = {
    "stop": ("stop", "eos", "eos_token", "stop_sequence", "end_turn", "complete"),
    "length": ("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"),
    "content filter": ("content_filter", "content_filtered", "safety", "recitation", "prohibited_content", "refusal"),
    "broken off": ("abort", "error", "cancelled", "insufficient_system_resource", "network_error", "unknown_error"),
}


@dataclass(frozen=True)
class Provider:
    """A provider's dialect.

    omit: fields that it refuses; of one that takes no `stop`, texts are cut when they have come. rename: the
        protocol's name of a field -> its own.
    json_output: how it is held to JSON: by a schema, as some object, or by the prompt's words alone.
    errors: verdict -> "STATUS words" that it gives for it, looked for before the common ones.
    finish: "stop", "length", "content filter" or "broken off" -> finish reasons of its own.
    cached_tokens: where its usage counts prompt tokens billed at the price for cached ones.
    key_header: the header that holds the key, for one that takes no bearer token.
    """

    omit: tuple[str, ...] = ()
    rename: dict[str, str] = field(default_factory=dict)
    json_output: Literal["schema", "object", "prompt"] = "schema"
    errors: dict[str, list[str]] = field(default_factory=dict)
    finish: dict[str, list[str]] = field(default_factory=dict)
    cached_tokens: str = "prompt_tokens_details.cached_tokens"
    key_header: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "omit", tuple(self.omit))
        for option, known in (("errors", list(AnswerVerdict)), ("finish", list(FINISH))):
            if wrong := getattr(self, option).keys() - set(known):
                raise ValueError(f"{option} has no {', '.join(sorted(wrong))}; it takes: {', '.join(known)}")

    def identity(self) -> dict[str, str]:
        """Adds to a stage's key where texts were once left as long as they came."""
        return {"stop": "cut here"} if self.cuts else {}

    @property
    def cuts(self) -> bool:
        """Whether it writes on behind a stop string."""
        return "stop" in self.omit

    def verdict(self, refusal: Refusal) -> AnswerVerdict:
        """What the refusal means; "bad request" where no pattern fits."""
        words = refusal.words.lower()
        for table in (self.errors, COMMON):
            for verdict, patterns in table.items():
                if any(_fits(str(pattern), refusal.status, words) for pattern in patterns):
                    return AnswerVerdict(verdict)
        return AnswerVerdict.BAD_REQUEST

    def finish_reason(self, said: Any) -> FinishReason | None:
        """The server's word in ours; None for one that nobody knows, and for none."""
        word = str(said or "").lower()
        for table in (self.finish, FINISH):
            for reason, words in table.items():
                if word in map(str.lower, words):
                    return reason  # type: ignore[return-value]  # the keys are checked
        return None

    def written(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a call as this provider takes them."""
        return {self.rename.get(name, name): value for name, value in fields.items() if name not in self.omit}


def _fits(pattern: str, status: int, words: str) -> bool:
    first, _, rest = pattern.partition(" ")
    if not first[:1].isdigit() or len(first) != 3:
        return pattern.lower() in words
    return first in (str(status), f"{status // 100}xx") and rest.lower() in words

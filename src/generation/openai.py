"""Text from any server that speaks OpenAI's protocol: OpenAI, `vllm serve`, and most others."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from src.core.checks import at_least
from src.core.errors import HERE, UserError
from src.core.fingerprint import not_in_key
from src.generation.base import Generator, Sampling
from src.generation.base_url import check_url
from src.generation.budget import Budget, Price
from src.generation.json_output import ASKED_FOR, RESPONSE_FORMATS
from src.generation.provider import Provider

if TYPE_CHECKING:
    from src.generation.openai_session import OpenAISession

MOST_IN_A_BATCH = 50_000


@dataclass(frozen=True)
class Batch:
    """How a provider's batch API is used.

    size: calls sent, and held in memory, at a time. poll_seconds: from one look at a batch to the next.
    max_bytes: of a batch's file. enqueued_tokens: in a batch, where the provider limits them; None: it will say so,
        and the batches are halved then.
    """

    size: int = 10_000
    poll_seconds: float = 30.0
    max_bytes: int = 100_000_000
    enqueued_tokens: int | None = None

    def __post_init__(self) -> None:
        for option in ("size", "poll_seconds", "max_bytes", "enqueued_tokens"):
            value = getattr(self, option)
            if value is not None and value <= 0:
                raise ValueError(f"{option} must be above 0, not {value}")
        if self.size > MOST_IN_A_BATCH:
            raise ValueError(f"size must be at most {MOST_IN_A_BATCH:,}, which is all that providers take")


@dataclass(frozen=True)
class OpenAIGenerator(Generator):
    """Options of the client.

    model: as the server calls it.
    base_url: where the server is, with its version path; a query (?api-version=...) goes along with every call.
    api: "chat" sends the prompt as a user's message; "completions" has it continued, for base models; "embeddings" asks
        for its vector, which comes as text (`openai_answers.vector_text`).
    api_key_env: the environment variable that holds the key; None for servers that want none.
    system: a system message to go before every prompt.
    family: whose model it is, for the cache; None: the server's host name, whatever its port.
    provider: the provider's dialect. extra_body: fields of its own to send along, e.g. `reasoning_effort`.
    output: "json" holds the server to an object of problem and solution; what comes of it reads like any other text.
    concurrency: calls at a time, at most. requests_per_minute, tokens_per_minute: of this model, shared by all jobs
        that use the cache folder.
    timeout: seconds for one whole try. max_retries: tries after the first, of a call that the server fails at; 0 gives
        it up at once. patience: seconds without any answer, or of a pause that the server asks for, after which the
        run stops; no call is given up for that.
    batch: calls go through the provider's batch API, at whose `prices` then; None: each by itself, answered at once.
    price: dollars for a million tokens of this model; None: what `prices`, by model name, say.
    account: "study/run", what the calls are booked on; `budget`: the most that may be booked on all runs of the study
        together.
    """

    model: str
    base_url: str = "https://api.openai.com/v1"
    api: Literal["chat", "completions", "embeddings"] = "chat"
    api_key_env: str | None = field(
        default="OPENAI_API_KEY", metadata=not_in_key("the name of the variable that holds a secret")
    )
    system: str | None = None
    family: str | None = None
    provider: Provider = field(default_factory=Provider)
    extra_body: dict[str, Any] | None = None
    output: Literal["text", "json"] = "text"
    concurrency: int = field(default=32, metadata=not_in_key("how many calls are in flight: each has its own seed"))
    requests_per_minute: float | None = field(default=None, metadata=not_in_key("pace, not content"))
    tokens_per_minute: float | None = field(default=None, metadata=not_in_key("pace, not content"))
    timeout: float = field(default=180.0, metadata=not_in_key("patience, not content"))
    max_retries: int = field(default=6, metadata=not_in_key("patience, not content"))
    patience: float = field(default=3600.0, metadata=not_in_key("patience, not content"))
    batch: Batch | None = field(
        default=None, metadata=not_in_key("whether calls go one by one or as a provider's batch")
    )
    price: Price | None = field(default=None, metadata=not_in_key("what a call costs does not change what it says"))
    prices: dict[str, Price] = field(
        default_factory=dict, metadata=not_in_key("what a call costs does not change what it says")
    )
    account: str = field(default="default", metadata=not_in_key("who pays does not change what is said"))
    budget: Budget = field(
        default_factory=Budget, metadata=not_in_key("a budget stops a stage, it does not change its rows")
    )

    def __post_init__(self) -> None:
        prices = {name: p if isinstance(p, Price) else Price(**p) for name, p in self.prices.items()}
        object.__setattr__(self, "prices", prices)
        if "@" in self.base_url.partition("//")[2].partition("/")[0]:
            raise ValueError(  # it stands in files and messages
                "base_url must hold no name and password. A server that wants them takes a header: "
                f"{HERE}.provider.key_header=Authorization, and 'Basic ' with the base64 of name:password for a key"
            )
        try:
            check_url(self.base_url)
        except ValueError as problem:
            raise ValueError(f"base_url {problem}, not {self.base_url!r}") from None
        for option in ("concurrency", "timeout", "requests_per_minute", "tokens_per_minute"):
            value = getattr(self, option)
            if value is not None and value <= 0:
                raise ValueError(f"{option} must be above 0, not {value}")
        at_least(self, 0, "max_retries", "patience")
        if self.output == "json" and self.api != "chat":
            raise ValueError("output=json needs api=chat")
        if self.budget.max_dollars is not None and self.price is None and self.model not in self.prices:
            raise ValueError(
                f"budget.max_dollars is set, and there is no price of {self.model}: look it up, and type for example "
                f"'{HERE}.price={{prompt: 2.5, completion: 10}}' (dollars for a million tokens; quotes and all), or "
                f"{HERE}.budget.max_dollars=null for a server that costs nothing"
            )

    @property
    def name(self) -> str:
        return Path(self.model).name

    @property
    def path(self) -> str:
        """Where calls go, after the base URL."""
        return {"chat": "/chat/completions", "completions": "/completions", "embeddings": "/embeddings"}[self.api]

    def dollars(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """The price of so many tokens; 0 for a model without one."""
        price = self.price or self.prices.get(self.model)
        return price.of(prompt_tokens, completion_tokens, cached_tokens) if price else 0.0

    def payload(self, prompt: str, sampling: Sampling, seed: int) -> dict[str, Any]:
        """What is sent, in the provider's dialect; `extra_body` holds what OpenAI's protocol does not have.

        Fields of that sort go along only where they say something.
        """
        if self.api == "embeddings":
            asked = {"model": self.model, "input": prompt}
            return asked | ({"extra_body": self.extra_body} if self.extra_body else {})
        said: dict[str, Any] = {"model": self.model, "temperature": sampling.temperature, "top_p": sampling.top_p}
        if self.api == "chat":
            system = [{"role": "system", "content": self.system}] if self.system else []
            said["messages"] = [*system, {"role": "user", "content": prompt}]
        else:
            said["prompt"] = f"{self.system}\n\n{prompt}" if self.system else prompt
        said["max_tokens"] = sampling.max_tokens
        if self.output == "json":
            said |= self._held_to_json(said["messages"])
        if sampling.stop:
            said["stop"] = list(sampling.stop)
        said["seed"] = seed
        extra: dict[str, Any] = {"top_k": sampling.top_k, "min_p": sampling.min_p}
        if sampling.repetition_penalty != 1:
            extra["repetition_penalty"] = sampling.repetition_penalty
        extra = self.provider.written({name: value for name, value in extra.items() if value})
        extra |= self.extra_body or {}
        return {**self.provider.written(said), **({"extra_body": extra} if extra else {})}

    def body(self, prompt: str, sampling: Sampling, seed: int) -> dict[str, Any]:
        """The JSON that goes over the line."""
        said = self.payload(prompt, sampling, seed)
        return said | said.pop("extra_body", {})

    def question(self, prompt: str, sampling: Sampling, seed: int) -> dict[str, Any]:
        """What an answer is kept under: what is sent, and to whom. The seed counts even where it cannot be sent, so
        that two samples of a prompt are two answers."""
        family = self.family or urlsplit(self.base_url).hostname
        return {"family": family, "api": self.api, "seed": seed, **self.payload(prompt, sampling, seed)}

    def identity(self) -> None:
        """Adds nothing to a stage's key. It is asked before anything runs, and what is missing is told then."""
        self._key()

    def open(self, model: str | None, cache: Path) -> OpenAISession:
        """`model`, a folder, cannot be sent to a server: UserError. So is a key that is not set."""
        if model is not None:
            raise UserError(
                f"The generator openai talks to a server, and cannot load the model {model}.",
                "Choose vllm or transformers for it, or serve it and give its name and base_url.",
            )
        key = self._key()
        if self.batch is not None:
            from src.generation.openai_batch import OpenAIBatchSession

            return OpenAIBatchSession(self, self.batch, key, cache)
        from src.generation.openai_session import OpenAISession

        return OpenAISession(self, key, cache)

    def _held_to_json(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """The field that asks for JSON; where the schema cannot be sent, the prompt tells it."""
        how = self.provider.json_output
        if how != "schema":
            messages[-1]["content"] += ASKED_FOR
        return {"response_format": RESPONSE_FORMATS[how]} if how in RESPONSE_FORMATS else {}

    def _key(self) -> str:
        key = "none" if self.api_key_env is None else os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise UserError(
                f"The generator openai finds no key: the environment variable {self.api_key_env} is not set.",
                f"export {self.api_key_env}=... or, for a server that wants none, set the generator's api_key_env=null "
                "(for the teacher: teacher.api_key_env=null).",
            )
        if any(c < " " or c == "\x7f" for c in key):
            raise UserError(
                f"The key in the environment variable {self.api_key_env} holds a line end or another control "
                "character, which no header can carry.",
                f"Set {self.api_key_env} again, with nothing but the key in it.",
            )
        return key

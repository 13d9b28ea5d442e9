"""The one interface for everything that writes text.

A `Generator` is a small frozen dataclass of options, cheap to build and to check. `open` turns it into a `Session`
that holds the live thing: an engine, an HTTP client, or nothing at all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from src.core.checks import at_least

ROUND = 1_024  # requests of a conversation that are asked together where the session has no better way


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw tokens; every field reaches the engine. `temperature` 0 is greedy; `top_k` 0 means no limit."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int = 512
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(self.stop))
        at_least(self, 0, "temperature", "top_k")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie in (0, 1], not {self.top_p}")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p must lie in [0, 1], not {self.min_p}")
        if not self.repetition_penalty > 0:
            raise ValueError(f"repetition_penalty must be above 0, and 1 leaves it out, not {self.repetition_penalty}")
        at_least(self, 1, "max_tokens")


@dataclass(frozen=True, slots=True)
class Request:
    """One text to write. `id` is a content id, `seed` belongs to this request alone: so the completion depends on
    neither batch nor order. `context` is what a generator that reads no prose may use: stage, kind, passage.
    """

    id: str
    prompt: str
    seed: int
    sampling: Sampling = field(default_factory=Sampling)
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. `finish_reason` is "stop", "length" or "error" (then `error` says what happened).

    completion_tokens: all that was written, thinking included. cached_tokens: of the prompt, where the server says so.
    note: what was odd about a text that is kept all the same. thinking: what a model wrote before its answer.
    transient: of an error that the same request may be spared another time: no stage is finished with it.
    stopped_at: the stop string that ended it; None: it came to its own end, or the generator does not say.
    """

    id: str
    text: str
    finish_reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None
    cached_tokens: int = 0
    note: str | None = None
    thinking: str = ""
    transient: bool = False
    stopped_at: str | None = None


def refused(prompt_tokens: int, longest: int) -> str | None:
    """Why an engine that takes `longest` tokens, prompt and text together, cannot go on from a prompt; None: it can."""
    if not prompt_tokens:
        return "prompt is empty"
    if prompt_tokens >= longest:
        return f"prompt too long: {prompt_tokens} tokens, and the model takes {longest} with the text"
    return None


class Session(ABC):
    """A live generator. Use it in a `with` block.

    expected: how many requests are to come, where that is known: for projections alone.
    """

    expected: int | None = None

    @abstractmethod
    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield completions as they end, in no particular order; pulls new requests while others still run, so a
        long one stalls nobody. A request that fails for good yields a Completion with finish_reason "error"."""

    def converse(self, ready: Callable[[int], list[Request]]) -> Iterator[Completion]:
        """Yield completions of requests that follow from earlier completions, such as the steps of a tree search.

        ready(n): at most n requests that can be asked now. It is called again after each completion was taken; the
        conversation ends when it gives none and none is running. Here round by round; an engine that takes requests
        while others run overrides it.
        """
        while requests := ready(ROUND):
            yield from self.stream(requests)

    def close(self) -> None:  # noqa: B027  a session that holds nothing has nothing to free
        """Free what the session holds."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Generator(ABC):
    """Options of a generator; subclasses are frozen dataclasses that a config option names by `_target_`."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What a `Problem` says wrote it, e.g. "procedural" or the model's name."""

    @property
    def devices(self) -> int | None:
        """How many devices hold the weights of one model together; None: it lies elsewhere, or there is none."""
        return None

    @property
    def unpooled(self) -> Generator:
        """The engine without the machines that it runs on: what its texts hang on, and so the ids of requests."""
        return self

    @abstractmethod
    def open(self, model: str | None, cache: Path) -> AbstractContextManager[Session]:
        """Start the generator. `model`: a Hugging Face folder, for engines that hold a model (None: the configured
        one). `cache`: a folder shared by all runs, where paid answers are kept."""

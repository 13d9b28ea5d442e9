"""The offline teacher as a `Generator`.

It reads no prompt: `Request.context` tells it the stage, the kind and the passage, or the `task` of key-point-driven
synthesis or of grading (`tutor`). The passage's words choose the family, the request's id and seed choose the rest, so
the same request gets the same answer anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import cast

from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.core.records import seed_from
from src.generation.base import Completion, Generator, Request, Session
from src.generation.budget import Price
from src.generation.procedural import composed
from src.generation.procedural.family import Family, Kind, Slice
from src.generation.procedural.size import FULL, Size, families_digest
from src.generation.procedural.topics import words_of
from src.generation.procedural.tutor import TASKS
from src.prompts.sets import STAGES

MAX_HITS = 3
HIT_FACTOR = 4  # one more keyword in the passage makes a family four times as likely


@dataclass(frozen=True)
class ProceduralGenerator(Generator):
    """Writes a problem and its worked solution, both built by a small program and checked by another.

    `error_rate`: the share of problems that get a deliberately wrong answer, to try verification on. In a worked
    solution the slip runs through the steps; in a tool solution the box disagrees with the (true) output.
    `slip_rate`: the share of texts with an error in the tasks of key-point-driven synthesis, which checks them itself,
        and of wrong grades.
    `size`: which corner of the families' space it writes; the whole by default.
    `price`: what another teacher would charge for as many tokens; None: nothing. So methods are compared in dollars.

    `Sampling` plays no part, `max_tokens` neither: problems are short by design (about 60 to 150 words). Tokens are
    counted as words between blanks. One core writes about 8,000 worked and 6,000 tool solutions a second, checks and
    program runs included.
    """

    error_rate: float = 0.0
    slip_rate: float = 0.15
    size: Size = FULL
    price: Price | None = field(default=None, metadata=not_in_key("what a call costs does not change what it says"))

    def __post_init__(self) -> None:
        for name in ("error_rate", "slip_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")

    @property
    def name(self) -> str:
        return "procedural"

    def identity(self) -> dict[str, str]:
        return {"families": families_digest()}

    def dollars(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """At the `price` of another teacher."""
        return self.price.of(prompt_tokens, completion_tokens, cached_tokens) if self.price else 0.0

    def open(self, model: str | None, cache: Path) -> Session:
        return _Teacher(self)


class _Teacher(Session):
    def __init__(self, options: ProceduralGenerator):
        self.options = options

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            text = self._text(request)
            yield Completion(
                id=request.id,
                text=text,
                finish_reason="stop",
                prompt_tokens=len(request.prompt.split()),
                completion_tokens=len(text.split()),
            )

    def _text(self, request: Request) -> str:
        options = self.options
        if "task" not in request.context:
            return write(request, options.error_rate, options.size)
        task = _choice(request, "task", tuple(TASKS))
        rng = Random(seed_from("procedural", request.id, request.seed, task))
        return TASKS[task](request.context, rng, options.slip_rate, options.size)


def write(request: Request, error_rate: float = 0.0, size: Size = FULL) -> str:
    """The problem for a request, as text with its two headings.

    Raises UserError when the context lacks or misnames the stage, the kind or the split ("train", the default, or
    "dev"; what is held out can't be asked for).
    """
    context = request.context
    stage = _choice(request, "stage", STAGES)
    kind = cast(Kind, _choice(request, "kind", ("cot", "tool")))
    part = cast(Slice, _choice(request, "split", ("train", "dev"), default="train"))
    passage = context.get("passage", "")

    rng = Random(seed_from("procedural", request.id, request.seed, stage, kind, part, passage))
    story = _composed(stage, part, rng, size)
    family = story or _about(passage, size.taught(stage), rng)
    wrong = rng.random() < error_rate
    instance = family.draw(rng, part, None if story else size.ranges(family))
    problem = family.tell(instance, rng, stage=stage, kind=kind, cast="training", wrong=wrong)
    return f"[Problem]\n{problem.question}\n\n[Solution]\n{problem.solution}\n"


def _composed(stage: str, part: Slice, rng: Random, size: Size) -> Family | None:
    """A family of stories put together from parts, in the share of grade-school problems to learn from that is
    wanted."""
    if (stage, part) != (composed.STAGE, "train") or not size.composed or rng.random() >= size.composed:
        return None
    return composed.pick(rng)


def _about(passage: str, families: Sequence[Family], rng: Random) -> Family:
    words = words_of(passage)
    return rng.choices(families, weights=[_weight(f.topics, words) for f in families])[0]


def _weight(topics: frozenset[str], words: frozenset[str]) -> int:
    """How likely a family is: never zero, and level above a few hits, so that no long passage always picks the same."""
    return HIT_FACTOR ** min(len(topics & words), MAX_HITS)


def _choice(request: Request, key: str, known: tuple[str, ...], default: str | None = None) -> str:
    value = request.context.get(key, default)
    if value not in known:
        raise UserError(
            f"The procedural teacher got {key}={value!r} in the context of request {request.id}.",
            f"The context must give '{key}' as one of: {', '.join(known)}.",
        )
    return value

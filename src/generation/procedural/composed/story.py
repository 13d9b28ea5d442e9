"""A story put together from parts: a beginning, what happens then, and what is asked in the end.

Each part takes the quantity that the story is about one step further and says so in several wordings, so that a few
dozen parts make thousands of stories. A part names what it found `{q}` and what it leaves `{r}`:

    Part(
        "lost",
        ("{name} lost {a} of them.", "Then {friend} broke {a} of them."),
        turn=lambda q, a: {"r": q - a},
        check=lambda v: v.r + v.a == v.q,
        steps=("After that {name} has {q} - {a} = {r:{item}}.",),
        program="q = q - {a}",
        numbers={"a": range(2, 60)},
    )

`told` makes a family of some parts in order: numbers, wordings, steps, program and checks are those of the parts, one
after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from decimal import Decimal
from itertools import product
from random import Random
from types import SimpleNamespace
from typing import Any

from src.core.records import seed_from
from src.generation.procedural.family import Family, Ranges, Values, family
from src.generation.procedural.language import decimal

STAGE = "grade_school"
MOST_WORDINGS = 24  # of a family, drawn from all combinations of its parts' wordings
PERSON = frozenset({"name", "friend", "he", "He", "his", "His", "him"})
SHARED = frozenset({"item", "other", "place", "thing"})  # words that a beginning chooses for the whole story
_NAME = re.compile(r"\{([A-Za-z]\w*)")


@dataclass(frozen=True, eq=False)
class Part:
    """`turn` takes the quantity so far (None at the beginning) and the part's numbers, and returns `r` and what else
    its words name, or None: these numbers make no good story. `words`: things that are chosen for the whole story."""

    name: str
    wordings: tuple[str, ...]
    turn: Callable[..., Values | None]
    check: Callable[[Any], bool]
    _: KW_ONLY
    steps: tuple[str, ...] = ()
    program: str = ""
    numbers: Ranges = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    closing: str = ""


def in_parts(places: int, turn: Callable[..., Values | None]) -> Callable[..., Values | None]:
    """A turn that reckons in whole parts of a unit which has 10^places of them, as cents of a dollar."""

    def in_units(q: Decimal | None, **numbers: int) -> Values | None:
        found = turn(None if q is None else int(q * 10**places), **numbers)
        return None if found is None else {name: decimal(value, places) for name, value in found.items()}

    return in_units


def told(world: str, parts: Sequence[Part], topics: str, printed: str = "q") -> Family:
    """The family of the stories that consist of these parts, of which the last asks and closes. `printed`: what its
    program prints of the last `q`."""
    answering = max((place for place, each in enumerate(parts) if each.steps), default=0)
    placed = [_Placed(each, place, answering) for place, each in enumerate(parts)]
    name = "_".join((world, *(each.name for each in parts)))

    def solve(**numbers: int) -> Values | None:
        values: Values = {}
        before = None
        for each in placed:
            found = each.part.turn(before, **each.own(numbers))
            if found is None:
                return None
            values |= each.renamed(found)
            before = found["r"]
        return values

    solve.__name__ = name
    made = family(
        STAGE,
        topics=topics,
        numbers={new: values for each in placed for new, values in each.renamed(each.part.numbers).items()},
        wordings=_wordings(name, [[each.placed(text) for text in each.part.wordings] for each in placed]),
        steps=tuple(each.placed(step) for each in placed for step in each.part.steps),
        closing=placed[-1].placed(parts[-1].closing),
        program="\n".join([each.placed(each.part.program) for each in placed if each.part.program])
        + f"\nprint({printed})",
        check=lambda v: all(each.part.check(each.seen_by(v)) for each in placed),
        words={word: choices for each in placed for word, choices in each.part.words.items()},
    )
    return made(solve)


class _Placed:
    """A part at its place in a story, where its names stand apart from those of the others. `answering`: the place of
    the last part with a step, behind which the quantity stays what it is: the answer."""

    def __init__(self, part: Part, place: int, answering: int):
        self.part = part
        self.place = place
        self.answering = answering

    def named(self, name: str) -> str:
        if name not in ("q", "r"):
            return f"{name}{self.place}"
        place = self.place - (name == "q")
        return "answer" if place >= self.answering else f"q{place}"

    def placed(self, text: str) -> str:
        kept = PERSON | set(self.part.words) | SHARED
        return _NAME.sub(lambda m: m[0] if m[1] in kept else "{" + self.named(m[1]), text)

    def renamed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {self.named(name): value for name, value in values.items()}

    def own(self, numbers: Mapping[str, int]) -> dict[str, int]:
        return {name: numbers[self.named(name)] for name in self.part.numbers}

    def seen_by(self, values: SimpleNamespace) -> SimpleNamespace:
        """The story's values under the part's own names."""
        end = str(self.place)
        own = {name.removesuffix(end): value for name, value in vars(values).items() if name.endswith(end)}
        found = vars(values)
        return SimpleNamespace(**{**own, "q": found.get(self.named("q")), "r": found[self.named("r")]})


def _wordings(name: str, of_parts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Some of all combinations, the same ones every time."""
    every = list(product(*of_parts))
    rng = Random(seed_from("wordings", name))
    chosen = every if len(every) <= MOST_WORDINGS else rng.sample(every, MOST_WORDINGS)
    return tuple(" ".join(texts) for texts in chosen)

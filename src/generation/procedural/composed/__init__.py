"""Stories put together from parts, for students that shall read word problems which other people wrote.

A family of `families` has two to four wordings, which a real model knows by heart after a few hundred rows. Here a
beginning, what happens then and a question are combined, about things, people, money to the cent and measures with
decimals; beside them stand stories of which a part is missing, stories about two quantities, stories with more numbers
than they need, and plain sums. They follow the problem types of textbooks (Carpenter et al., Children's Mathematics,
1999; Riley, Greeno and Heller 1983): change, combine, compare, equal groups, in one to six steps. No exam asks them,
the offline teacher of key-point-driven synthesis does not know them, and only `problems.composed` has a teacher write
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from random import Random
from types import ModuleType

from src.core.records import seed_from
from src.generation.procedural.composed import (
    extraneous,
    large,
    measures,
    money,
    people,
    reckoning,
    relations,
    things,
    unknowns,
)
from src.generation.procedural.composed.story import STAGE as STAGE
from src.generation.procedural.composed.story import Part, told
from src.generation.procedural.family import Family

Worlds = dict[str, tuple[Family, ...]]
WEIGHTS = {
    "things": 5,
    "things_changed": 5,
    "things_changed_twice": 1,
    "large": 1,
    "people": 3,
    "money": 4,
    "measures": 3,
    "unknowns": 4,
    "relations": 6,
    "extraneous": 6,
    "reckoning": 3,
}
OF_TWO_CHANGES = 60  # families of stories in which two things happen, drawn from all of them
PRINTED_DECIMAL = 'f"{{q:.8g}}"'


@cache
def worlds() -> Worlds:
    """The families of each world."""
    return {
        **_of_things(),
        "large": _stories("large", large.beginnings(), _at_most_once(large.changes()), large.endings(), large.TOPICS),
        "people": _stories(
            "people", people.beginnings(), _at_most_once(people.changes()), people.endings(), people.TOPICS
        ),
        "money": tuple(_of_money()),
        "measures": tuple(_of_measures()),
        "unknowns": _written(unknowns),
        "relations": _written(relations),
        "extraneous": _written(extraneous),
        "reckoning": _written(reckoning),
    }


def pick(rng: Random) -> Family:
    """A family of a world, each world as often as its weight says."""
    (world,) = rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
    return rng.choice(worlds()[world])


def _stories(
    world: str,
    beginnings: Sequence[Part],
    middles: Sequence[Sequence[Part]],
    endings: Sequence[Part],
    topics: str,
    printed: str = "q",
) -> tuple[Family, ...]:
    """All that can be put together. A beginning that is asked for its own number makes none."""
    return tuple(
        told(world, [beginning, *middle, ending], topics, printed)
        for middle, beginning, ending in product(middles, beginnings, endings)
        if any(each.steps for each in (beginning, *middle, ending))
    )


def _once(changes: Sequence[Part]) -> list[list[Part]]:
    return [[change] for change in changes]


def _at_most_once(changes: Sequence[Part]) -> list[list[Part]]:
    return [[], *_once(changes)]


def _written(module: ModuleType) -> tuple[Family, ...]:
    return tuple(each for each in vars(module).values() if isinstance(each, Family))


def _of_things() -> Worlds:
    beginnings, changes, endings = [*things.beginnings(), *things.multiplied()], things.changes(), things.endings()
    twice = [parts for parts in product(beginnings, changes, changes, endings) if parts[1] is not parts[2]]
    chosen = Random(seed_from("two changes")).sample(twice, OF_TWO_CHANGES)
    return {
        "things": _stories("things", beginnings, [[]], endings, things.TOPICS),
        "things_changed": _stories("things", beginnings, _once(changes), endings, things.TOPICS),
        "things_changed_twice": tuple(told("things", parts, things.TOPICS) for parts in chosen),
    }


def _of_money() -> Iterator[Family]:
    """To the cent, and in whole dollars."""
    for size, cents, small in (
        ("cents", range(125, 4_000), range(25, 1_200)),
        ("dollars", range(200, 9_000, 100), range(100, 1_500, 100)),
    ):
        changes = _at_most_once(money.changes(cents))
        for world, beginnings, endings in (
            ("bought", money.bought(cents, small), money.endings_of_bought(cents)),
            ("wanted", money.wanted(cents, small), money.endings_of_wanted(cents)),
        ):
            yield from _stories(f"{world}_{size}", beginnings, changes, endings, money.TOPICS, PRINTED_DECIMAL)


def _of_measures() -> Iterator[Family]:
    for name, beginnings, changes, endings in measures.worlds():
        yield from _stories(name, beginnings, _at_most_once(changes), endings, measures.TOPICS, PRINTED_DECIMAL)

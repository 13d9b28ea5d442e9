"""Stories put together from parts, for students that shall read word problems which other people wrote.

A family of `families` has two to four wordings, which a real model knows by heart after a few hundred rows. Here a
beginning, what happens then and a question are combined, over five worlds: things, people, money to the cent, measures
with decimals, and stories that are read backwards; beside them the plain sums. They follow the problem types of
textbooks (Carpenter et al., Children's Mathematics, 1999; Riley, Greeno and Heller 1983): change, combine, compare,
equal groups, in up to five steps. No exam asks them, and only `problems.composed` has a teacher write them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from random import Random

from src.core.records import seed_from
from src.generation.procedural.composed import measures, money, people, reckoning, things, unknowns
from src.generation.procedural.composed.story import Part, told
from src.generation.procedural.family import Family

Worlds = dict[str, tuple[Family, ...]]
WEIGHTS = {
    "things": 5,
    "things_changed": 5,
    "things_changed_twice": 1,
    "thousands": 2,
    "people": 4,
    "money": 4,
    "measures": 2,
    "unknowns": 6,
    "reckoning": 3,
}
OF_TWO_CHANGES = 60  # families of stories in which two things happen, drawn from all of them
PRINTED_DECIMAL = 'f"{{q:.8g}}"'


@cache
def worlds() -> Worlds:
    """The families of each world."""
    return {
        **_of_things(),
        "people": tuple(_stories("people", people.beginnings(), people.changes(), people.endings(), people.TOPICS)),
        "money": tuple(_of_money()),
        "measures": tuple(_of_measures()),
        "unknowns": tuple(f for f in vars(unknowns).values() if isinstance(f, Family)),
        "reckoning": tuple(f for f in vars(reckoning).values() if isinstance(f, Family)),
    }


def pick(rng: Random) -> Family:
    """A family of a world, each world as often as its weight says."""
    (world,) = rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
    return rng.choice(worlds()[world])


def _stories(
    world: str, beginnings: list[Part], changes: list[Part], endings: list[Part], topics: str, printed: str = "q"
) -> list[Family]:
    """All stories with one change at most, those without one first. A beginning that is asked for its own number makes
    none."""
    middles: list[list[Part]] = [[], *([change] for change in changes)]
    return [
        told(world, [beginning, *middle, ending], topics, printed)
        for middle, beginning, ending in product(middles, beginnings, endings)
        if any(each.steps for each in (beginning, *middle, ending))
    ]


def _of_things() -> Worlds:
    small, large = things.UP_TO_150, things.THOUSANDS
    beginnings = [*things.beginnings(small), *things.multiplied()]
    changes = [*things.changes(things.TENS), *things.changes_of_groups()]
    endings = [*things.endings(things.TENS), *things.endings_of_groups()]
    twice = [parts for parts in product(beginnings, changes, changes, endings) if parts[1] is not parts[2]]
    chosen = Random(seed_from("two changes")).sample(twice, OF_TWO_CHANGES)
    once = _stories("things", beginnings, changes, endings, things.TOPICS)
    short = _stories("things", beginnings, [], endings, things.TOPICS)
    return {
        "things": tuple(short),
        "things_changed": tuple(once[len(short) :]),
        "things_changed_twice": tuple(told("things", parts, things.TOPICS) for parts in chosen),
        "thousands": tuple(
            _stories("thousands", things.beginnings(large), things.changes(large), things.endings(large), things.TOPICS)
        ),
    }


def _of_money() -> Iterator[Family]:
    for world, some in (("cents", money.CENTS), ("dollars", money.DOLLARS)):
        parts = money.beginnings(some), money.changes(some), money.endings(some)
        yield from _stories(world, *parts, money.TOPICS, PRINTED_DECIMAL)


def _of_measures() -> Iterator[Family]:
    for places, some in ((1, range(2, 300)), (2, range(5, 1_500))):
        parts = measures.beginnings(places, some), measures.changes(places, some), measures.endings(places, some)
        yield from _stories(f"measures_{places}", *parts, measures.TOPICS, PRINTED_DECIMAL)

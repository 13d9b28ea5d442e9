"""Who the stories are about. No two of training, held-out problems and a base's reading share a name."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Cast = Literal["training", "held_out", "reading"]


def _names(line: str) -> tuple[str, ...]:
    return tuple(line.split())


GIRLS: dict[Cast, tuple[str, ...]] = {
    "training": _names("Anna Maria Lucy Emma Sofia Nina Priya Mei Fatima Clara Ella Rosa Leila Grace Hana Zoe"),
    "held_out": _names("Olga Julia Amara Vera Ines Daisy Yuki Tara"),
    "reading": _names(
        "Alice Bella Carmen Dora Edith Flora Gina Helen Irma Joan Karin Laura Monica Nora Opal Paula Ruth Sarah Tina "
        "Ursula Violet Wanda Aisha Bianca Celia Elena Frida Greta Ilse Jasmine Lena Molly Nadia Rita Selma Thea"
    ),
}
BOYS: dict[Cast, tuple[str, ...]] = {
    "training": _names("Tom Ben Sam Leo Omar Jack Ravi Ivan Hugo Max Noah Carlos Ken Paul Adam Luis"),
    "held_out": _names("Peter Felix Kofi Oscar Diego Arjun Simon Theo"),
    "reading": _names(
        "Albert Bruno Colin David Eric Frank George Harry Ian Jacob Karl Lars Mark Nils Otto Pablo Quinn Robert Steven "
        "Thomas Victor Walter Ahmed Boris Cyrus Dario Emil Fred Gus Henry Ismail Joel Kurt Liam Mario Oliver"
    ),
}


@dataclass(frozen=True)
class Person:
    name: str
    he: str
    his: str
    him: str


def names(cast: Cast) -> frozenset[str]:
    return frozenset(GIRLS[cast] + BOYS[cast])


def meet(rng: Random, cast: Cast) -> dict[str, str]:
    """Two different people, as template values: {name}, {he}, {He}, {his}, {His}, {him} and {friend}."""
    hero, friend = rng.sample(_everyone(cast), 2)
    return _as_values(hero, friend)


def story_of(name: str | None, friend: str | None) -> dict[str, str]:
    """The same values for people whose names are known; what a story does not name is anybody."""
    known = {person.name: person for cast in GIRLS for person in _everyone(cast)}
    hero = known.get(name or "", known["Anna"])
    return _as_values(hero, known.get(friend or "", known["Tom" if hero.name != "Tom" else "Ben"]))


def _everyone(cast: Cast) -> list[Person]:
    return [Person(n, "she", "her", "her") for n in GIRLS[cast]] + [Person(n, "he", "his", "him") for n in BOYS[cast]]


def _as_values(hero: Person, friend: Person) -> dict[str, str]:
    return {
        "name": hero.name,
        "he": hero.he,
        "He": hero.he.capitalize(),
        "his": hero.his,
        "His": hero.his.capitalize(),
        "him": hero.him,
        "friend": friend.name,
    }

"""Stories about lengths, weights and volumes with decimals. Numbers are parts of a unit until they are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from src.generation.procedural.composed.story import Part, in_parts

TOPICS = "measure length distance weight decimal mile meter liter add subtract multiply divide total difference"
Texts = tuple[str, ...]


@dataclass(frozen=True)
class Quantity:
    """Something that is measured: in which units, with how many decimal places, how large, and how one speaks of it."""

    name: str
    units: tuple[str, ...]
    places: int
    some: range
    one: Texts
    two: Texts
    several: Texts
    more: Texts
    less: Texts
    total: Texts
    compared: Texts
    missing: Texts
    split: Texts


QUANTITIES = (
    Quantity(
        "way",
        ("mile", "kilometer"),
        1,
        range(2, 120),
        one=("{name} walked {x:{item}} before noon.", "{name} ran {x:{item}} to the lake."),
        two=(
            "{name} walked {x:{item}} in the morning and {y:{item}} in the evening.",
            "{name} ran {x:{item}} on Monday and {y:{item}} on Wednesday.",
            "{name} rode {x:{item}} to the lake and then {y:{item}} to the station.",
        ),
        several=("Every day for {n:day} {name} walked {x:{item}}.", "{name} ran {n:lap} of {x:{item}} each."),
        more=("Then {name} went another {x:{item}}.", "After a rest {name} added {x:{item}}."),
        less=(
            "{name}'s watch had counted {x:{item}} too much.",
            "It turned out that a wrong sign had made it {x:{item}} too much.",
        ),
        total=("How many {item:s} did {name} go in all?", "How far did {name} go in {item:s}?"),
        compared=(
            "{name}'s brother went {x:{item}}. How many {item:s} more did {name} go?",
            "Last week {name} went {x:{item}}. How much farther was it this week?",
        ),
        missing=(
            "{name}'s goal is {goal:{item}}. How many {item:s} are left?",
            "The whole trip is {goal:{item}}. How much farther must {name} go?",
        ),
        split=("Next week {name} will go as far in {n} parts of the same length. How many {item:s} is each?",),
    ),
    Quantity(
        "weight",
        ("pound", "kg"),
        2,
        range(25, 1_200),
        one=("{name} picked {x:{item}} of berries.", "{name} has {x:{item}} of flour."),
        two=(
            "{name} bought {x:{item}} of apples and {y:{item}} of pears.",
            "{name} picked {x:{item}} of berries on Friday and {y:{item}} on Saturday.",
            "{name} has one bag of {x:{item}} and another of {y:{item}}.",
        ),
        several=("{name} carried {n:bag} of {x:{item}} each.", "One box weighs {x:{item}}. {name} has {n:box}."),
        more=("{friend} brought {name} another {x:{item}}.", "Then {name} bought {x:{item}} more."),
        less=("{name} gave {friend} {x:{item}} of that.", "{name} used up {x:{item}}."),
        total=("How many {item:s} is that?", "How many {item:s} does {name} have now?"),
        compared=(
            "A neighbor has {x:{item}}. How many {item:s} more does {name} have?",
            "{name}'s sister has {x:{item}}. How many {item:s} less is that than what {name} has?",
        ),
        missing=(
            "{name} needs {goal:{item}} in all. How many {item:s} are missing?",
            "How many more {item:s} does {name} need to have {goal:{item}}?",
        ),
        split=(
            "{name} puts it into {n:bag} of equal weight. How many {item:s} are in each?",
            "{n:family} share it equally. How many {item:s} does each get?",
        ),
    ),
    Quantity(
        "water",
        ("liter", "gallon"),
        1,
        range(3, 200),
        one=("{name} has {x:{item}} of water in a tank.", "{name} made {x:{item}} of juice."),
        two=(
            "{name} poured {x:{item}} of water into a tub, and then {y:{item}} more.",
            "{name} mixed {x:{item}} of juice with {y:{item}} of water.",
        ),
        several=("{name} bought {n:can} with {x:{item}} in each.", "{name} filled {n:bottle} with {x:{item}} each."),
        more=("Then {name} added {x:{item}}.", "{friend} poured in {x:{item}} more."),
        less=("Then {name} spilled {x:{item}}.", "{friend} used {x:{item}} of it."),
        total=("How many {item:s} are there?", "How many {item:s} is that now?"),
        compared=(
            "{name}'s neighbor has {x:{item}}. How many {item:s} more does {name} have?",
            "Yesterday {name} had {x:{item}}. How many {item:s} more does {he} have now?",
        ),
        missing=(
            "There is room for {goal:{item}}. How many {item:s} still fit in?",
            "{name} needs {goal:{item}}. How many {item:s} are missing?",
        ),
        split=("{name} fills it into {n:jug}, the same amount in each. How many {item:s} are in one jug?",),
    ),
    Quantity(
        "board",
        ("meter", "foot", "inch"),
        2,
        range(20, 900),
        one=("{name} has a ribbon of {x:{item}}.", "{name} bought a board that is {x:{item}} long."),
        two=(
            "{name} tied a rope of {x:{item}} to one of {y:{item}}, end to end.",
            "{name} has a board of {x:{item}} and another of {y:{item}}.",
            "{name} glued a board of {x:{item}} to one of {y:{item}}, end to end.",
        ),
        several=("{name} laid {n:board} of {x:{item}} in a line.", "{name} has {n:ribbon} of {x:{item}} each."),
        more=("{friend} brought {name} another {x:{item}}.", "Then {name} added {x:{item}}."),
        less=("{name} cut off {x:{item}} of the length.", "{name} gave {friend} {x:{item}} of the length."),
        total=("How many {item:s} is that in all?", "What is the whole length in {item:s}?"),
        compared=(
            "A neighbor has {x:{item}}. How many {item:s} less is that than what {name} has?",
            "A month ago {name} had {x:{item}}. How many {item:s} more does {he} have now?",
        ),
        missing=(
            "{name} needs {goal:{item}} in all. How many {item:s} are missing?",
            "How many {item:s} are missing to {goal:{item}}?",
        ),
        split=("{name} divides the length into {n} equal pieces. How many {item:s} long is each piece?",),
    ),
)


def beginnings(of: Quantity) -> list[Part]:
    words = {"item": of.units}
    return [
        Part(
            "one",
            of.one,
            turn=in_parts(of.places, lambda q, a: {"x": a, "r": a}),
            check=lambda v: v.r == v.x,
            program="q = {x}",
            numbers={"a": of.some},
            words=words,
        ),
        Part(
            "two",
            of.two,
            turn=in_parts(of.places, lambda q, a, b: {"x": a, "y": b, "r": a + b}),
            check=lambda v: v.r - v.y == v.x,
            steps=("In all that is {x} + {y} = {r:{item}}.",),
            program="q = {x} + {y}",
            numbers={"a": of.some, "b": of.some},
            words=words,
        ),
        Part(
            "several",
            of.several,
            turn=in_parts(of.places, lambda q, n, b: {"x": b, "r": n * b}),
            check=lambda v: v.r == sum([v.x] * v.n),
            steps=("In all that is {n} * {x} = {r:{item}}.",),
            program="q = {n} * {x}",
            numbers={"n": range(2, 10), "b": of.some},
            words=words,
        ),
    ]


def changes(of: Quantity) -> list[Part]:
    return [
        Part(
            "more",
            of.more,
            turn=in_parts(of.places, lambda q, a: {"x": a, "r": q + a}),
            check=lambda v: v.r - v.x == v.q,
            steps=("Then it is {q} + {x} = {r:{item}}.",),
            program="q = q + {x}",
            numbers={"a": of.some},
        ),
        Part(
            "less",
            of.less,
            turn=in_parts(of.places, lambda q, a: {"x": a, "r": q - a} if q - a > 1 else None),
            check=lambda v: v.r + v.x == v.q,
            steps=("That leaves {q} - {x} = {r:{item}}.",),
            program="q = q - {x}",
            numbers={"a": of.some},
        ),
    ]


def endings(of: Quantity) -> list[Part]:
    closing = "The answer is {r:{item}}."
    return [
        Part("in_all", of.total, turn=lambda q: {"r": q}, check=lambda v: v.r == v.q, closing=closing),
        Part(
            "compared",
            of.compared,
            turn=in_parts(of.places, lambda q, a: {"x": a, "r": q - a} if q - a > 1 else None),
            check=lambda v: v.r + v.x == v.q,
            steps=("The difference is {q} - {x} = {r:{item}}.",),
            program="q = q - {x}",
            numbers={"a": of.some},
            closing=closing,
        ),
        Part(
            "missing",
            of.missing,
            turn=in_parts(of.places, lambda q, a: {"goal": q + a, "r": a}),
            check=lambda v: v.q + v.r == v.goal,
            steps=("What is missing is {goal} - {q} = {r:{item}}.",),
            program="q = {goal} - q",
            numbers={"a": of.some},
            closing=closing,
        ),
        Part(
            "split",
            of.split,
            turn=in_parts(of.places, lambda q, n: {"r": q // n} if q % n == 0 else None),
            check=lambda v: sum([v.r] * v.n) == v.q,
            steps=("One of them is {q} / {n} = {r:{item}}.",),
            program="q = q / {n}",
            numbers={"n": range(2, 9)},
            closing=closing,
        ),
    ]


def worlds() -> Iterator[tuple[str, list[Part], list[Part], list[Part]]]:
    for of in QUANTITIES:
        yield of.name, beginnings(of), changes(of), endings(of)

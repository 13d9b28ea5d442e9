"""Stories about lengths, weights and volumes with decimals. Numbers are tenths or hundredths until they are told."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from src.generation.procedural.composed.story import Part, part
from src.generation.procedural.family import Values
from src.generation.procedural.language import decimal

TOPICS = "measure length distance weight decimal mile meter liter add subtract multiply divide total difference"
A_FEW = range(2, 10)


def _of_parts(places: int, turn: Callable[..., Values | None]) -> Callable[..., Values | None]:
    """A turn that reckons in the smallest part of a unit; what it names `n` is a count."""
    unit = 10**places

    def in_units(q: Decimal | None, **numbers: int) -> Values | None:
        found = turn(None if q is None else int(q * unit), **numbers)
        if found is None:
            return None
        return {name: value if name == "n" else decimal(value, places) for name, value in found.items()}

    return in_units


def beginnings(places: int, some: range) -> list[Part]:
    """A length, a weight or a volume with so many decimal places, of the size of `some`."""

    def sums(name: str, unit: str, *wordings: str, step: str) -> Part:
        return part(
            name,
            numbers={"a": some, "b": some},
            words={"item": (unit,)},
            wordings=wordings,
            turn=_of_parts(places, lambda q, a, b: {"x": a, "y": b, "r": a + b}),
            check=lambda v: v.r - v.y == v.x,
            steps=(step + " {x} + {y} = {r:{item}}.",),
            program="q = {x} + {y}",
        )

    def products(name: str, unit: str, *wordings: str, step: str) -> Part:
        return part(
            name,
            numbers={"n": A_FEW, "b": some},
            words={"item": (unit,)},
            wordings=wordings,
            turn=_of_parts(places, lambda q, n, b: {"x": b, "r": n * b}),
            check=lambda v: v.r == sum([v.x] * v.n),
            steps=(step + " {n} * {x} = {r:{item}}.",),
            program="q = {n} * {x}",
        )

    return [
        sums(
            "way",
            "mile",
            "{name} walked {x:{item}} in the morning and {y:{item}} in the evening.",
            "{name} ran {x:{item}} on Monday and {y:{item}} on Wednesday.",
            "From home {name} rode {x:{item}} to the lake and then {y:{item}} to the station.",
            step="The whole way is",
        ),
        sums(
            "weight",
            "pound",
            "{name} bought {x:{item}} of apples and {y:{item}} of pears.",
            "One bag of {name}'s weighs {x:{item}} and another {y:{item}}.",
            "{name} picked {x:{item}} of berries, and {friend} brought {him} {y:{item}} more.",
            step="Together that is",
        ),
        sums(
            "volume",
            "liter",
            "{name} poured {x:{item}} of water and {y:{item}} of juice into a bowl.",
            "A tank holds {x:{item}}. {name} fills in {y:{item}} more.",
            step="There are",
        ),
        sums(
            "rain",
            "inch",
            "It rained {x:{item}} in March and {y:{item}} in April, {name} wrote down.",
            "{name}'s plant was {x:{item}} tall and grew {y:{item}}.",
            "{name} cut off a board of {x:{item}} and one of {y:{item}}.",
            step="In all that is",
        ),
        products(
            "laps",
            "mile",
            "Every day for {n:day} {name} walked {x:{item}}.",
            "{name} ran {n:lap} of {x:{item}} each.",
            step="The whole way is",
        ),
        products(
            "bags",
            "pound",
            "{name} carried {n:bag} of {x:{item}} each.",
            "One box weighs {x:{item}}. {name} has {n:box}.",
            step="Together they weigh",
        ),
        products(
            "cans",
            "liter",
            "{name} bought {n:can} with {x:{item}} in each.",
            "{name} filled {n:bottle} with {x:{item}} each.",
            step="There are",
        ),
    ]


def changes(places: int, some: range) -> list[Part]:
    return [
        part(
            "less",
            numbers={"a": some},
            wordings=(
                "Of that, {x:{item}} did not count.",
                "Then {he} took {x:{item}} away from that.",
                "{friend} got {x:{item}} of it.",
            ),
            turn=_of_parts(places, lambda q, a: {"x": a, "r": q - a} if q - a > 1 else None),
            check=lambda v: v.r + v.x == v.q,
            steps=("That leaves {q} - {x} = {r:{item}}.",),
            program="q = q - {x}",
        ),
        part(
            "more",
            numbers={"a": some},
            wordings=(
                "After that there were {x:{item}} more.",
                "Then another {x:{item}} came to it.",
                "{friend} added {x:{item}} to that.",
            ),
            turn=_of_parts(places, lambda q, a: {"x": a, "r": q + a}),
            check=lambda v: v.r - v.x == v.q,
            steps=("Then it is {q} + {x} = {r:{item}}.",),
            program="q = q + {x}",
        ),
    ]


def endings(places: int, some: range) -> list[Part]:
    return [
        part(
            "in_all",
            wordings=(
                "How many {item:s} is that in all?",
                "What is the total in {item:s}?",
                "How many {item:s} is it?",
            ),
            turn=lambda q: {"r": q},
            check=lambda v: v.r == v.q,
            closing="The answer is {r:{item}}.",
        ),
        part(
            "compared",
            numbers={"a": some},
            wordings=(
                "{friend} has a result of {x:{item}}. How many {item:s} more is it for {name}?",
                "A week ago it was {x:{item}}. How much more is it now?",
            ),
            turn=_of_parts(places, lambda q, a: {"x": a, "r": q - a} if q - a > 1 else None),
            check=lambda v: v.r + v.x == v.q,
            steps=("The difference is {q} - {x} = {r:{item}}.",),
            program="q = q - {x}",
            closing="The answer is {r:{item}}.",
        ),
        part(
            "missing",
            numbers={"a": some},
            wordings=(
                "The goal is {goal:{item}}. How many {item:s} are missing?",
                "{name} wants it to be {goal:{item}}. How much more does {he} need?",
            ),
            turn=_of_parts(places, lambda q, a: {"goal": q + a, "r": a}),
            check=lambda v: v.q + v.r == v.goal,
            steps=("What is missing is {goal} - {q} = {r:{item}}.",),
            program="q = {goal} - q",
            closing="The answer is {r:{item}}.",
        ),
        part(
            "split",
            numbers={"n": range(2, 9)},
            wordings=(
                "It is split into {n} equal parts. How many {item:s} is one part?",
                "{n:friend} do the same share of it each. How many {item:s} is one share?",
            ),
            turn=_of_parts(places, lambda q, n: {"r": q // n} if q % n == 0 else None),
            check=lambda v: sum([v.r] * v.n) == v.q,
            steps=("One part is {q} / {n} = {r:{item}}.",),
            program="q = q / {n}",
            closing="The answer is {r:{item}}.",
        ),
    ]

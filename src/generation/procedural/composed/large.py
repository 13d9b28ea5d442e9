"""Stories with large numbers: what a factory makes, a library holds, a farm grows."""

from __future__ import annotations

from src.generation.procedural.composed.story import Part

TOPICS = "add subtract difference total more fewer thousand large number integer place value"
PLACES = ("factory", "library", "farm", "town", "museum", "company", "warehouse", "stadium")
ITEMS = ("brick", "seat", "book", "egg", "tree", "bottle", "newspaper", "tire", "lamp", "ticket", "map", "potato")
THOUSANDS = range(200, 9_000)


def beginnings() -> list[Part]:
    words = {"item": ITEMS, "place": PLACES}
    return [
        Part(
            "had",
            (
                "A {place} had {a:{item}}.",
                "There are {a:{item}} at the {place}.",
                "Last year the {place} counted {a:{item}}.",
            ),
            turn=lambda q, a: {"r": a},
            check=lambda v: v.r == v.a,
            program="q = {a}",
            numbers={"a": THOUSANDS},
            words=words,
        ),
        Part(
            "two_parts",
            (
                "A {place} got {a:{item}} in spring and {b:more} in fall.",
                "The {place} has {a} old {item:s} and {b} new ones.",
                "The {place} bought {a:{item}} this year and {b} last year.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.b == v.a,
            steps=("In all the {place} has {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
            numbers={"a": THOUSANDS, "b": THOUSANDS},
            words=words,
        ),
    ]


def changes() -> list[Part]:
    return [
        Part(
            "more",
            ("Then {a:more} were brought in.", "After a month it had {a:more} than before.", "It bought {a:more}."),
            turn=lambda q, a: {"r": q + a},
            check=lambda v: v.r - v.a == v.q,
            steps=("Then there are {q} + {a} = {r:{item}}.",),
            program="q = q + {a}",
            numbers={"a": THOUSANDS},
        ),
        Part(
            "less",
            ("Then {a} of them were taken away.", "{a:{item}} were sold.", "A storm ruined {a} of them."),
            turn=lambda q, a: {"r": q - a} if q - a > 1 else None,
            check=lambda v: v.r + v.a == v.q,
            steps=("That leaves {q} - {a} = {r:{item}}.",),
            program="q = q - {a}",
            numbers={"a": THOUSANDS},
        ),
    ]


def endings() -> list[Part]:
    return [
        Part(
            "now",
            ("How many {item:s} does the {place} have now?", "How many {item:s} is that in all?"),
            turn=lambda q: {"r": q},
            check=lambda v: v.r == v.q,
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "missing",
            (
                "The {place} has room for {goal:{item}}. How many more fit in?",
                "The plan is {goal:{item}}. How many are missing?",
            ),
            turn=lambda q, a: {"goal": q + a, "r": a},
            check=lambda v: v.q + v.r == v.goal,
            steps=("What is missing is {goal} - {q} = {r:{item}}.",),
            program="q = {goal} - q",
            numbers={"a": THOUSANDS},
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "compared",
            (
                "Another {place} has {a:{item}}. How many fewer is that?",
                "{name} counted only {a}. By how many was {name} wrong?",
            ),
            turn=lambda q, a: {"r": q - a} if q - a > 1 else None,
            check=lambda v: v.r + v.a == v.q,
            steps=("The difference is {q} - {a} = {r:{item}}.",),
            program="q = q - {a}",
            numbers={"a": THOUSANDS},
            closing="The answer is {r:{item}}.",
        ),
    ]

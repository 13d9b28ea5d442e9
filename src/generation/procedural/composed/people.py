"""Stories about people in a group: who joins, who leaves, what each of them brings."""

from __future__ import annotations

from src.generation.procedural.composed.story import Part
from src.generation.procedural.composed.things import A_FEW, ITEMS, TENS

TOPICS = "add subtract multiply divide each share group team total left children people number integer"
PEOPLE = ("player", "child", "student", "visitor", "worker", "guest", "dancer", "singer", "swimmer", "camper")
PLACES = ("a camp", "a workshop", "a contest", "a picnic", "a festival", "a meeting", "a party", "a show")


def beginnings() -> list[Part]:
    words = {"item": PEOPLE, "place": PLACES, "thing": ITEMS}
    return [
        Part(
            "there_were",
            (
                "There were {a:{item}} at {place}.",
                "{a:{item}} came to {place}.",
                "At {place} {name} counted {a:{item}}.",
            ),
            turn=lambda q, a: {"r": a},
            check=lambda v: v.r == v.a,
            program="q = {a}",
            numbers={"a": TENS},
            words=words,
        ),
        Part(
            "boys_and_girls",
            (
                "{a:girl} and {b:boy} came to {place}.",
                "At {place} there were {a:boy} and {b:girl}.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.a == v.b,
            steps=("There were {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
            numbers={"a": TENS, "b": TENS},
            words={**words, "item": ("child", "student")},
        ),
        Part(
            "twice",
            (
                "{a:{item}} came to {place} in the morning and {b:more} at noon.",
                "On the first day {a:{item}} signed up for {place}, and {b} others on the second.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.b == v.a,
            steps=("There were {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
            numbers={"a": TENS, "b": TENS},
            words=words,
        ),
        Part(
            "in_groups",
            (
                "{a:group} of {b:{item}} came to {place}.",
                "{a:car} brought {b:{item}} each to {place}.",
                "At {place} there were {a:table} with {b:{item}} at each.",
            ),
            turn=lambda q, a, b: {"r": a * b},
            check=lambda v: v.r == sum([v.b] * v.a),
            steps=("There were {a} * {b} = {r:{item}}.",),
            program="q = {a} * {b}",
            numbers={"a": A_FEW, "b": range(2, 12)},
            words=words,
        ),
    ]


def changes() -> list[Part]:
    return [
        Part(
            "left",
            (
                "{a} of them went home.",
                "Then {a} of them left.",
                "{a} of them had to leave early.",
                "{a} of them got sick and left.",
            ),
            turn=lambda q, a: {"r": q - a} if q - a > 1 else None,
            check=lambda v: v.r + v.a == v.q,
            steps=("After that there were {q} - {a} = {r:{item}}.",),
            program="q = q - {a}",
            numbers={"a": TENS},
        ),
        Part(
            "joined",
            ("{a:more} joined them.", "Then {a:more} came.", "Later {a} others arrived."),
            turn=lambda q, a: {"r": q + a},
            check=lambda v: v.r - v.a == v.q,
            steps=("After that there were {q} + {a} = {r:{item}}.",),
            program="q = q + {a}",
            numbers={"a": TENS},
        ),
    ]


def endings() -> list[Part]:
    return [
        Part(
            "now",
            (
                "How many {item:s} are there now?",
                "How many {item:s} were there in the end?",
                "How many {item:s} is that?",
            ),
            turn=lambda q: {"r": q},
            check=lambda v: v.r == v.q,
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "each_has",
            (
                "Everyone who is there now has {a:{thing}}. How many {thing:s} do they have altogether?",
                "{name} gives {a:{thing}} to each {item} who is still there. How many {thing:s} does {he} give away?",
            ),
            turn=lambda q, a: {"r": q * a},
            check=lambda v: v.r / v.a == v.q,
            steps=("For all of them: {q} * {a} = {r:{thing}}.",),
            program="q = q * {a}",
            numbers={"a": range(2, 10)},
            closing="The answer is {r:{thing}}.",
        ),
        Part(
            "each_pays",
            (
                "Everyone who is there in the end pays {a:$}. How many dollars do they pay in all?",
                "A ticket costs {a:dollar}. How many dollars do tickets for all who are there now cost?",
            ),
            turn=lambda q, a: {"r": q * a},
            check=lambda v: v.r / v.a == v.q,
            steps=("They pay {q} * {a} = {r:dollar}.",),
            program="q = q * {a}",
            numbers={"a": range(2, 10)},
            closing="The answer is {r:dollar}.",
        ),
        Part(
            "into_teams",
            (
                "They split into {a:team} of the same size. How many {item:s} are in each team?",
                "They sit down at {a:table}, the same number at each. How many {item:s} sit at one table?",
            ),
            turn=lambda q, a: {"r": q // a} if q % a == 0 and q > a else None,
            check=lambda v: sum([v.r] * v.a) == v.q,
            steps=("In each there are {q} / {a} = {r:{item}}.",),
            program="q = q // {a}",
            numbers={"a": A_FEW},
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "teams_of",
            (
                "They form {team:s} of {a}. How many {team:s} are there?",
                "If a {team} takes {a} of them, how many {team:s} are needed?",
            ),
            turn=lambda q, a: {"r": q // a} if q % a == 0 and q > a else None,
            check=lambda v: v.r * v.a == v.q,
            steps=("That makes {q} / {a} = {r:{team}}.",),
            program="q = q // {a}",
            numbers={"a": A_FEW},
            words={"team": ("team", "group", "row", "table")},
            closing="The answer is {r:{team}}.",
        ),
    ]

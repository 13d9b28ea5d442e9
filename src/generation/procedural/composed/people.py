"""Stories about people in a group: who joins, who leaves, what each of them brings."""

from __future__ import annotations

from src.generation.procedural.composed.story import Part, part
from src.generation.procedural.composed.things import A_FEW, ITEMS, TENS

TOPICS = "add subtract multiply divide each share group team total left children people number integer"
PEOPLE = ("player", "child", "student", "visitor", "worker", "guest", "dancer", "singer", "swimmer", "camper")
PLACES = ("a club", "a camp", "an online game", "a workshop", "a race", "a contest", "a picnic", "a festival")


def beginnings() -> list[Part]:
    words = {"item": PEOPLE, "place": PLACES, "thing": ITEMS}
    return [
        part(
            "there_were",
            numbers={"a": TENS},
            words=words,
            wordings=(
                "There were {a:{item}} in {place}.",
                "{a:{item}} came to {place}.",
                "{a:{item}} had signed up for {place}.",
            ),
            turn=lambda q, a: {"r": a},
            check=lambda v: v.r == v.a,
            program="q = {a}",
        ),
        part(
            "boys_and_girls",
            numbers={"a": TENS, "b": TENS},
            words=words,
            wordings=(
                "There were {a:girl} and {b:boy} among the {item:s} in {place}.",
                "{a:boy} and {b:girl} were the {item:s} in {place}.",
                "{a:{item}} came to {place} in the morning and {b} in the evening.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.a == v.b,
            steps=("There were {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
        ),
        part(
            "in_groups",
            numbers={"a": range(2, 15), "b": range(2, 20)},
            words=words,
            wordings=(
                "{a:group} of {b:{item}} came to {place}.",
                "{a:team} with {b:{item}} each took part in {place}.",
                "{a:car} brought {b:{item}} each to {place}.",
            ),
            turn=lambda q, a, b: {"r": a * b},
            check=lambda v: v.r == sum([v.b] * v.a),
            steps=("There were {a} * {b} = {r:{item}}.",),
            program="q = {a} * {b}",
        ),
    ]


def changes() -> list[Part]:
    return [
        part(
            "left",
            numbers={"a": TENS},
            wordings=(
                "{a} of them went home.",
                "Then {a} of them left.",
                "{a} of them had to stop early.",
                "{a} of them got sick and left.",
            ),
            turn=lambda q, a: {"r": q - a} if q - a > 1 and a > 1 else None,
            check=lambda v: v.r + v.a == v.q,
            steps=("After that there were {q} - {a} = {r:{item}}.",),
            program="q = q - {a}",
        ),
        part(
            "joined",
            numbers={"a": TENS},
            wordings=("{a:more} joined them.", "Then {a:more} came.", "Later {a} others arrived."),
            turn=lambda q, a: {"r": q + a},
            check=lambda v: v.r - v.a == v.q,
            steps=("After that there were {q} + {a} = {r:{item}}.",),
            program="q = q + {a}",
        ),
    ]


def endings() -> list[Part]:
    return [
        part(
            "now",
            wordings=(
                "How many {item:s} are there now?",
                "How many {item:s} is that?",
                "How many {item:s} were there in the end?",
            ),
            turn=lambda q: {"r": q},
            check=lambda v: v.r == v.q,
            closing="The answer is {r:{item}}.",
        ),
        part(
            "each_has",
            numbers={"a": A_FEW},
            wordings=(
                "Each of them has {a:{thing}}. How many {thing:s} do they have altogether?",
                "If each of them then gets {a:{thing}}, how many {thing:s} are needed?",
                "Each of them brought {a:{thing}}. How many {thing:s} is that in all?",
            ),
            turn=lambda q, a: {"r": q * a},
            check=lambda v: v.r / v.a == v.q,
            steps=("Together they have {q} * {a} = {r:{thing}}.",),
            program="q = q * {a}",
            closing="The answer is {r:{thing}}.",
        ),
        part(
            "each_pays",
            numbers={"a": A_FEW},
            wordings=(
                "Each of them paid {a:$}. How many dollars did they pay in all?",
                "A ticket costs {a:dollar}. How much do tickets for all of them cost?",
            ),
            turn=lambda q, a: {"r": q * a},
            check=lambda v: v.r / v.a == v.q,
            steps=("They pay {q} * {a} = {r:dollar}.",),
            program="q = q * {a}",
            closing="The answer is {r:dollar}.",
        ),
        part(
            "into_teams",
            numbers={"a": A_FEW},
            wordings=(
                "They split into {a:team} of the same size. How many {item:s} are in each team?",
                "They sit down at {a:table}, as many at each. How many {item:s} sit at one table?",
            ),
            turn=lambda q, a: {"r": q // a} if q % a == 0 and q > a else None,
            check=lambda v: sum([v.r] * v.a) == v.q,
            steps=("In each there are {q} / {a} = {r:{item}}.",),
            program="q = q // {a}",
            closing="The answer is {r:{item}}.",
        ),
        part(
            "teams_of",
            numbers={"a": A_FEW},
            wordings=(
                "They form teams of {a}. How many teams are there?",
                "If a van takes {a} of them, how many vans are needed?",
                "They sit in rows of {a}. How many rows are filled?",
            ),
            turn=lambda q, a: {"r": q // a} if q % a == 0 and q > a else None,
            check=lambda v: v.r * v.a == v.q,
            steps=("That makes {q} / {a} = {r}.",),
            program="q = q // {a}",
            closing="The answer is {r}.",
        ),
    ]

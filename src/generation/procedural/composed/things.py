"""Stories about things that somebody has: collected, made, bought, given away, shared."""

from __future__ import annotations

from src.generation.procedural.composed.story import Part, part
from src.generation.procedural.family import Values

TOPICS = "add subtract multiply divide total left each share more fewer together number integer group count"
ITEMS = (
    "apple", "sticker", "marble", "book", "card", "pencil", "cookie", "balloon", "shell", "flower", "stamp", "toy",
    "crayon", "cupcake", "peach", "photo", "bead", "coin", "muffin", "egg", "candle", "postcard", "ticket", "seed",
    "piece of candy", "bottle of juice", "comic", "ribbon", "button", "tomato", "plant", "magazine", "sandwich", "pen",
)  # fmt: skip
BOXES = ("box", "bag", "basket", "tray", "pack", "jar", "crate", "shelf", "bin", "album", "drawer")
OTHERS = ("orange", "rock", "notebook", "kite", "eraser", "sock", "feather", "leaf", "lemon", "acorn", "rope", "mug")
A_FEW = range(2, 13)
TENS = range(3, 100)
UP_TO_150 = range(3, 150)
THOUSANDS = range(200, 9_000)


def beginnings(some: range) -> list[Part]:
    """How a story begins, with numbers of the size of `some`."""
    words = {"item": ITEMS}
    return [
        part(
            "had",
            numbers={"a": some},
            words=words,
            wordings=(
                "{name} had {a:{item}}.",
                "{name} started the day with {a:{item}}.",
                "There were {a:{item}} in {name}'s room.",
                "{name} collected {a:{item}}.",
                "{name} brought {a:{item}} to school.",
                "For a party {name} got {a:{item}} ready.",
                "Last summer {name} counted {a:{item}} in {his} collection.",
                "{name} bought {a:{item}} at the market.",
                "{name}'s grandmother gave {him} {a:{item}}.",
                "{name} was preparing {a:{item}} for a sale.",
            ),
            turn=lambda q, a: {"r": a},
            check=lambda v: v.r == v.a,
            program="q = {a}",
        ),
        part(
            "two_kinds",
            numbers={"a": some, "b": some},
            words=words,
            wordings=(
                "{name} had {a} red {item:s} and {b} blue ones.",
                "{name} has {a} small {item:s} and {b} large ones.",
                "{name} found {a:{item}} upstairs and {b:more} downstairs.",
                "{friend} gave {name} {a:{item}}, and {his} sister gave {him} {b:more}.",
                "{name} put {a} old {item:s} and {b} new ones on the table.",
                "{name} has {a:{item}} at home and another {b} in {his} bag.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.a == v.b,
            steps=("{name} has {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
        ),
        part(
            "two_days",
            numbers={"a": some, "b": some},
            words=words,
            wordings=(
                "On Monday {name} made {a:{item}}. On Tuesday {he} made {b:more}.",
                "{name} picked up {a:{item}} in the morning and {b:more} in the afternoon.",
                "Last week {name} collected {a:{item}}, and this week {he} collected {b}.",
                "In May {name} received {a:{item}}. In June {he} received {b:more}.",
                "{name} packed {a:{item}} before lunch and {b:more} after it.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.b == v.a,
            steps=("In both, {name} got {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
        ),
        part(
            "more_than",
            numbers={"a": some, "b": some},
            words=words,
            wordings=(
                "{friend} had {a:{item}}. {name} had {b:more} than {friend}.",
                "{name} has {b:more} {item:s} than {friend}, who has {a}.",
                "{friend} made {a:{item}}, and {name} made {b:more} than that.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.b == v.a,
            steps=("{name} has {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
        ),
        part(
            "fewer_than",
            numbers={"a": some, "b": some},
            words=words,
            wordings=(
                "{friend} had {a:{item}}. {name} had {b} fewer than {friend}.",
                "{name} has {b} fewer {item:s} than {friend}, who has {a}.",
                "{friend} collected {a:{item}}, and {name} collected {b} fewer than that.",
            ),
            turn=lambda q, a, b: {"r": a - b} if a - b > 1 else None,
            check=lambda v: v.r + v.b == v.a,
            steps=("{name} has {a} - {b} = {r:{item}}.",),
            program="q = {a} - {b}",
        ),
    ]


def multiplied() -> list[Part]:
    """Beginnings that multiply: groups, rates, so many times as many."""
    words = {"item": ITEMS, "box": BOXES}
    return [
        part(
            "groups",
            numbers={"a": range(2, 40), "b": range(2, 30)},
            words=words,
            wordings=(
                "{name} had {a:{box}} with {b:{item}} in each.",
                "{name} bought {a:{box}} of {item:s}. Each {box} held {b:{item}}.",
                "{name} filled {a:{box}} with {b:{item}} each.",
                "There were {b:{item}} in every {box}, and {name} had {a:{box}}.",
                "{name} ordered {a:{box}} of {item:s} with {b} in each {box}.",
                "{name} received {a:{box}}. In each {box} there were {b:{item}}.",
            ),
            turn=lambda q, a, b: {"r": a * b},
            check=lambda v: v.r == sum([v.b] * v.a),
            steps=("{name} has {a} * {b} = {r:{item}}.",),
            program="q = {a} * {b}",
        ),
        part(
            "times_as_many",
            numbers={"a": range(2, 60), "b": range(2, 10)},
            words=words,
            wordings=(
                "{friend} had {a:{item}}. {name} had {b} times as many.",
                "{name} has {b} times as many {item:s} as {friend}, who has {a}.",
                "{friend} found {a:{item}}, and {name} found {b} times that number.",
            ),
            turn=lambda q, a, b: {"r": a * b},
            check=lambda v: v.r / v.b == v.a,
            steps=("{name} has {b} * {a} = {r:{item}}.",),
            program="q = {b} * {a}",
        ),
        part(
            "rate",
            numbers={"a": range(2, 40), "b": range(2, 15)},
            words=words,
            wordings=(
                "{name} made {a:{item}} an hour and worked {b:hour}.",
                "{name} got {a:{item}} every day for {b:day}.",
                "For {b:week}, {name} collected {a:{item}} each week.",
                "{name} could pack {a:{item}} a minute. {He} worked for {b:minute}.",
                "Each of {b:friend} gave {name} {a:{item}}.",
            ),
            turn=lambda q, a, b: {"r": a * b},
            check=lambda v: v.r == sum([v.a] * v.b),
            steps=("{name} got {b} * {a} = {r:{item}}.",),
            program="q = {b} * {a}",
        ),
    ]


def changes(some: range) -> list[Part]:
    """What happens to the things, with numbers of the size of `some`."""
    return [
        part(
            "gained",
            numbers={"a": some},
            wordings=(
                "{friend} gave {him} {a:more}.",
                "Then {he} found {a:more}.",
                "Later {he} got {a:more}.",
                "{He} bought another {a} at the store.",
                "For {his} birthday {he} received {a:more}.",
                "After that {he} added {a:more}.",
                "{His} uncle sent {him} {a:more}.",
            ),
            turn=lambda q, a: {"r": q + a},
            check=lambda v: v.r - v.a == v.q,
            steps=("Then {name} has {q} + {a} = {r:{item}}.",),
            program="q = q + {a}",
        ),
        part(
            "lost",
            numbers={"a": some},
            wordings=(
                "{He} gave {a} of them to {friend}.",
                "{He} lost {a} of them on the way.",
                "{a} of them were broken, so {he} threw those away.",
                "{friend} took {a} of them.",
                "{He} sold {a} of them.",
                "{He} used {a} of them.",
                "Then {a} of them fell into the water.",
                "{He} put {a} of them aside for {his} teacher.",
            ),
            turn=lambda q, a: {"r": q - a} if q - a > 1 and a > 1 else None,
            check=lambda v: v.r + v.a == v.q,
            steps=("That leaves {q} - {a} = {r:{item}}.",),
            program="q = q - {a}",
        ),
    ]


def changes_of_groups() -> list[Part]:
    return [
        part(
            "gained_groups",
            numbers={"a": range(2, 15), "b": range(2, 15)},
            words={"way": ("pack", "bag", "set")},
            wordings=(
                "Then {he} bought {a:{way}} with {b:{item}} in each.",
                "{friend} brought {him} {a:{way}} of {b:{item}} each.",
                "{He} got {b:more} each day for {a:day}.",
            ),
            turn=lambda q, a, b: {"r": q + a * b, "more": a * b},
            check=lambda v: v.r - sum([v.b] * v.a) == v.q,
            steps=("What came was {a} * {b} = {more:{item}}.", "Then there are {q} + {more} = {r:{item}}."),
            program="q = q + {a} * {b}",
        ),
        part(
            "lost_groups",
            numbers={"a": range(2, 15), "b": range(2, 15)},
            wordings=(
                "{He} gave {b:{item}} to each of {a:friend}.",
                "{He} sold {b} of them a day for {a:day}.",
                "Each of {a:child} took {b} of them.",
            ),
            turn=lambda q, a, b: {"r": q - a * b, "less": a * b} if q - a * b > 1 else None,
            check=lambda v: v.r + sum([v.b] * v.a) == v.q,
            steps=("What went was {a} * {b} = {less:{item}}.", "That leaves {q} - {less} = {r:{item}}."),
            program="q = q - {a} * {b}",
        ),
        part(
            "half_gone",
            wordings=(
                "{He} gave half of them to {friend}.",
                "Half of them were sold.",
                "Then {he} lost half of what {he} had.",
            ),
            turn=lambda q: {"r": q // 2} if q % 2 == 0 and q > 4 else None,
            check=lambda v: v.r + v.r == v.q,
            steps=("Half of them is {q} / 2 = {r:{item}}.",),
            program="q = q // 2",
        ),
        part(
            "besides",
            numbers={"a": range(2, 60)},
            words={"other": OTHERS},
            wordings=(
                "{He} also had {a:{other}}.",
                "{friend} had {a:{other}}.",
                "There were {a:{other}} there, too.",
                "{He} did all that with {a:friend}.",
            ),
            turn=lambda q, a: {"r": q} if a != q else None,
            check=lambda v: v.r == v.q,
        ),
    ]


def _whole(q: int, a: int) -> Values | None:
    return {"r": q // a} if q % a == 0 and q > a else None


def endings(some: range) -> list[Part]:
    """What is asked that adds or subtracts, with numbers of the size of `some`."""
    return [
        part(
            "now",
            wordings=(
                "How many {item:s} does {name} have now?",
                "How many {item:s} does {name} have in the end?",
                "What is the number of {item:s} that {name} has in all?",
                "How many {item:s} is that altogether?",
            ),
            turn=lambda q: {"r": q},
            check=lambda v: v.r == v.q,
            closing="The answer is {r:{item}}.",
        ),
        part(
            "still_needed",
            numbers={"a": some},
            wordings=(
                "{He} needs {goal:{item}} in all. How many more does {he} need?",
                "How many more {item:s} must {he} get to have {goal}?",
                "{He} wants to have {goal:{item}}. How many are missing?",
            ),
            turn=lambda q, a: {"goal": q + a, "r": a},
            check=lambda v: v.q + v.r == v.goal,
            steps=("{name} still needs {goal} - {q} = {r:{item}}.",),
            program="q = {goal} - q",
            closing="The answer is {r:{item}}.",
        ),
        part(
            "more_than_friend",
            numbers={"a": some},
            wordings=(
                "{friend}'s brother has {a:{item}}. How many more {item:s} does {name} have than he?",
                "A neighbor has {a:{item}}. By how many does {name} have more?",
            ),
            turn=lambda q, a: {"r": q - a} if q - a > 1 and a > 1 else None,
            check=lambda v: v.r + v.a == v.q,
            steps=("The difference is {q} - {a} = {r:{item}}.",),
            program="q = q - {a}",
            closing="The answer is {r:{item}}.",
        ),
        part(
            "together",
            numbers={"a": some},
            wordings=(
                "A neighbor has {a:{item}}. How many {item:s} do {name} and the neighbor have together?",
                "{His} class has {a:{item}}. How many {item:s} are there with those that {name} has?",
            ),
            turn=lambda q, a: {"r": q + a},
            check=lambda v: v.r - v.q == v.a,
            steps=("Together that is {q} + {a} = {r:{item}}.",),
            program="q = q + {a}",
            closing="The answer is {r:{item}}.",
        ),
    ]


def endings_of_groups() -> list[Part]:
    """What is asked that divides or multiplies."""
    return [
        part(
            "shared",
            numbers={"a": A_FEW},
            wordings=(
                "{He} shares them equally among {a:friend}. How many {item:s} does each get?",
                "{He} puts them into {a:box}, as many in each. How many {item:s} are in one box?",
                "If they are split evenly over {a:day}, how many {item:s} is that a day?",
                "{He} lays them out in {a:row} of the same length. How many {item:s} are in each row?",
            ),
            turn=_whole,
            check=lambda v: sum([v.r] * v.a) == v.q,
            steps=("Each time it is {q} / {a} = {r:{item}}.",),
            program="q = q // {a}",
            closing="The answer is {r:{item}}.",
        ),
        part(
            "packed",
            numbers={"a": A_FEW},
            wordings=(
                "{He} puts them into boxes of {a}. How many boxes does {he} need?",
                "If {a:{item}} fit into one box, how many boxes are filled?",
                "{He} makes groups of {a:{item}}. How many groups are there?",
                "How many boxes are needed if each holds {a}?",
            ),
            turn=_whole,
            check=lambda v: v.r * v.a == v.q,
            steps=("That takes {q} / {a} = {r:box}.",),
            program="q = q // {a}",
            closing="The answer is {r:box}.",
        ),
        part(
            "used_up",
            numbers={"a": A_FEW},
            wordings=(
                "{He} uses {a} of them a day. How many days do they last?",
                "If {he} gives away {a} each week, after how many weeks are they all gone?",
            ),
            turn=_whole,
            check=lambda v: v.r * v.a == v.q,
            steps=("They last {q} / {a} = {r} times.",),
            program="q = q // {a}",
            closing="The answer is {r}.",
        ),
        part(
            "sold_for",
            numbers={"a": A_FEW},
            wordings=(
                "{He} sells them for {a:$} each. How many dollars does {he} get?",
                "Each one cost {him} {a:$}. How much did they cost in all?",
                "If each is worth {a:dollar}, how many dollars are they worth together?",
            ),
            turn=lambda q, a: {"r": q * a} if q < 400 else None,
            check=lambda v: v.r / v.a == v.q,
            steps=("That makes {q} * {a} = {r:dollar}.",),
            program="q = q * {a}",
            closing="The answer is {r:dollar}.",
        ),
    ]

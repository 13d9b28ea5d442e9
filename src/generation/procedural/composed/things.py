"""Stories about things that somebody has: collected, bought, given away, shared."""

from __future__ import annotations

from src.generation.procedural.composed.story import Part
from src.generation.procedural.family import Values

TOPICS = "add subtract multiply divide total left each share more fewer together number integer group count"
ITEMS = (
    "apple", "sticker", "marble", "book", "card", "pencil", "cookie", "balloon", "shell", "flower", "stamp", "toy",
    "crayon", "cupcake", "peach", "photo", "bead", "coin", "muffin", "egg", "candle", "postcard", "ticket", "seed",
    "piece of candy", "bottle of juice", "comic", "ribbon", "button", "tomato", "plant", "magazine", "sandwich", "pen",
)  # fmt: skip
OTHERS = (
    "orange", "rock", "notebook", "kite", "eraser", "sock", "feather", "leaf", "lemon", "acorn", "rope", "mug",
    "banana", "carrot", "brownie", "poster", "key", "hat", "game", "pear", "brush", "bracelet", "pin", "rose",
    "cup of milk",
)  # fmt: skip
BOXES = ("box", "bag", "basket", "pack", "crate", "case")
A_FEW = range(2, 13)
TENS = range(3, 100)
UP_TO_150 = range(3, 150)


def beginnings() -> list[Part]:
    """What somebody has at first, for sums and differences."""
    words = {"item": ITEMS}
    return [
        Part(
            "had",
            (
                "{name} had {a:{item}}.",
                "{name} started the day with {a:{item}}.",
                "There were {a:{item}} in {name}'s room, all {his} own.",
                "{name} collected {a:{item}}.",
                "{name} brought {a:{item}} to school.",
                "For a party {name} got {a:{item}} ready.",
                "{name} bought {a:{item}} at the market.",
                "{name}'s grandmother gave {him} {a:{item}}.",
                "{name} has {a:{item}}.",
                "{name} won {a:{item}} at the fair.",
            ),
            turn=lambda q, a: {"r": a},
            check=lambda v: v.r == v.a,
            program="q = {a}",
            numbers={"a": UP_TO_150},
            words=words,
        ),
        Part(
            "two_kinds",
            (
                "{name} had {a} red {item:s} and {b} blue ones.",
                "{name} has {a} small {item:s} and {b} large ones.",
                "{name} found {a:{item}} upstairs and {b:more} downstairs.",
                "One aunt gave {name} {a:{item}}, another gave {him} {b:more}.",
                "{name} put {a} old {item:s} and {b} new ones on {his} table.",
                "{name} has {a:{item}} at home and another {b} in {his} bag.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.a == v.b,
            steps=("{name} has {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
            numbers={"a": TENS, "b": TENS},
            words=words,
        ),
        Part(
            "two_days",
            (
                "On Monday {name} got {a:{item}}. On Tuesday {he} got {b:more}.",
                "{name} picked up {a:{item}} in the morning and {b:more} in the afternoon.",
                "Last week {name} collected {a:{item}}, and this week {he} collected {b}.",
                "In May {name} received {a:{item}}. In June {he} received {b:more}.",
                "{name} packed {a:{item}} before lunch and {b:more} after it.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.b == v.a,
            steps=("In both, {name} got {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
            numbers={"a": TENS, "b": TENS},
            words=words,
        ),
        Part(
            "more_than",
            (
                "{friend} has {a:{item}}. {name} has {b:more} than {friend}.",
                "{name} has {b:more} {item:s} than {friend}, who has {a}.",
                "{friend} got {a:{item}}, and {name} got {b:more} than that.",
                "{friend} has {a:{item}}, which is {b} fewer than {name} has.",
            ),
            turn=lambda q, a, b: {"r": a + b},
            check=lambda v: v.r - v.b == v.a,
            steps=("{name} has {a} + {b} = {r:{item}}.",),
            program="q = {a} + {b}",
            numbers={"a": TENS, "b": TENS},
            words=words,
        ),
        Part(
            "fewer_than",
            (
                "{friend} has {a:{item}}. {name} has {b} fewer than {friend}.",
                "{name} has {b} fewer {item:s} than {friend}, who has {a}.",
                "{friend} collected {a:{item}}, and {name} collected {b} fewer than that.",
                "{friend} has {a:{item}}, which is {b} more than {name} has.",
            ),
            turn=lambda q, a, b: {"r": a - b} if a - b > 1 else None,
            check=lambda v: v.r + v.b == v.a,
            steps=("{name} has {a} - {b} = {r:{item}}.",),
            program="q = {a} - {b}",
            numbers={"a": UP_TO_150, "b": TENS},
            words=words,
        ),
        *two_sorts(),
    ]


def two_sorts() -> list[Part]:
    """Of two sorts that somebody has only one is asked about; which one comes first says nothing."""
    wordings = (
        "{name} has {a:{item}} and {b:{other}}.",
        "{name} has {b:{other}} and {a:{item}}.",
        "{name} bought {b:{other}}, {a:{item}} and a loaf of bread.",
        "{name} put {a:{item}} and {b:{other}} into {his} bag.",
        "{friend} has {b:{other}}. {name} has {a:{item}}.",
        "In {name}'s box there are {b:{other}} and {a:{item}}.",
    )
    return [
        Part(
            name,
            wordings,
            turn=lambda q, a, b: {"r": a} if a != b else None,
            check=lambda v: v.r == v.a,
            program="q = {a}",
            numbers={"a": UP_TO_150, "b": TENS},
            words=words,
        )
        for name, words in (
            ("this_sort", {"item": ITEMS, "other": OTHERS}),
            ("that_sort", {"item": OTHERS, "other": ITEMS}),
        )
    ]


def multiplied() -> list[Part]:
    """Beginnings that multiply: groups, rates, so many times as many."""
    words = {"item": ITEMS}
    boxed = {**words, "box": BOXES}
    return [
        Part(
            "groups",
            (
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
            numbers={"a": A_FEW, "b": range(2, 30)},
            words=boxed,
        ),
        Part(
            "rows",
            (
                "{name} laid out {a:row} of {b:{item}}.",
                "{name}'s {item:s} stand in {a:row} with {b} in each.",
            ),
            turn=lambda q, a, b: {"r": a * b},
            check=lambda v: v.r == sum([v.b] * v.a),
            steps=("{name} has {a} * {b} = {r:{item}}.",),
            program="q = {a} * {b}",
            numbers={"a": A_FEW, "b": range(2, 20)},
            words=words,
        ),
        Part(
            "times_as_many",
            (
                "{friend} has {a:{item}}. {name} has {b} times as many.",
                "{name} has {b} times as many {item:s} as {friend}, who has {a}.",
                "{friend} found {a:{item}}, and {name} found {b} times that number.",
            ),
            turn=lambda q, a, b: {"r": a * b},
            check=lambda v: v.r / v.b == v.a,
            steps=("{name} has {b} * {a} = {r:{item}}.",),
            program="q = {b} * {a}",
            numbers={"a": range(2, 60), "b": range(2, 10)},
            words=words,
        ),
        Part(
            "rate",
            (
                "{name} got {a:{item}} every day for {b:day}.",
                "For {b:week}, {name} collected {a:{item}} each week.",
                "{name} could pack {a:{item}} a minute. {He} packed for {b:minute}.",
                "Each of {b:friend} gave {name} {a:{item}}.",
                "{name} found {a:{item}} at each of {b} places.",
            ),
            turn=lambda q, a, b: {"r": a * b},
            check=lambda v: v.r == sum([v.a] * v.b),
            steps=("{name} got {b} * {a} = {r:{item}}.",),
            program="q = {b} * {a}",
            numbers={"a": range(2, 30), "b": A_FEW},
            words=words,
        ),
    ]


def changes() -> list[Part]:
    """What happens to the things. What comes is named, for two sorts may stand before it, and comes from none of whom a
    story has said how much there is to give."""
    return [
        Part(
            "gained",
            (
                "{name}'s aunt gave {him} {a} more {item:s}.",
                "Then {name} found {a} more {item:s}.",
                "Later {name} got {a} more {item:s}.",
                "{name} bought another {a:{item}} at the store.",
                "For {his} birthday {name} received {a} more {item:s}.",
                "After that {name} added {a} more {item:s}.",
                "{name}'s uncle sent {him} {a} more {item:s}.",
            ),
            turn=lambda q, a: {"r": q + a},
            check=lambda v: v.r - v.a == v.q,
            steps=("Then {name} has {q} + {a} = {r:{item}}.",),
            program="q = q + {a}",
            numbers={"a": TENS},
        ),
        Part(
            "lost",
            (
                "{name} gave {a} {item:s} to {friend}.",
                "{name} lost {a} of {his} {item:s} on the way.",
                "{a} of {name}'s {item:s} were damaged, so {he} threw those away.",
                "{friend} took {a} of {name}'s {item:s}.",
                "{name} sold {a:{item}}.",
                "{name} used {a:{item}}.",
                "{name} put {a} {item:s} aside for {his} teacher, who took them.",
            ),
            turn=lambda q, a: {"r": q - a} if q - a > 1 else None,
            check=lambda v: v.r + v.a == v.q,
            steps=("That leaves {q} - {a} = {r:{item}}.",),
            program="q = q - {a}",
            numbers={"a": TENS},
        ),
        Part(
            "gained_groups",
            (
                "Then {name} bought {a:{way}} with {b:{item}} in each.",
                "{name}'s aunt brought {him} {a:{way}} of {b:{item}} each.",
                "For {a:day}, {name} got another {b:{item}} a day.",
            ),
            turn=lambda q, a, b: {"r": q + a * b, "more": a * b},
            check=lambda v: v.r - sum([v.b] * v.a) == v.q,
            steps=("What came was {a} * {b} = {more:{item}}.", "Then there are {q} + {more} = {r:{item}}."),
            program="q = q + {a} * {b}",
            numbers={"a": A_FEW, "b": range(2, 15)},
            words={"way": ("pack", "bag", "set")},
        ),
        Part(
            "lost_groups",
            (
                "{name} gave {b:{item}} to each of {a:friend}.",
                "{name} sold {b:{item}} a day for {a:day}.",
                "Each of {a:child} took {b} of {name}'s {item:s}.",
            ),
            turn=lambda q, a, b: {"r": q - a * b, "less": a * b} if q - a * b > 1 else None,
            check=lambda v: v.r + sum([v.b] * v.a) == v.q,
            steps=("What went was {a} * {b} = {less:{item}}.", "That leaves {q} - {less} = {r:{item}}."),
            program="q = q - {a} * {b}",
            numbers={"a": A_FEW, "b": range(2, 12)},
        ),
        *(
            Part(
                name,
                (
                    "{name} gave " + share + " of all {his} {item:s} to {friend}.",
                    "Then " + share + " of all {name}'s {item:s} were sold.",
                    "{name} lost " + share + " of all the {item:s} that {he} had.",
                ),
                turn=turn,
                check=check,
                steps=steps,
                program=program,
            )
            for name, share, turn, check, steps, program in (
                (
                    "half_gone",
                    "half",
                    lambda q: {"r": q // 2} if q % 2 == 0 and q > 4 else None,
                    lambda v: v.r + v.r == v.q,
                    ("Half of them is {q} / 2 = {r:{item}}.",),
                    "q = q // 2",
                ),
                (
                    "third_gone",
                    "a third",
                    lambda q: {"gone": q // 3, "r": q - q // 3} if q % 3 == 0 and q > 5 else None,
                    lambda v: 2 * v.q == 3 * v.r,
                    ("A third of them is {q} / 3 = {gone:{item}}.", "That leaves {q} - {gone} = {r:{item}}."),
                    "q = q - q // 3",
                ),
                (
                    "quarter_gone",
                    "a quarter",
                    lambda q: {"gone": q // 4, "r": q - q // 4} if q % 4 == 0 and q > 7 else None,
                    lambda v: 3 * v.q == 4 * v.r,
                    ("A quarter of them is {q} / 4 = {gone:{item}}.", "That leaves {q} - {gone} = {r:{item}}."),
                    "q = q - q // 4",
                ),
            )
        ),
        Part(
            "doubled",
            (
                "Then {name} doubled the number of {his} {item:s}.",
                "{name}'s uncle sent {him} as many {item:s} as {name} had already.",
            ),
            turn=lambda q: {"r": 2 * q},
            check=lambda v: v.r - v.q == v.q,
            steps=("Twice as many is 2 * {q} = {r:{item}}.",),
            program="q = 2 * q",
        ),
        Part(
            "besides",
            (
                "{friend} is {a} years old.",
                "All that took {a:minute}.",
                "{friend} has {a} cousins.",
                "It was {a} degrees warm that day.",
                "{name}'s house has {a:window}.",
                "The shop is {a:mile} away.",
                "There were {a:chair} in the room.",
            ),
            turn=lambda q, a: {"r": q} if a != q else None,
            check=lambda v: v.r == v.q,
            numbers={"a": range(5, 60)},
        ),
    ]


def _whole(q: int, a: int) -> Values | None:
    return {"r": q // a} if q % a == 0 and q > a else None


def endings() -> list[Part]:
    """What is asked."""
    return [
        Part(
            "now",
            (
                "How many {item:s} does {name} have now?",
                "How many {item:s} does {name} have in the end?",
                "What is the number of {item:s} that {name} has?",
                "How many {item:s} does {name} have altogether?",
            ),
            turn=lambda q: {"r": q},
            check=lambda v: v.r == v.q,
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "still_needed",
            (
                "{name} needs {goal:{item}} in all. How many more does {he} need?",
                "How many more {item:s} must {name} get to have {goal}?",
                "{name} wants to have {goal:{item}}. How many are missing?",
            ),
            turn=lambda q, a: {"goal": q + a, "r": a},
            check=lambda v: v.q + v.r == v.goal,
            steps=("{name} still needs {goal} - {q} = {r:{item}}.",),
            program="q = {goal} - q",
            numbers={"a": TENS},
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "more_than_another",
            (
                "A neighbor has {a:{item}}. How many more {item:s} does {name} have than the neighbor?",
                "{name}'s cousin has {a:{item}}. How many fewer {item:s} does the cousin have than {name}?",
                "A classmate has {a:{item}}. "
                "What is the difference between {name}'s {item:s} and those of the classmate?",
            ),
            turn=lambda q, a: {"r": q - a} if q - a > 1 else None,
            check=lambda v: v.r + v.a == v.q,
            steps=("The difference is {q} - {a} = {r:{item}}.",),
            program="q = q - {a}",
            numbers={"a": TENS},
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "fewer_than_another",
            (
                "A neighbor has {other_has:{item}}. How many fewer {item:s} does {name} have than the neighbor?",
                "{name}'s cousin has {other_has:{item}}. How many more {item:s} does the cousin have than {name}?",
            ),
            turn=lambda q, a: {"other_has": q + a, "r": a},
            check=lambda v: v.q + v.r == v.other_has,
            steps=("The difference is {other_has} - {q} = {r:{item}}.",),
            program="q = {other_has} - q",
            numbers={"a": TENS},
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "together",
            (
                "A neighbor has {a:{item}}. How many {item:s} do {name} and the neighbor have together?",
                "{name}'s cousin has {a:{item}}. How many {item:s} do {name} and the cousin have in all?",
            ),
            turn=lambda q, a: {"r": q + a},
            check=lambda v: v.r - v.q == v.a,
            steps=("Together that is {q} + {a} = {r:{item}}.",),
            program="q = q + {a}",
            numbers={"a": TENS},
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "shared",
            (
                "{name} shares all {his} {item:s} equally among {a:friend}. How many {item:s} does each get?",
                "{name} puts {his} {item:s} into {a:box}, the same number in each. How many {item:s} are in one box?",
                "If {name} spreads {his} {item:s} evenly over {a:day}, how many {item:s} is that a day?",
                "{name} lays {his} {item:s} out in {a:row} of the same length. How many {item:s} are in each row?",
            ),
            turn=_whole,
            check=lambda v: sum([v.r] * v.a) == v.q,
            steps=("That is {q} / {a} = {r:{item}} each.",),
            program="q = q // {a}",
            numbers={"a": A_FEW},
            closing="The answer is {r:{item}}.",
        ),
        Part(
            "packed",
            (
                "{name} puts {his} {item:s} into {pack:s} of {a}. How many {pack:s} does {he} need?",
                "If {a:{item}} fit into one {pack}, how many {pack:s} can {name} fill with {his} {item:s}?",
                "{name} makes {pack:s} of {a:{item}} each out of {his} {item:s}. How many {pack:s} are there?",
                "How many {pack:s} does {name} need for {his} {item:s} if each holds {a}?",
            ),
            turn=_whole,
            check=lambda v: v.r * v.a == v.q,
            steps=("That takes {q} / {a} = {r:{pack}}.",),
            program="q = q // {a}",
            numbers={"a": A_FEW},
            words={"pack": ("box", "bag", "basket", "tray", "pile", "bundle")},
            closing="The answer is {r:{pack}}.",
        ),
        Part(
            "used_up",
            (
                "{name} uses {a:{item}} a {time}. How many {time:s} do they last?",
                "If {name} gives away {a:{item}} each {time}, after how many {time:s} are they all gone?",
            ),
            turn=_whole,
            check=lambda v: v.r * v.a == v.q,
            steps=("They last {q} / {a} = {r:{time}}.",),
            program="q = q // {a}",
            numbers={"a": A_FEW},
            words={"time": ("day", "week", "month")},
            closing="The answer is {r:{time}}.",
        ),
        Part(
            "sold_for",
            (
                "{name} sells all {his} {item:s} for {a:$} each. How many dollars does {he} get?",
                "How many dollars are {name}'s {item:s} worth together if one is worth {a:$}?",
                "If each is worth {a:dollar}, how many dollars are all of {name}'s {item:s} worth?",
            ),
            turn=lambda q, a: {"r": q * a} if q < 150 else None,
            check=lambda v: v.r / v.a == v.q,
            steps=("That makes {q} * {a} = {r:dollar}.",),
            program="q = q * {a}",
            numbers={"a": range(2, 10)},
            closing="The answer is {r:dollar}.",
        ),
    ]

"""Grade school, one step: the situations by which children learn what to add, subtract, multiply or divide.

They follow the problem types of cognitively guided instruction (Carpenter et al., Children's Mathematics, 1999): join,
separate, part and whole, compare, each with another thing unknown; equal groups; and numbers that do not matter.
"""

from __future__ import annotations

from src.generation.procedural.family import Values, family

THINGS = ("apple", "book", "balloon", "ticket", "seashell", "flower", "coin", "orange", "photo", "cupcake", "rock")
PLACES = ("drawer", "garden", "library", "classroom", "shop", "park", "kitchen")


@family(
    "grade_school",
    topics="add addition sum plus total together join number integer count",
    numbers={"a": range(3, 200), "b": range(2, 120)},
    words={"item": THINGS, "place": PLACES},
    wordings=(
        "{name} had {a:{item}}. {friend} gave {him} {b:more}. How many {item:s} does {name} have now?",
        "There are {a:{item}} in the {place}. {name} brings {b:more}. How many {item:s} will be there then?",
        "{name} found {a:{item}} and {friend} found {b}. How many {item:s} did they find together?",
        "{name} picked {a:{item}} in the morning and {b:more} in the afternoon. How many was that in total?",
    ),
    steps=("All together there are {a} + {b} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({a} + {b})",
    check=lambda v: v.answer - v.b == v.a,
)
def join(a: int, b: int) -> Values:
    return {"answer": a + b}


@family(
    "grade_school",
    topics="subtract subtraction minus remove take difference left number integer",
    numbers={"a": range(5, 200), "b": range(2, 150)},
    words={"item": THINGS, "place": PLACES},
    wordings=(
        "{name} had {a:{item}} and gave {b} of them to {friend}. How many {item:s} does {name} have left?",
        "There were {a:{item}} in the {place}. {name} took {b} away. How many {item:s} are in the {place} now?",
        "{name} counted {a:{item}}, but {b} of them were lost. How many {item:s} remain?",
    ),
    steps=("What is left is {a} - {b} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({a} - {b})",
    check=lambda v: v.answer + v.b == v.a,
)
def separate(a: int, b: int) -> Values | None:
    return {"answer": a - b} if a - b > 1 else None


@family(
    "grade_school",
    topics="subtract unknown change equation missing difference solve number integer",
    numbers={"a": range(3, 150), "b": range(2, 120)},
    words={"item": THINGS, "place": PLACES},
    wordings=(
        "{name} had {a:{item}}. After {friend} gave {him} some, {he} has {end}. How many did {friend} give {him}?",
        "There were {a:{item}} in the {place}. {name} put some more there, and now there are {end}. "
        "How many {item:s} did {name} add?",
        "{name} needs {end:{item}} and has {a}. How many more {item:s} does {he} need?",
    ),
    steps=("The change is {end} - {a} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({end} - {a})",
    check=lambda v: v.a + v.answer == v.end,
)
def change_unknown(a: int, b: int) -> Values:
    return {"end": a + b, "answer": b}


@family(
    "grade_school",
    topics="unknown start equation inverse before after add number integer",
    numbers={"gone": range(2, 120), "left": range(2, 120)},
    words={"item": THINGS},
    wordings=(
        "{name} had some {item:s}. {He} gave {gone} to {friend} and has {left} left. "
        "How many {item:s} did {name} have at first?",
        "After {name} sold {gone:{item}}, {left} were left. How many {item:s} were there before?",
        "{friend} took {gone:{item}} out of a box, and {left} remain in it. How many were in the box at the start?",
    ),
    steps=("At the start there were {left} + {gone} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({left} + {gone})",
    check=lambda v: v.answer - v.gone == v.left,
)
def start_unknown(gone: int, left: int) -> Values:
    return {"answer": left + gone}


@family(
    "grade_school",
    topics="part whole subset set complement subtract total kinds classes",
    numbers={"whole": range(8, 200), "part": range(3, 150)},
    words={"item": THINGS, "one": ("red", "green", "yellow"), "other": ("blue", "white", "black")},
    wordings=(
        "{name} has {whole:{item}}. {part} of them are {one} and the others are {other}. How many are {other}?",
        "Of the {whole:{item}} on a shelf, {part} are {one}. The rest are {other}. How many {item:s} are {other}?",
    ),
    steps=("The {other} ones are {whole} - {part} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({whole} - {part})",
    check=lambda v: v.part + v.answer == v.whole,
)
def missing_part(whole: int, part: int) -> Values | None:
    return {"answer": whole - part} if whole - part > 1 else None


@family(
    "grade_school",
    topics="compare difference more fewer less greater order inequality distance",
    numbers={"a": range(4, 200), "b": range(2, 180)},
    words={"item": THINGS, "did": ("found", "sold", "carried", "collected")},
    wordings=(
        "{name} has {a:{item}} and {friend} has {b}. How many more {item:s} does {name} have than {friend}?",
        "{friend} {did} {b:{item}}. {name} {did} {a:{item}}. How many fewer did {friend} have than {name}?",
        "A school bought {a:{item}} this year and {b} last year. By how many is this year's number larger?",
    ),
    steps=("The difference is {a} - {b} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({a} - {b})",
    check=lambda v: v.b + v.answer == v.a,
)
def how_many_more(a: int, b: int) -> Values | None:
    return {"answer": a - b} if a - b > 1 else None


@family(
    "grade_school",
    topics="compare more fewer relation unknown reference add subtract",
    numbers={"a": range(5, 150), "more": range(2, 90)},
    words={"item": THINGS},
    wordings=(
        "{name} has {a:{item}}. {friend} has {more:more} than {name}. How many {item:s} does {friend} have?",
        "{name} has {a:{item}}, which is {more} fewer than {friend} has. How many {item:s} does {friend} have?",
        "Last week {name} sold {a:{item}}. This week {he} sold {more:more} than last week. "
        "How many {item:s} did {he} sell this week?",
    ),
    steps=("That is {a} + {more} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({a} + {more})",
    check=lambda v: v.answer - v.more == v.a,
)
def so_many_more(a: int, more: int) -> Values:
    return {"answer": a + more}


@family(
    "grade_school",
    topics="multiply multiplication product times each groups rows array rate",
    numbers={"groups": range(2, 40), "each": range(2, 26)},
    words={"item": THINGS, "group": ("bag", "box", "basket", "shelf", "tray")},
    wordings=(
        "There are {groups:{group}} with {each:{item}} each. How many {item:s} are there in all?",
        "{name} has {groups:{group}}. Each holds {each:{item}}. How many {item:s} does {he} have altogether?",
        "Each of {groups:child} brings {each:{item}}. How many {item:s} do they bring?",
    ),
    steps=("In all there are {groups} * {each} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({groups} * {each})",
    check=lambda v: sum([v.each] * v.groups) == v.answer,
)
def equal_groups(groups: int, each: int) -> Values:
    return {"answer": groups * each}


@family(
    "grade_school",
    topics="multiply price cost rate unit per each hour week pay earn money",
    numbers={"n": range(2, 40), "each": range(2, 30)},
    words={"item": ("ticket", "book", "shirt", "plant", "cake", "lamp")},
    wordings=(
        "{name} buys {n:{item}} at {each:dollar} each. How many dollars does {he} pay?",
        "{name} earns {each:dollar} an hour. How many dollars does {he} earn in {n:hour}?",
        "{name} saves {each:dollar} every week. How many dollars has {he} saved after {n:week}?",
    ),
    steps=("That makes {n} * {each} = {answer:dollar}.",),
    closing="The answer is {answer:dollar}.",
    program="print({n} * {each})",
    check=lambda v: v.answer / v.n == v.each,
)
def so_much_each(n: int, each: int) -> Values:
    return {"answer": n * each}


@family(
    "grade_school",
    topics="divide division share equal groups quotient partition each factor",
    numbers={"groups": range(2, 26), "each": range(2, 40)},
    words={"item": THINGS, "group": ("bag", "box", "basket", "tray")},
    wordings=(
        "{name} puts {total:{item}} into {groups:{group}}, as many in each. How many {item:s} are in each {group}?",
        "{total:{item}} are shared equally by {groups:child}. How many {item:s} does each child get?",
        "It took {name} {groups:day} to use {total:{item}}, the same number every day. How many was that a day?",
    ),
    steps=("Each time it is {total} / {groups} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({total} // {groups})",
    check=lambda v: v.answer * v.groups == v.total,
)
def fair_share(groups: int, each: int) -> Values:
    return {"total": groups * each, "answer": each}


@family(
    "grade_school",
    topics="divide division measure groups size quotient how many times multiple",
    numbers={"groups": range(2, 40), "each": range(2, 26)},
    words={"item": THINGS, "group": ("bag", "box", "basket", "tray")},
    wordings=(
        "{name} has {total:{item}} and puts {each} in each {group}. How many {group:s} does {he} need?",
        "A {group} holds {each:{item}}. How many {group:s} are filled by {total:{item}}?",
        "{name} arranges {total:{item}} with {each} to a {group}. How many {group:s} are there?",
    ),
    steps=("There are {total} / {each} = {answer:{group}}.",),
    closing="The answer is {answer:{group}}.",
    program="print({total} // {each})",
    check=lambda v: sum([v.each] * v.answer) == v.total,
)
def how_many_groups(groups: int, each: int) -> Values:
    return {"total": groups * each, "answer": groups}


@family(
    "grade_school",
    topics="subtract irrelevant information choose relevant data reading difference",
    facts="a c answer",
    numbers={"a": range(5, 120), "b": range(2, 90), "c": range(2, 90)},
    words={"item": ("apple", "pencil", "card", "marble"), "other": ("banana", "ruler", "stamp", "button")},
    wordings=(
        "{name} has {a:{item}} and {b:{other}}. {He} gives {friend} {c} of the {item:s}. "
        "How many {item:s} does {name} have left?",
        "There are {a:{item}} and {b:{other}} in a box. {name} uses up {c:{item}}. How many {item:s} are left?",
        "{friend} bought {b:{other}}. {name} bought {a:{item}} and lost {c} of them. How many {item:s} has {name}?",
    ),
    steps=("Only the {item:s} matter: {a} - {c} = {answer:{item}}.",),
    closing="The answer is {answer:{item}}.",
    program="print({a} - {c})",
    check=lambda v: v.answer + v.c == v.a,
)
def what_matters(a: int, b: int, c: int) -> Values | None:
    return {"answer": a - c} if a - c > 1 else None


@family(
    "grade_school",
    topics="add subtract two steps join separate total change",
    split="unseen",
    numbers={"a": range(6, 120), "b": range(2, 60), "c": range(2, 60)},
    words={"item": THINGS},
    wordings=(
        "A bus has {a:person} on it. {b} get off and {c} get on. How many people are on the bus now?",
        "{name} baked {a:loaf} of bread. {He} sold {b} and baked {c:more}. How many loaves does {he} have now?",
    ),
    steps=("First there are {a} - {b} = {left}.", "Then {left} + {c} = {answer}."),
    closing="The answer is {answer}.",
    program="print({a} - {b} + {c})",
    check=lambda v: v.answer - v.c == v.a - v.b,
)
def off_and_on(a: int, b: int, c: int) -> Values | None:
    return {"left": a - b, "answer": a - b + c} if a - b > 1 else None

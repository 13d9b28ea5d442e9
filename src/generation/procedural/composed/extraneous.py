"""Stories that name more numbers than they need: which ones count, the question says. One that is told like others
needs them all.

Who has read only stories of which every number counts reckons with all that stand there, whatever is asked (Patel et
al. 2021, arXiv 2103.07191). Textbooks call this extraneous information.
"""

from __future__ import annotations

from functools import partial

from src.generation.procedural.composed.story import STAGE
from src.generation.procedural.composed.things import BOXES, ITEMS, OTHERS
from src.generation.procedural.family import Values, family

story = partial(
    family,
    STAGE,
    topics="compare more fewer together left add subtract multiply divide each total needed information number integer",
)
THINGS = "The answer is {answer:{item}}."
SORTS = {"item": ITEMS, "other": OTHERS}
SWAPPED = {"item": OTHERS, "other": ITEMS}
VESSELS = ("plate", "cup", "spoon", "bowl", "jar")
SOME = range(3, 120)
FEW = range(2, 60)


@story(
    numbers={"a": SOME, "b": SOME, "c": FEW, "d": FEW},
    words=SORTS,
    wordings=(
        "{name} had {a:{item}} and {b:{other}}. {He} gave {c:{item}} and {d:{other}} to {friend}. "
        "How many {item:s} does {name} have left?",
        "{name} had {b:{other}} and {a:{item}}. {He} sold {d:{other}} and {c:{item}}. How many {item:s} are left?",
        "In a shop there were {b:{other}} and {a:{item}}. {name} bought {c:{item}} and {d:{other}}. "
        "How many {item:s} are still in the shop?",
        "{name} packed {a:{item}} and {b:{other}}. On the way {he} lost {d:{other}} and {c:{item}}. "
        "How many {item:s} did {he} bring home?",
    ),
    steps=("Of the {item:s} there are {a} - {c} = {answer:{item}}.",),
    closing=THINGS,
    program="print({a} - {c})",
    check=lambda v: v.answer + v.c == v.a,
)
def left_of_one_sort(a: int, b: int, c: int, d: int) -> Values | None:
    return {"answer": a - c} if a - c > 1 and b > d else None


@story(
    numbers={"a": SOME, "b": SOME, "c": FEW, "d": FEW},
    words=SWAPPED,
    wordings=(
        "{name} had {a:{item}} and {b:{other}}. {He} sold {c:{item}} and {d:{other}}. "
        "How many things did {he} sell in all?",
        "{name} has {b:{other}} and {a:{item}}. {He} gives {d:{other}} and {c:{item}} to {friend}. "
        "How many things does {friend} get altogether?",
        "Of {a:{item}} and {b:{other}} in a shop, {name} bought {c:{item}} and {d:{other}}. "
        "How many things did {he} buy?",
    ),
    steps=("Together: {c} + {d} = {answer}.",),
    closing="The answer is {answer}.",
    program="print({c} + {d})",
    check=lambda v: v.answer - v.d == v.c,
)
def gone_of_both_sorts(a: int, b: int, c: int, d: int) -> Values | None:
    return {"answer": c + d} if a - c > 1 and b - d > 1 else None


@story(
    numbers={"a": SOME, "b": SOME, "c": FEW, "d": FEW},
    words=SORTS,
    wordings=(
        "{name} made {a:{item}} and {b:{other}}. {He} sold {c:{item}} and {d:{other}}. "
        "How many more {item:s} than {other:s} did {he} sell?",
        "{friend} had {b:{other}} and {a:{item}} and gave {name} {d:{other}} and {c:{item}}. "
        "How many fewer {other:s} than {item:s} did {name} get?",
    ),
    steps=("The difference is {c} - {d} = {answer}.",),
    closing="The answer is {answer}.",
    program="print({c} - {d})",
    check=lambda v: v.answer + v.d == v.c,
)
def more_gone_of_one_sort(a: int, b: int, c: int, d: int) -> Values | None:
    return {"answer": c - d} if c - d > 1 and a - c > 1 and b - d > 1 else None


@story(
    numbers={"a": SOME, "b": SOME, "c": FEW, "d": FEW},
    words=SORTS,
    wordings=(
        "{name} had {a:{item}} and {b:{other}}. {He} used {c:{item}} and {d:{other}}. "
        "How many more {item:s} than {other:s} are left?",
        "A shop had {b:{other}} and {a:{item}} and sold {d:{other}} and {c:{item}}. "
        "By how many are there more {item:s} than {other:s} now?",
    ),
    steps=(
        "There are {a} - {c} = {x:{item}} and {b} - {d} = {y:{other}} left.",
        "The difference is {x} - {y} = {answer}.",
    ),
    closing="The answer is {answer}.",
    program="print(({a} - {c}) - ({b} - {d}))",
    check=lambda v: v.answer + v.b + v.c == v.a + v.d,
)
def more_left_of_one_sort(a: int, b: int, c: int, d: int) -> Values | None:
    x, y = a - c, b - d
    return {"x": x, "y": y, "answer": x - y} if x - y > 1 and y > 1 else None


@story(
    numbers={"a": SOME, "b": SOME, "c": FEW},
    words=SWAPPED,
    wordings=(
        "{name} has {a:{item}} and {b:{other}}. {friend} gives {him} {c} more {item:s}. "
        "How many {item:s} does {name} have now?",
        "There were {b:{other}} and {a:{item}} on a table. {name} put {c} more {item:s} there. "
        "How many {item:s} are on the table now?",
        "{name} found {a:{item}} before lunch. After lunch {he} found {b:{other}} and {c} more {item:s}. "
        "How many {item:s} did {he} find?",
    ),
    steps=("Of the {item:s} there are {a} + {c} = {answer:{item}}.",),
    closing=THINGS,
    program="print({a} + {c})",
    check=lambda v: v.answer - v.c == v.a,
)
def more_of_one_sort(a: int, b: int, c: int) -> Values:
    return {"answer": a + c}


@story(
    numbers={"a": SOME, "b": SOME, "c": SOME},
    words={**SORTS, "third": VESSELS},
    wordings=(
        "{name} has {a:{item}}, {b:{other}} and {c:{third}}. How many more {item:s} than {third:s} does {he} have?",
        "A shop has {c:{third}}, {b:{other}} and {a:{item}}. How many more {item:s} than {third:s} are there?",
        "{name} bought {b:{other}}, {c:{third}} and {a:{item}}. How many fewer {third:s} than {item:s} did {he} buy?",
    ),
    steps=("The difference is {a} - {c} = {answer}.",),
    closing="The answer is {answer}.",
    program="print({a} - {c})",
    check=lambda v: v.answer + v.c == v.a,
)
def two_of_three_sorts(a: int, b: int, c: int) -> Values | None:
    return {"answer": a - c} if a - c > 1 else None


@story(
    numbers={"a": SOME, "b": SOME, "c": SOME},
    words={"item": ITEMS},
    wordings=(
        "{name} has {a:{item}}, {friend} has {b} and their teacher has {c}. "
        "How many more {item:s} does {name} have than the teacher?",
        "{friend} collected {b:{item}}, {name} collected {a} and a neighbor {c}. "
        "By how many {item:s} is {name} ahead of the neighbor?",
        "On Monday {name} sold {c:{item}}, on Tuesday {b} and on Wednesday {a}. "
        "How many more {item:s} did {he} sell on Wednesday than on Monday?",
        "On Monday {name} sold {a:{item}}, on Tuesday {c} and on Wednesday {b}. "
        "How many more {item:s} did {he} sell on Monday than on Tuesday?",
        "{friend} has {b:{item}}, {name} has {c} and a neighbor has {a}. "
        "How many fewer {item:s} does {name} have than the neighbor?",
    ),
    steps=("The difference is {a} - {c} = {answer:{item}}.",),
    closing=THINGS,
    program="print({a} - {c})",
    check=lambda v: v.answer + v.c == v.a,
)
def two_of_three_compared(a: int, b: int, c: int) -> Values | None:
    return {"answer": a - c} if a - c > 1 else None


@story(
    numbers={"a": SOME, "b": SOME, "c": SOME},
    words={"item": ITEMS},
    wordings=(
        "{name} picked {a:{item}} on Monday, {b} on Tuesday and {c} on Wednesday. "
        "How many {item:s} did {he} pick on Monday and Wednesday together?",
        "{name} has {a:{item}}, {friend} has {b} and their teacher has {c}. "
        "How many {item:s} do {name} and the teacher have together?",
        "There are {a:{item}} in the red box, {c} in the blue one and {b} in the green one. "
        "How many {item:s} are in the red and the blue box?",
        "{friend} found {b:{item}} on Friday. {name} found {a} on Saturday and {c} on Sunday. "
        "How many {item:s} did {name} find?",
    ),
    steps=("Those two: {a} + {c} = {answer:{item}}.",),
    closing=THINGS,
    program="print({a} + {c})",
    check=lambda v: v.answer - v.c == v.a,
)
def two_of_three_together(a: int, b: int, c: int) -> Values:
    return {"answer": a + c}


@story(
    numbers={"boxes": range(2, 15), "each": range(2, 30), "b": SOME},
    words={**SORTS, "box": BOXES},
    wordings=(
        "{name} has {b:{other}}, and {boxes:{box}} with {each:{item}} in each. How many {item:s} does {he} have?",
        "{name} put {each:{item}} into each of {boxes:{box}}. {b:{other}} lie beside them. "
        "How many {item:s} are in the {box:s}?",
        "{friend} has {b:{item}}. {name} has {boxes:{box}} of {each:{item}} each. How many {item:s} does {name} have?",
    ),
    steps=("In the {box:s} there are {boxes} * {each} = {answer:{item}}.",),
    closing=THINGS,
    program="print({boxes} * {each})",
    check=lambda v: v.answer == sum([v.each] * v.boxes),
)
def groups_of_one_sort(boxes: int, each: int, b: int) -> Values:
    return {"answer": boxes * each}


@story(
    numbers={"people": range(2, 13), "each": range(2, 30), "b": SOME},
    words=SORTS,
    wordings=(
        "{name} has {all:{item}} and {b:{other}}. {He} shares the {item:s} equally among {people:friend}. "
        "How many {item:s} does each of them get?",
        "{people:child} found {b:{other}} and {all:{item}}. They share the {item:s} equally. "
        "How many {item:s} are there for each child?",
        "{name} waits {b} minutes for {people:guest}, who get {all:{item}}, the same number for each. "
        "How many {item:s} does a guest get?",
    ),
    steps=("For each there are {all} / {people} = {answer:{item}}.",),
    closing=THINGS,
    program="print({all} // {people})",
    check=lambda v: sum([v.answer] * v.people) == v.all,
)
def share_of_one_sort(people: int, each: int, b: int) -> Values:
    return {"all": people * each, "answer": each}


@story(
    numbers={"left": SOME, "c": FEW, "d": FEW},
    words=SORTS,
    wordings=(
        "{name} gave {c:{item}} and {d:{other}} away and has {left:{item}} left. "
        "How many {item:s} did {he} have at first?",
        "After {name} sold {d:{other}} and {c:{item}}, {left:{item}} are left. How many {item:s} were there before?",
        "{friend} took {c} of {name}'s {item:s} and {d} of {his} {other:s}. Now {name} has {left:{item}}. "
        "How many {item:s} did {name} start with?",
    ),
    steps=("Before that there were {left} + {c} = {answer:{item}}.",),
    closing=THINGS,
    program="print({left} + {c})",
    check=lambda v: v.answer - v.left == v.c,
)
def start_of_one_sort(left: int, c: int, d: int) -> Values:
    return {"answer": left + c}


@story(
    numbers={"n": range(2, 20), "price": range(2, 40), "other": range(50, 400)},
    words={"item": ITEMS},
    wordings=(
        "A shop has {other:{item}}. {name} buys {n} of them for {price:dollar} each. How many dollars is that?",
        "{name} has {other:dollar} and buys {n:{item}} for {price:dollar} each. How many dollars does {he} spend?",
        "{friend} spent {other:dollar}. {name} bought {n:{item}} at {price:dollar} each. "
        "How many dollars did {name} spend?",
    ),
    steps=("That is {n} * {price} = {answer:dollar}.",),
    closing="The answer is {answer:dollar}.",
    program="print({n} * {price})",
    check=lambda v: v.answer == sum([v.price] * v.n) and v.answer < v.other,
)
def spent_of_more(n: int, price: int, other: int) -> Values | None:
    return {"answer": n * price} if n * price < other else None


@story(
    numbers={"hours": range(2, 10), "days": range(2, 15), "wage": range(8, 90)},
    wordings=(
        "{name} worked {hours:hour} a day for {days:day} and earned {all:dollar} in all. How many hours did {he} work?",
        "In {days:day} {name} earned {all:dollar}. {He} worked {hours:hour} each day. How many hours was that in all?",
    ),
    steps=("In all: {days} * {hours} = {answer:hour}.",),
    closing="The answer is {answer:hour}.",
    program="print({days} * {hours})",
    check=lambda v: v.answer == sum([v.hours] * v.days),
)
def hours_beside_a_wage(hours: int, days: int, wage: int) -> Values:
    return {"all": days * wage, "answer": days * hours}


@story(
    numbers={"hours": range(2, 10), "days": range(2, 15), "wage": range(8, 90)},
    wordings=(
        "{name} worked {hours:hour} a day for {days:day} and earned {all:dollar} in all. "
        "How many dollars did {he} earn each day?",
        "In {days:day} {name} earned {all:dollar}, the same every day. {He} worked {hours:hour} a day. "
        "How many dollars was that a day?",
    ),
    steps=("In a day: {all} / {days} = {answer:dollar}.",),
    closing="The answer is {answer:dollar}.",
    program="print({all} // {days})",
    check=lambda v: sum([v.answer] * v.days) == v.all,
)
def wage_beside_hours(hours: int, days: int, wage: int) -> Values:
    return {"all": days * wage, "answer": wage}


@story(
    numbers={"girls": SOME, "boys": SOME, "n": range(2, 12)},
    words={"place": ("a camp", "a contest", "a picnic", "a museum", "a concert")},
    wordings=(
        "{girls:girl}, {boys:boy} and {n:teacher} went to {place}. How many children went?",
        "{n:bus} took {girls:girl} and {boys:boy} to {place}. How many children is that?",
        "{name} and {n} helpers counted {boys:boy} and {girls:girl} at {place}. How many children were there?",
    ),
    steps=("Children: {girls} + {boys} = {answer}.",),
    closing="The answer is {answer}.",
    program="print({girls} + {boys})",
    check=lambda v: v.answer - v.boys == v.girls,
)
def children_beside_others(girls: int, boys: int, n: int) -> Values:
    return {"answer": girls + boys}


@story(
    numbers={"pages": range(40, 400), "read": range(10, 200), "days": range(2, 12)},
    wordings=(
        "{name} has read {read} of the {pages:page} of a book in {days:day}. How many pages are left?",
        "A book of {days:chapter} has {pages:page}. {name} has read {read:page}. How many must {he} still read?",
    ),
    steps=("Left: {pages} - {read} = {answer:page}.",),
    closing="The answer is {answer:page}.",
    program="print({pages} - {read})",
    check=lambda v: v.answer + v.read == v.pages,
)
def pages_left_beside_days(pages: int, read: int, days: int) -> Values | None:
    return {"answer": pages - read} if pages - read > 1 else None

"""Stories of which one part is missing: the end is known and something before it is asked, or one of several."""

from __future__ import annotations

from functools import partial

from src.generation.procedural.composed.story import STAGE
from src.generation.procedural.composed.things import BOXES, ITEMS
from src.generation.procedural.family import Values, family

backwards = partial(
    family,
    STAGE,
    topics="unknown start change equation inverse missing before after add subtract multiply divide number integer",
    closing="The answer is {answer:{item}}.",
)
SOME = range(2, 150)
ITEM = {"item": ITEMS}


@backwards(
    numbers={"lost": SOME, "left": SOME},
    words=ITEM,
    wordings=(
        "{name} had some {item:s}. After {he} lost {lost} of them, {he} had {left} left. How many were there before?",
        "{name} gave {lost:{item}} to {friend}. Now {he} has {left}. How many {item:s} did {name} start with?",
        "{friend} took {lost} of {name}'s {item:s}, and {left} are left. How many were there in the beginning?",
        "After selling {lost:{item}}, {name} still has {left}. How many {item:s} did {he} have at first?",
    ),
    steps=("Before that there were {left} + {lost} = {answer:{item}}.",),
    program="print({left} + {lost})",
    check=lambda v: v.answer - v.lost == v.left,
)
def start_before_a_loss(lost: int, left: int) -> Values:
    return {"answer": left + lost}


@backwards(
    numbers={"start": SOME, "got": SOME},
    words=ITEM,
    wordings=(
        "{name} had some {item:s}. {friend} gave {him} {got:more}, and now {he} has {end}. "
        "How many did {he} have at first?",
        "{name} found {got:{item}}. With those {he} has {end}. How many {item:s} did {he} have before?",
        "Now that {he} bought {got:{item}}, {name} has {end}. How many {item:s} were there before?",
    ),
    steps=("Before that there were {end} - {got} = {answer:{item}}.",),
    program="print({end} - {got})",
    check=lambda v: v.answer + v.got == v.end,
)
def start_before_a_gain(start: int, got: int) -> Values:
    return {"end": start + got, "answer": start}


@backwards(
    numbers={"start": SOME, "got": SOME},
    words=ITEM,
    wordings=(
        "{name} had {start:{item}}. {friend} gave {him} some, and now {he} has {end}. How many did {he} get?",
        "There were {start:{item}} on the table. {name} put more there, and now there are {end}. How many are new?",
        "{name} wants {end:{item}}. {He} has {start}. How many more does {he} need?",
        "This morning {name} counted {start:{item}}, tonight {end}. How many were added in between?",
    ),
    steps=("The change is {end} - {start} = {answer:{item}}.",),
    program="print({end} - {start})",
    check=lambda v: v.start + v.answer == v.end,
)
def gain_between(start: int, got: int) -> Values:
    return {"end": start + got, "answer": got}


@backwards(
    numbers={"lost": SOME, "left": SOME},
    words=ITEM,
    wordings=(
        "{name} had {start:{item}}. {He} gave some to {friend} and has {left} left. How many did {he} give away?",
        "Of {start:{item}}, {left} are left after a day. How many did {name} use?",
        "{name} started with {start:{item}} and ended with {left}. How many {item:s} did {he} lose?",
    ),
    steps=("The change is {start} - {left} = {answer:{item}}.",),
    program="print({start} - {left})",
    check=lambda v: v.start - v.answer == v.left,
)
def loss_between(lost: int, left: int) -> Values:
    return {"start": left + lost, "answer": lost}


@backwards(
    numbers={"a": SOME, "b": SOME},
    words=ITEM,
    wordings=(
        "{name} and {friend} have {all:{item}} together. {name} has {a} of them. How many does {friend} have?",
        "In two bags there are {all:{item}}. {a} of them are in the first. How many {item:s} are in the second?",
        "{name} has {all:{item}}, some red and some blue. {a} are red. How many {item:s} are blue?",
    ),
    steps=("The others are {all} - {a} = {answer:{item}}.",),
    program="print({all} - {a})",
    check=lambda v: v.a + v.answer == v.all,
)
def other_part(a: int, b: int) -> Values:
    return {"all": a + b, "answer": b}


@backwards(
    numbers={"boxes": range(2, 13), "each": range(2, 40)},
    words={**ITEM, "box": BOXES},
    wordings=(
        "{name} has {all:{item}} in {boxes:{box}}, the same number in each. How many are in one {box}?",
        "{boxes:{box}} hold {all:{item}} altogether, the same number each. How many {item:s} are in a {box}?",
        "{name} packed {all:{item}} in {boxes:day}, the same number every day. How many did {he} pack a day?",
    ),
    steps=("In each there are {all} / {boxes} = {answer:{item}}.",),
    program="print({all} // {boxes})",
    check=lambda v: sum([v.answer] * v.boxes) == v.all,
)
def size_of_a_group(boxes: int, each: int) -> Values:
    return {"all": boxes * each, "answer": each}


@backwards(
    numbers={"times": range(2, 13), "b": range(2, 60)},
    words=ITEM,
    wordings=(
        "{name} has {a:{item}}, {times} times as many as {friend}. How many {item:s} does {friend} have?",
        "{name} collected {times} times as many {item:s} as {friend}. {name} collected {a}. "
        "How many {item:s} did {friend} collect?",
    ),
    steps=("{friend} has {a} / {times} = {answer:{item}}.",),
    program="print({a} // {times})",
    check=lambda v: v.answer * v.times == v.a,
)
def once_of_many_times(times: int, b: int) -> Values:
    return {"a": times * b, "answer": b}


@backwards(
    numbers={"more": SOME, "b": SOME},
    words=ITEM,
    wordings=(
        "{name} has {a:{item}}, which is {more} more than {friend} has. How many {item:s} does {friend} have?",
        "{name} sold {a:{item}}. That is {more} more than yesterday. How many {item:s} did {he} sell yesterday?",
    ),
    steps=("That is {a} - {more} = {answer:{item}}.",),
    program="print({a} - {more})",
    check=lambda v: v.answer + v.more == v.a,
)
def other_of_more(more: int, b: int) -> Values:
    return {"a": b + more, "answer": b}


@backwards(
    numbers={"got": SOME, "lost": SOME, "start": SOME},
    words=ITEM,
    wordings=(
        "{name} had some {item:s}. {He} got {got:more} and then lost {lost}. Now {he} has {end}. "
        "How many did {he} have at first?",
        "{friend} gave {name} {got:{item}}. Then {name} used {lost} and had {end} left. "
        "How many did {name} have before {friend} gave {him} any?",
    ),
    steps=("Before the loss: {end} + {lost} = {between}.", "Before that: {between} - {got} = {answer:{item}}."),
    program="print({end} + {lost} - {got})",
    check=lambda v: v.answer + v.got - v.lost == v.end,
)
def start_of_two_changes(got: int, lost: int, start: int) -> Values | None:
    end = start + got - lost
    return {"end": end, "between": end + lost, "answer": start} if end > 1 else None


@backwards(
    numbers={"boxes": range(2, 15), "each": range(2, 30), "rest": range(2, 30)},
    words={**ITEM, "box": BOXES},
    wordings=(
        "{name} has {all:{item}}. {rest} lie on the table, the others in {boxes:{box}}, the same number in each. "
        "How many are in one {box}?",
        "{name} filled {boxes:{box}} with the same number of {item:s} and had {rest} left over. "
        "{He} had {all} in all. How many {item:s} are in each {box}?",
    ),
    steps=("In the {box:s} there are {all} - {rest} = {inside}.", "In each: {inside} / {boxes} = {answer:{item}}."),
    program="print(({all} - {rest}) // {boxes})",
    check=lambda v: sum([v.answer] * v.boxes) + v.rest == v.all,
)
def size_beside_a_rest(boxes: int, each: int, rest: int) -> Values:
    return {"all": boxes * each + rest, "inside": boxes * each, "answer": each}


@backwards(
    numbers={"boxes": range(2, 12), "each": range(2, 30), "got": range(2, 40)},
    words={**ITEM, "box": BOXES},
    wordings=(
        "{name} had some {item:s}. {He} bought {got:more} and shared all among {boxes:friend}, {each} for each. "
        "How many did {he} have at first?",
        "With {got:more} that {friend} gave {him}, {name} could fill {boxes:{box}} with {each:{item}} each. "
        "How many {item:s} did {he} have before?",
    ),
    steps=("In all there were {boxes} * {each} = {all}.", "Before: {all} - {got} = {answer:{item}}."),
    program="print({boxes} * {each} - {got})",
    check=lambda v: v.answer + v.got == sum([v.each] * v.boxes),
)
def start_of_what_was_shared(boxes: int, each: int, got: int) -> Values | None:
    all_ = boxes * each
    return {"all": all_, "answer": all_ - got} if all_ - got > 1 else None


@backwards(
    numbers={"a": SOME, "b": SOME, "c": SOME},
    words=ITEM,
    wordings=(
        "{name} has {a:{item}}, {friend} has {b} and their teacher has {c}. How many {item:s} do they have together?",
        "{name} made {a:{item}} on Friday, {b} on Saturday and {c} on Sunday. How many did {he} make in all?",
        "In three boxes there are {a}, {b} and {c:{item}}. How many {item:s} are there altogether?",
    ),
    steps=("The first two: {a} + {b} = {two}.", "All: {two} + {c} = {answer:{item}}."),
    program="print({a} + {b} + {c})",
    check=lambda v: v.answer - v.c - v.b == v.a,
)
def three_together(a: int, b: int, c: int) -> Values:
    return {"two": a + b, "answer": a + b + c}


@backwards(
    numbers={"a": range(2, 20), "n": range(2, 15), "b": range(2, 20), "m": range(2, 15)},
    words={**ITEM, "box": BOXES},
    wordings=(
        "{name} has {n:{box}} with {a:{item}} each, and {friend} has {m} with {b} each. "
        "How many {item:s} do they have together?",
        "A shop sold {n:{box}} of {a:{item}} and {m:{box}} of {b}. How many {item:s} is that in all?",
    ),
    steps=("{n} * {a} = {x}, and {m} * {b} = {y}.", "Together: {x} + {y} = {answer:{item}}."),
    program="print({n} * {a} + {m} * {b})",
    check=lambda v: v.answer - sum([v.b] * v.m) == v.a * v.n,
)
def two_kinds_of_groups(a: int, n: int, b: int, m: int) -> Values:
    return {"x": n * a, "y": m * b, "answer": n * a + m * b}


@backwards(
    numbers={"a": range(2, 20), "n": range(3, 20), "b": range(2, 20)},
    words={**ITEM, "box": BOXES},
    wordings=(
        "{name} gets {a:{item}} a day and {friend} gets {b}. How many more {item:s} does {name} have after {n:day}?",
        "{name}'s {box:s} hold {a:{item}} each, {friend}'s {b}. Both have {n:{box}}. "
        "How many more {item:s} does {name} have?",
    ),
    steps=("Each time it is {a} - {b} = {d} more.", "In all: {n} * {d} = {answer:{item}}."),
    program="print({n} * ({a} - {b}))",
    check=lambda v: v.answer + v.n * v.b == v.n * v.a,
)
def difference_of_groups(a: int, n: int, b: int) -> Values | None:
    return {"d": a - b, "answer": n * (a - b)} if a - b > 1 else None

"""Units, time, money, lengths and areas."""

from __future__ import annotations

from functools import partial

from src.generation.procedural.family import Values, family

skill = partial(family, "reading", split="reading")

UNITS = (
    ("hours", "minutes", 60),
    ("minutes", "seconds", 60),
    ("weeks", "days", 7),
    ("days", "hours", 24),
    ("dollars", "cents", 100),
    ("meters", "cm", 100),
    ("dozens", "eggs", 12),
    ("years", "months", 12),
)


@skill(
    topics="unit convert minutes hours days cents meters",
    numbers={"unit": range(len(UNITS)), "n": range(2, 25), "more": range(1, 50)},
    wordings=(
        "How many {small} are {n} {large} and {more} {small}?",
        "Turn {n} {large} and {more} {small} into {small}.",
    ),
    steps=("{n} * {factor} = {p}.", "{p} + {more} = {answer}."),
    closing="That is {answer} {small}.",
    program="print({n} * {factor} + {more})",
    check=lambda v: divmod(v.answer - v.more, v.factor) == (v.n, 0),
)
def into_smaller_units(unit: int, n: int, more: int) -> Values | None:
    large, small, factor = UNITS[unit]
    if more >= factor:
        return None
    return {"large": large, "small": small, "factor": factor, "p": n * factor, "answer": n * factor + more}


@skill(
    topics="unit convert minutes hours days rest",
    numbers={"unit": range(len(UNITS)), "n": range(2, 25), "more": range(1, 50)},
    wordings=("How many whole {large} are in {total} {small}?", "{total} {small} make how many full {large}?"),
    steps=("{total} = {n} * {factor} + {more}.",),
    closing="That is {answer} {large}.",
    program="print({total} // {factor})",
    check=lambda v: v.answer * v.factor <= v.total < (v.answer + 1) * v.factor,
)
def into_larger_units(unit: int, n: int, more: int) -> Values | None:
    large, small, factor = UNITS[unit]
    if more >= factor:
        return None
    return {"large": large, "small": small, "factor": factor, "total": n * factor + more, "answer": n}


@skill(
    topics="perimeter square side around length",
    numbers={"side": range(3, 80)},
    words={"shape": ("square field", "square tile", "square garden")},
    wordings=(
        "A {shape} has sides of {side} m. How long is its edge all around?",
        "Walk once around a {shape} with side {side} m. How many m is that?",
    ),
    steps=("4 * {side} = {answer}.",),
    closing="It is {answer} m.",
    program="print(4 * {side})",
    check=lambda v: sum([v.side] * 4) == v.answer,
)
def around_a_square(side: int) -> Values:
    return {"answer": 4 * side}


@skill(
    topics="area triangle half base height",
    numbers={"base": range(2, 41), "height": range(2, 31)},
    wordings=(
        "A triangle has base {base} cm and height {height} cm. What is its area in square cm?",
        "Find the area of a triangle that is {base} cm wide and {height} cm high.",
    ),
    steps=("{base} * {height} = {p}.", "{p} / 2 = {answer}."),
    closing="The area is {answer} square cm.",
    program="print({base} * {height} // 2)",
    check=lambda v: 2 * v.answer == v.base * v.height,
)
def area_of_a_triangle(base: int, height: int) -> Values | None:
    return {"p": base * height, "answer": base * height // 2} if base * height % 2 == 0 else None


@skill(
    topics="area side rectangle length width missing",
    numbers={"side": range(2, 41), "other": range(2, 31)},
    wordings=(
        "A rectangle of {side} m by some width has an area of {area} square m. How wide is it?",
        "A room is {side} m long and covers {area} square m. What is its width in m?",
    ),
    steps=("{area} / {side} = {answer}.",),
    closing="It is {answer} m wide.",
    program="print({area} // {side})",
    check=lambda v: v.answer * v.side == v.area,
)
def missing_side(side: int, other: int) -> Values:
    return {"area": side * other, "answer": other}


@skill(
    topics="speed distance time hours journey",
    numbers={"v": range(4, 100), "t": range(2, 12)},
    words={"who": ("train", "bus", "cyclist", "boat")},
    wordings=(
        "A {who} goes {v} km in every hour. How far does it get in {t:hour}?",
        "At {v} km an hour, how many km does a {who} make in {t:hour}?",
    ),
    steps=("{t} * {v} = {answer}.",),
    closing="It is {answer:km}.",
    program="print({t} * {v})",
    check=lambda v: sum([v.v] * v.t) == v.answer,
)
def way_of_a_journey(v: int, t: int) -> Values:
    return {"answer": v * t}


@skill(
    topics="money coins cents change",
    numbers={"price": range(15, 96), "n": range(2, 9)},
    words={"item": ("stamp", "roll", "sweet", "postcard")},
    wordings=(
        "One {item} costs {price} cents. How many cents do {n} of them cost?",
        "{name} buys {n:{item}} for {price} cents apiece. How many cents is that?",
    ),
    steps=("{n} * {price} = {answer}.",),
    closing="It is {answer} cents.",
    program="print({n} * {price})",
    check=lambda v: sum([v.price] * v.n) == v.answer,
)
def cents_for_some(price: int, n: int) -> Values:
    return {"answer": n * price}


@skill(
    topics="age years older younger",
    numbers={"age": range(4, 60), "more": range(2, 30), "later": range(2, 25)},
    wordings=(
        "{name} is {age} years old. {friend} is {more} years older. How old will {friend} be in {later} years?",
        "{friend} is {more} years older than {name}, who is {age}. What will be {friend}'s age after {later} years?",
    ),
    steps=("Today {friend} is {age} + {more} = {now}.", "In {later} years: {now} + {later} = {answer}."),
    closing="The age is {answer}.",
    program="print({age} + {more} + {later})",
    check=lambda v: v.answer - v.later - v.more == v.age,
)
def age_later(age: int, more: int, later: int) -> Values:
    return {"now": age + more, "answer": age + more + later}

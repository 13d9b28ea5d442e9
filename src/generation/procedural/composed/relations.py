"""Stories about two quantities at once: compared, exchanged, earned and spent; and about what is left of a whole."""

from __future__ import annotations

from functools import partial

from src.generation.procedural.composed.story import STAGE
from src.generation.procedural.composed.things import ITEMS
from src.generation.procedural.family import Values, family
from src.generation.procedural.language import decimal

story = partial(
    family,
    STAGE,
    topics="compare more fewer together difference multiply divide rate remainder fraction number integer",
)
THINGS = "The answer is {answer:{item}}."
DOLLARS = "The answer is {answer:dollar}."
ITEM = {"item": ITEMS}
SOME = range(3, 100)
A_FEW = range(2, 13)


@story(
    numbers={"a": SOME, "more": SOME},
    words=ITEM,
    wordings=(
        "{name} has {a:{item}}. {friend} has {more:more} than {name}. How many {item:s} do they have together?",
        "{friend} collected {more:more} {item:s} than {name}, who collected {a}. How many did both collect in all?",
        "On Monday {name} sold {a:{item}}, and on Tuesday {more:more} than on Monday. "
        "How many {item:s} did {he} sell on both days?",
    ),
    steps=("The other number is {a} + {more} = {b}.", "Together: {a} + {b} = {answer:{item}}."),
    closing=THINGS,
    program="print({a} + {a} + {more})",
    check=lambda v: v.answer - v.more == 2 * v.a,
)
def sum_with_more(a: int, more: int) -> Values:
    return {"b": a + more, "answer": 2 * a + more}


@story(
    numbers={"a": SOME, "fewer": SOME},
    words=ITEM,
    wordings=(
        "{name} has {a:{item}}. {friend} has {fewer} fewer than {name}. How many {item:s} do they have together?",
        "{friend} found {fewer} fewer {item:s} than {name}, who found {a}. How many did both find in all?",
        "In May {name} got {a:{item}}, and in June {fewer} fewer than in May. How many {item:s} is that in all?",
    ),
    steps=("The other number is {a} - {fewer} = {b}.", "Together: {a} + {b} = {answer:{item}}."),
    closing=THINGS,
    program="print({a} + {a} - {fewer})",
    check=lambda v: v.answer + v.fewer == 2 * v.a,
)
def sum_with_fewer(a: int, fewer: int) -> Values | None:
    return {"b": a - fewer, "answer": 2 * a - fewer} if a - fewer > 1 else None


@story(
    numbers={"a": range(3, 60), "times": range(2, 8)},
    words=ITEM,
    wordings=(
        "{name} has {a:{item}}. {friend} has {times} times as many. How many {item:s} do they have together?",
        "{friend} made {times} times as many {item:s} as {name}, who made {a}. How many did both make in all?",
    ),
    steps=("{friend} has {times} * {a} = {b}.", "Together: {a} + {b} = {answer:{item}}."),
    closing=THINGS,
    program="print({a} + {times} * {a})",
    check=lambda v: v.answer == sum([v.a] * (v.times + 1)),
)
def sum_with_times(a: int, times: int) -> Values:
    return {"b": times * a, "answer": a + times * a}


@story(
    numbers={"a": range(3, 60), "times": range(2, 8)},
    words=ITEM,
    wordings=(
        "{name} has {a:{item}}. {friend} has {times} times as many. How many more {item:s} does {friend} have?",
        "{friend} has {times} times as many {item:s} as {name}. {name} has {a}. "
        "How many fewer {item:s} does {name} have than {friend}?",
    ),
    steps=("{friend} has {times} * {a} = {b}.", "The difference is {b} - {a} = {answer:{item}}."),
    closing=THINGS,
    program="print({times} * {a} - {a})",
    check=lambda v: v.answer == sum([v.a] * (v.times - 1)),
)
def more_than_once(a: int, times: int) -> Values:
    return {"b": times * a, "answer": times * a - a}


@story(
    numbers={"a": range(10, 100), "b": SOME, "c": range(2, 60)},
    words=ITEM,
    wordings=(
        "{name} has {a:{item}} and {friend} has {b}. {name} gives {c} of them to {friend}. "
        "How many {item:s} does {friend} have now?",
        "{friend} has {b:{item}}. {name}, who has {a}, gives {c} to {friend}. How many does {friend} have then?",
    ),
    steps=("{friend} has {b} + {c} = {answer:{item}}.",),
    closing=THINGS,
    program="print({b} + {c})",
    check=lambda v: v.answer - v.c == v.b and v.c < v.a,
)
def who_was_given_to(a: int, b: int, c: int) -> Values | None:
    return {"answer": b + c} if c < a else None


@story(
    numbers={"a": range(10, 100), "b": SOME, "c": range(2, 60)},
    words=ITEM,
    wordings=(
        "{name} has {a:{item}} and {friend} has {b}. {name} gives {c} of them to {friend}. "
        "How many {item:s} does {name} have left?",
        "{friend} has {b:{item}}. {name} had {a} and gave {c} to {friend}. How many {item:s} does {name} still have?",
    ),
    steps=("{name} has {a} - {c} = {answer:{item}}.",),
    closing=THINGS,
    program="print({a} - {c})",
    check=lambda v: v.answer + v.c == v.a,
)
def who_gave(a: int, b: int, c: int) -> Values | None:
    return {"answer": a - c} if a - c > 1 else None


@story(
    numbers={"a": SOME, "b": SOME, "c": SOME, "d": SOME},
    words=ITEM,
    wordings=(
        "{name} had {a:{item}} and got {c:more}. {friend} had {b} and got {d:more}. "
        "How many more {item:s} does {name} have than {friend}?",
        "{name} picked {a:{item}} on Saturday and {c} on Sunday. {friend} picked {b} and {d}. "
        "By how many {item:s} is {name} ahead?",
    ),
    steps=("{name}: {a} + {c} = {x}. {friend}: {b} + {d} = {y}.", "The difference is {x} - {y} = {answer:{item}}."),
    closing=THINGS,
    program="print({a} + {c} - {b} - {d})",
    check=lambda v: v.answer + v.b + v.d == v.a + v.c,
)
def difference_of_sums(a: int, b: int, c: int, d: int) -> Values | None:
    x, y = a + c, b + d
    return {"x": x, "y": y, "answer": x - y} if x - y > 1 else None


@story(
    numbers={"n": A_FEW, "p": range(2, 20), "m": A_FEW, "s": range(2, 20)},
    words={"item": ("ticket", "shirt", "book", "plant", "toy"), "other": ("drink", "poster", "pen", "pie", "cap")},
    wordings=(
        "{name} bought {n:{item}} for {p:$} each and {m:{other}} for {s:$} each. How many dollars did {he} pay?",
        "One {item} costs {p:dollar} and one {other} {s}. What do {n:{item}} and {m:{other}} cost together in dollars?",
    ),
    steps=("{n} * {p} = {x}, and {m} * {s} = {y}.", "Together: {x} + {y} = {answer:dollar}."),
    closing=DOLLARS,
    program="print({n} * {p} + {m} * {s})",
    check=lambda v: v.answer - sum([v.s] * v.m) == v.p * v.n,
)
def two_prices(n: int, p: int, m: int, s: int) -> Values:
    return {"x": n * p, "y": m * s, "answer": n * p + m * s}


@story(
    numbers={"n": A_FEW, "p": range(5, 30), "cost": range(5, 90)},
    words={
        "job": ("washes cars", "walks dogs", "mows lawns", "cleans rooms"),
        "thing": ("soap", "tools", "bus tickets"),
    },
    wordings=(
        "{name} {job} for {p:$} an hour and works {n:hour}. {He} spends {cost:$} on {thing}. "
        "How many dollars does {he} keep?",
        "For {n:hour} {name} {job} at {p:dollar} an hour. The {thing} cost {cost:dollar}. How many dollars are left?",
    ),
    steps=("{name} earns {n} * {p} = {x:dollar}.", "{He} keeps {x} - {cost} = {answer:dollar}."),
    closing=DOLLARS,
    program="print({n} * {p} - {cost})",
    check=lambda v: v.answer + v.cost == sum([v.p] * v.n),
)
def earned_less_spent(n: int, p: int, cost: int) -> Values | None:
    return {"x": n * p, "answer": n * p - cost} if n * p - cost > 1 else None


@story(
    numbers={"n": A_FEW, "unit": range(2, 20), "m": A_FEW},
    words={"item": ("notebook", "ticket", "plant", "pound of nuts", "cup", "meter of cloth")},
    wordings=(
        "{n:{item}} cost {cost:dollar}. How many dollars do {m:{item}} cost?",
        "{name} paid {cost:$} for {n:{item}}. How much would {m:{item}} cost at the same price?",
    ),
    steps=("One costs {cost} / {n} = {unit:dollar}.", "So {m} cost {m} * {unit} = {answer:dollar}."),
    closing=DOLLARS,
    program="print({cost} // {n} * {m})",
    check=lambda v: v.answer * v.n == v.cost * v.m,
)
def cost_of_others(n: int, unit: int, m: int) -> Values | None:
    return {"cost": n * unit, "answer": m * unit} if n != m else None


@story(
    numbers={"price": range(2, 15), "n": range(2, 30), "rest": range(1, 14)},
    words={"item": ("pen", "ticket", "apple", "card", "cookie", "stamp")},
    wordings=(
        "{name} has {money:$}. One {item} costs {price:$}. How many {item:s} can {he} buy?",
        "How many {item:s} at {price:dollar} each can {name} buy for {money:dollar}?",
    ),
    steps=("{price} divides {money} - {rest} = {spent}.", "{spent} / {price} = {answer}."),
    closing=THINGS,
    program="print({money} // {price})",
    check=lambda v: v.answer * v.price <= v.money < (v.answer + 1) * v.price,
)
def how_many_for_the_money(price: int, n: int, rest: int) -> Values | None:
    return {"money": n * price + rest, "spent": n * price, "answer": n} if rest < price else None


@story(
    numbers={"each": range(3, 15), "full": range(2, 20), "rest": range(1, 14)},
    words={"item": ITEMS, "box": ("box", "bag", "tray", "basket")},
    wordings=(
        "{name} has {all:{item}} and puts {each} into each {box}. How many {item:s} are left over?",
        "{all:{item}} are packed into {box:s} of {each}. How many are left when no more {box:s} can be filled?",
    ),
    steps=("{full} * {each} = {packed}, and there are too few for more.", "{all} - {packed} = {answer:{item}}."),
    closing=THINGS,
    program="print({all} % {each})",
    check=lambda v: (v.all - v.answer) % v.each == 0 and v.answer < v.each,
)
def left_over(each: int, full: int, rest: int) -> Values | None:
    return {"all": full * each + rest, "packed": full * each, "answer": rest} if rest < each else None


@story(
    numbers={"each": range(3, 15), "full": range(2, 20), "rest": range(1, 14)},
    words={"item": ("child", "student", "guest", "player"), "car": ("van", "car", "boat", "bus")},
    wordings=(
        "{all:{item}} go on a trip. One {car} takes {each} of them. How many {car:s} are needed?",
        "A {car} has {each} seats. How many {car:s} must {name} order for {all:{item}}?",
    ),
    steps=("{full} full ones take {full} * {each} = {taken}.", "For the other {rest} it takes {full} + 1 = {answer}."),
    closing="The answer is {answer:{car}}.",
    program="print(-(-{all} // {each}))",
    check=lambda v: (v.answer - 1) * v.each < v.all <= v.answer * v.each,
)
def one_more_for_the_rest(each: int, full: int, rest: int) -> Values | None:
    return {"all": full * each + rest, "taken": full * each, "answer": full + 1} if rest < each else None


@story(
    numbers={"unit": range(2, 30), "part": range(2, 9)},
    words=ITEM,
    wordings=(
        "{name} had {all:{item}} and gave one {part:th} of them to {friend}. How many {item:s} does {name} have left?",
        "One {part:th} of {name}'s {all:{item}} are red. How many {item:s} are not red?",
    ),
    steps=("One {part:th} is {all} / {part} = {unit}.", "The rest is {all} - {unit} = {answer:{item}}."),
    closing=THINGS,
    program="print({all} - {all} // {part})",
    check=lambda v: v.answer * v.part == v.all * (v.part - 1),
)
def without_a_part(unit: int, part: int) -> Values | None:
    return {"all": unit * part, "answer": unit * (part - 1)} if part > 3 else None


@story(
    numbers={"a": range(2, 15), "days": range(2, 8), "weeks": range(2, 9)},
    words={"item": ("page", "mile", "exercise", "song", "letter")},
    wordings=(
        "{name} does {a:{item}} a day on {days} days a week. How many {item:s} is that in {weeks:week}?",
        "For {weeks:week}, {name} does {a:{item}} on each of {days} days a week. How many {item:s} in all?",
    ),
    steps=("In a week: {days} * {a} = {week:{item}}.", "In all: {weeks} * {week} = {answer:{item}}."),
    closing=THINGS,
    program="print({a} * {days} * {weeks})",
    check=lambda v: v.answer // v.weeks // v.days == v.a and v.answer == v.a * v.days * v.weeks,
)
def days_and_weeks(a: int, days: int, weeks: int) -> Values:
    return {"week": days * a, "answer": weeks * days * a}


@story(
    numbers={"dozens": A_FEW, "used": range(2, 60)},
    words={"item": ("egg", "roll", "rose", "cookie", "muffin")},
    wordings=(
        "{name} buys {dozens:dozen} {item:s}. {He} uses {used} of them. How many {item:s} are left?",
        "A baker has {dozens:dozen} {item:s} and sells {used}. How many {item:s} remain?",
    ),
    steps=("A dozen is 12: {dozens} * 12 = {all:{item}}.", "Left: {all} - {used} = {answer:{item}}."),
    closing=THINGS,
    program="print({dozens} * 12 - {used})",
    check=lambda v: v.answer + v.used == sum([12] * v.dozens),
)
def dozens_less_some(dozens: int, used: int) -> Values | None:
    return {"all": 12 * dozens, "answer": 12 * dozens - used} if 12 * dozens - used > 1 else None


@story(
    numbers={"age": range(5, 40), "older": range(2, 30), "years": range(2, 20)},
    wordings=(
        "{name} is {age} years old. {friend} is {older} years older. How old will {friend} be in {years:year}?",
        "{friend} is {older} years older than {name}, who is {age}. How old is {friend} {years:year} from now?",
    ),
    steps=("{friend} is {age} + {older} = {now}.", "Then {friend} is {now} + {years} = {answer}."),
    closing="The answer is {answer}.",
    program="print({age} + {older} + {years})",
    check=lambda v: v.answer - v.years - v.older == v.age,
)
def age_in_years(age: int, older: int, years: int) -> Values:
    return {"now": age + older, "answer": age + older + years}


@story(
    numbers={"a": range(3, 40), "b": range(3, 40)},
    words={"place": ("garden", "field", "park", "yard", "playground")},
    wordings=(
        "A {place} is {a:meter} long and {b:meter} wide. What is its perimeter in meters?",
        "{name} puts a fence around a {place} of {a} by {b} meters. How many meters of fence is that?",
    ),
    steps=("{a} + {b} = {half}.", "2 * {half} = {answer} meters."),
    closing="The answer is {answer:meter}.",
    program="print(2 * ({a} + {b}))",
    check=lambda v: v.a + v.b + v.a + v.b == v.answer,
)
def way_around(a: int, b: int) -> Values | None:
    return {"half": a + b, "answer": 2 * (a + b)} if a > b else None


@story(
    numbers={"a": range(3, 90), "b": range(3, 90), "c": range(3, 90)},
    words={"what": ("points", "pages", "cars", "visitors", "birds")},
    wordings=(
        "{name} counted {a}, {b} and {c} {what} on three days. What is the average a day?",
        "The numbers of {what} were {a}, {b} and {c}. What is their mean?",
    ),
    steps=("The sum is {a} + {b} + {c} = {all}.", "The average is {all} / 3 = {answer}."),
    closing="The answer is {answer}.",
    program="print(({a} + {b} + {c}) // 3)",
    check=lambda v: v.answer - v.a + v.answer - v.b + v.answer - v.c == 0,
)
def average_of_three(a: int, b: int, c: int) -> Values | None:
    return {"all": a + b + c, "answer": (a + b + c) // 3} if (a + b + c) % 3 == 0 else None


@story(
    numbers={"rows": A_FEW, "each": range(3, 15), "off": range(2, 40)},
    words={"item": ("seat", "tree", "plant", "desk", "car")},
    wordings=(
        "There are {rows:row} of {each:{item}}. {off} of them are taken. How many {item:s} are free?",
        "{name} sets up {rows:row} with {each:{item}} each and takes {off} away again. How many {item:s} stay?",
    ),
    steps=("In all there are {rows} * {each} = {all:{item}}.", "That leaves {all} - {off} = {answer:{item}}."),
    closing=THINGS,
    program="print({rows} * {each} - {off})",
    check=lambda v: v.answer + v.off == sum([v.each] * v.rows),
)
def rows_less_some(rows: int, each: int, off: int) -> Values | None:
    return {"all": rows * each, "answer": rows * each - off} if rows * each - off > 1 else None


@story(
    numbers={"speed": range(2, 70), "hours": range(2, 10), "more": range(2, 60)},
    words={"how": ("drives", "rides", "sails")},
    wordings=(
        "{name} {how} {speed:mile} an hour for {hours:hour} and then another {more:mile}. How many miles is that?",
        "For {hours:hour} {name} {how} at {speed:mile} an hour. {He} has {more:mile} left. How long is the whole way?",
    ),
    steps=("In that time it is {hours} * {speed} = {way} miles.", "In all: {way} + {more} = {answer} miles."),
    closing="The answer is {answer:mile}.",
    program="print({hours} * {speed} + {more})",
    check=lambda v: v.answer - v.more == sum([v.speed] * v.hours),
)
def way_and_more(speed: int, hours: int, more: int) -> Values:
    return {"way": hours * speed, "answer": hours * speed + more}


@story(
    numbers={"price": range(10, 200, 10), "percent": range(10, 60, 10)},
    words={"item": ("coat", "bike", "lamp", "game", "chair")},
    wordings=(
        "A {item} costs {price:$}. {name} gets {percent}% off. How many dollars does {he} pay?",
        "{name} buys a {item} of {price:dollar} in a sale with {percent}% off. What does {he} pay in dollars?",
    ),
    steps=("{percent}% of {price} is {off}.", "{name} pays {price} - {off} = {answer:dollar}."),
    closing=DOLLARS,
    program="print({price} - {price} * {percent} // 100)",
    check=lambda v: 100 * v.answer == v.price * (100 - v.percent),
)
def percent_off(price: int, percent: int) -> Values:
    off = price * percent // 100
    return {"off": off, "answer": price - off}


@story(
    numbers={"n": range(2, 10), "cents": range(5, 100, 5), "dollars": range(1, 15)},
    words={"item": ("apple", "pencil", "roll", "sticker", "egg")},
    wordings=(
        "{name} sold {n:{item}} for {cents} cents each and already had {dollars:$}. How many dollars has {he} now?",
        "{name} had {dollars:$}. {He} got {cents} cents for each of {n:{item}}. How much money does {he} have?",
    ),
    steps=("For the {item:s}: {n} * {each:$} = {x:$}.", "In all: {dollars:$} + {x:$} = {answer:$}."),
    closing="The answer is {answer:$}.",
    program='print(f"{{{n} * {each} + {dollars}:.8g}}")',
    check=lambda v: v.answer - v.dollars == sum([v.each] * v.n),
)
def cents_and_dollars(n: int, cents: int, dollars: int) -> Values:
    return {"each": decimal(cents, 2), "x": decimal(n * cents, 2), "answer": decimal(100 * dollars + n * cents, 2)}

"""Grade school: everyday stories with one to three small whole-number steps."""

from __future__ import annotations

from src.generation.procedural.family import Values, family

THINGS = ("apple", "marble", "sticker", "shell", "pencil", "card", "button", "stamp", "crayon", "cookie")


@family(
    "grade_school",
    topics="add addition sum subtract subtraction difference plus minus number integer count element set remove",
    numbers={"a": range(12, 80), "b": range(3, 40), "c": range(2, 60)},
    words={"item": THINGS},
    wordings=(
        "{name} has {a:{item}}. {He} finds {b:more} and then gives {c} to {friend}. "
        "How many {item:s} does {name} have now?",
        "{name} had {a:{item}} in a bag, put in {b:more} and later took out {c}. How many {item:s} are in the bag?",
        "There are {a:{item}} on a table. {name} adds {b:more}, and {friend} takes {c} away. "
        "How many {item:s} are on the table now?",
    ),
    steps=("First there are {a} + {b} = {have} {item:s}.", "Then {have} - {c} = {answer:{item}}."),
    closing="The answer is {answer:{item}}.",
    program="""
        have = {a} + {b}
        print(have - {c})
    """,
    check=lambda v: len(range(v.c, v.a + v.b)) == v.answer,
)
def find_and_give(a: int, b: int, c: int) -> Values | None:
    return {"have": a + b, "answer": a + b - c} if c < a + b else None


@family(
    "grade_school",
    topics="divide division share equal quotient group partition split divisor fair",
    numbers={"each": range(2, 13), "friends": range(2, 10), "kept": range(2, 20)},
    words={"item": THINGS},
    wordings=(
        "{name} has {total:{item}}. {He} keeps {kept} and shares the rest equally among {friends:friend}. "
        "How many {item:s} does each friend get?",
        "There are {total:{item}} in a box. {name} takes out {kept} and puts the others into {friends:bag}, "
        "the same number in each. How many {item:s} are in each bag?",
        "{name} and {friend} collected {total:{item}} and lost {kept}. They put the rest on {friends:plate}, "
        "the same number on each. How many {item:s} are on each plate?",
    ),
    steps=(
        "To share there are {total} - {kept} = {rest:{item}}.",
        "Each part gets {rest} / {friends} = {answer:{item}}.",
    ),
    closing="The answer is {answer:{item}}.",
    program="""
        rest = {total} - {kept}
        print(rest // {friends})
    """,
    check=lambda v: v.kept + sum(v.answer for _ in range(v.friends)) == v.total,
)
def share_the_rest(each: int, friends: int, kept: int) -> Values:
    return {"rest": each * friends, "total": each * friends + kept, "answer": each}


@family(
    "grade_school",
    topics="multiply multiplication product times box pack row array grid factor vector column",
    numbers={"packs": range(2, 13), "size": range(2, 13), "loose": range(2, 25)},
    words={"item": THINGS, "pack": ("box", "pack", "bag", "jar", "basket")},
    wordings=(
        "{name} has {packs:{pack}} with {size:{item}} in each, and {loose} loose {item:s}. "
        "How many {item:s} does {he} have in all?",
        "A shop sells {item:s} in {pack:s} of {size}. {name} buys {packs:{pack}} and gets {loose:more} as a gift. "
        "How many {item:s} does {he} have?",
        "{friend} fills {packs:{pack}} with {size:{item}} each and has {loose} left over. "
        "How many {item:s} did {friend} have at the start?",
    ),
    steps=(
        "In the {pack:s} there are {packs} * {size} = {packed:{item}}.",
        "In all that is {packed} + {loose} = {answer:{item}}.",
    ),
    closing="The answer is {answer:{item}}.",
    program="""
        packed = {packs} * {size}
        print(packed + {loose})
    """,
    check=lambda v: sum([v.size] * v.packs, v.loose) == v.answer,
)
def packs_and_loose(packs: int, size: int, loose: int) -> Values:
    return {"packed": packs * size, "answer": packs * size + loose}


@family(
    "grade_school",
    topics="price cost money dollar buy sell shop change pay total bill value weight",
    numbers={"n": range(2, 8), "p": range(2, 10), "m": range(2, 8), "q": range(2, 10), "bill": (20, 50, 100)},
    words={"item": ("pen", "notebook", "ruler"), "other": ("sandwich", "juice", "muffin")},
    wordings=(
        "{name} buys {n:{item}} at {p:dollar} each and {m:{other}} at {q:dollar} each. "
        "{He} pays with {bill:dollar}. How many dollars of change does {he} get?",
        "A {item} costs {p:dollar} and {other:an} costs {q:dollar}. {name} has {bill:dollar} and buys "
        "{n:{item}} and {m:{other}}. How many dollars are left?",
    ),
    steps=(
        "The {item:s} cost {n} * {p} = {first} dollars.",
        "The {other:s} cost {m} * {q} = {second} dollars.",
        "Together that is {first} + {second} = {cost} dollars.",
        "The change is {bill} - {cost} = {answer:dollar}.",
    ),
    closing="The answer is {answer:dollar}.",
    program="""
        cost = {n} * {p} + {m} * {q}
        print({bill} - cost)
    """,
    check=lambda v: v.bill - sum([v.p] * v.n + [v.q] * v.m) == v.answer,
)
def shopping_change(n: int, p: int, m: int, q: int, bill: int) -> Values | None:
    cost = n * p + m * q
    if not 0 < bill - cost < 60:
        return None
    return {"first": n * p, "second": m * q, "cost": cost, "answer": bill - cost}


@family(
    "grade_school",
    topics="twice double triple times multiple scale factor product total combine power",
    numbers={"a": range(3, 31), "k": range(2, 7), "more": range(2, 15)},
    words={"item": THINGS},
    wordings=(
        "{name} has {a:{item}}. {friend} has {k} times as many and then gets {more:more}. "
        "How many {item:s} do they have together?",
        "{name} collected {a:{item}}. {friend} collected {more:more} than {k} times as many. "
        "How many {item:s} did they collect in all?",
    ),
    steps=(
        "{friend} has {k} * {a} = {times}, and {times} + {more} = {other}.",
        "Together they have {a} + {other} = {answer:{item}}.",
    ),
    closing="The answer is {answer:{item}}.",
    program="""
        other = {k} * {a} + {more}
        print({a} + other)
    """,
    check=lambda v: (v.k + 1) * v.a + v.more == v.answer,
)
def times_as_many(a: int, k: int, more: int) -> Values:
    return {"times": k * a, "other": k * a + more, "answer": a + k * a + more}


@family(
    "grade_school",
    topics="page book read day rate sequence remaining left iterate step length file line",
    numbers={"pages": range(4, 26), "days": range(2, 10), "left": range(3, 61)},
    words={"verb": ("reads", "copies", "types")},
    wordings=(
        "A book has {total:page}. {name} {verb} {pages:page} a day for {days:day}. How many pages are left?",
        "{name} {verb} {pages:page} of a book each day. The book has {total:page}. "
        "After {days:day}, how many pages are left?",
    ),
    steps=(
        "In {days:day} {name} {verb} {days} * {pages} = {done:page}.",
        "So {total} - {done} = {answer:page} remain.",
    ),
    closing="The answer is {answer:page}.",
    program="""
        done = {days} * {pages}
        print({total} - done)
    """,
    check=lambda v: len(range(0, v.total)[sum([v.pages] * v.days) :]) == v.answer,
)
def pages_left(pages: int, days: int, left: int) -> Values:
    return {"done": pages * days, "total": pages * days + left, "answer": left}


@family(
    "grade_school",
    topics="time hour minute clock start end duration interval period begin date when",
    numbers={"hour": range(1, 10), "minute": range(5, 60, 5), "full": (1, 2), "rest": range(5, 60, 5)},
    words={"event": ("film", "concert", "game", "lesson", "party")},
    wordings=(
        "A {event} starts at {begin} and ends at {end}. How many minutes long is it?",
        "{name} goes to a {event} from {begin} to {end} the same day. How many minutes does it take?",
    ),
    steps=(
        "From {begin} to {between} it is {full} * 60 = {hours} minutes.",
        "From {between} to {end} it is {rest} minutes.",
        "In all, {hours} + {rest} = {answer} minutes.",
    ),
    closing="The answer is {answer:minute}.",
    program="""
        start = {hour} * 60 + {minute}
        end = {last_hour} * 60 + {last_minute}
        print(end - start)
    """,
    check=lambda v: 60 * (v.last_hour - v.hour) + v.last_minute - v.minute == v.answer,
)
def minutes_between(hour: int, minute: int, full: int, rest: int) -> Values:
    last_hour, last_minute = divmod(60 * (hour + full) + minute + rest, 60)
    return {
        "begin": f"{hour}:{minute:02d}",
        "between": f"{hour + full}:{minute:02d}",
        "end": f"{last_hour}:{last_minute:02d}",
        "last_hour": last_hour,
        "last_minute": last_minute,
        "hours": 60 * full,
        "answer": 60 * full + rest,
    }


@family(
    "grade_school",
    topics="rectangle perimeter side length width square shape distance around path cycle edge polygon geometry",
    numbers={"wide": range(3, 25), "long": range(4, 31), "laps": range(2, 6)},
    words={"place": ("garden", "field", "park", "yard", "pool")},
    wordings=(
        "A {place} is a rectangle {long:meter} long and {wide:meter} wide. {name} walks around it {laps} times. "
        "How many meters does {he} walk?",
        "{name} runs {laps:lap} around a rectangular {place} that is {long} meters by {wide} meters. "
        "How many meters is that?",
    ),
    steps=(
        "Two sides are {long} + {wide} = {half} meters.",
        "Once around is 2 * {half} = {once} meters.",
        "{laps} times around is {laps} * {once} = {answer} meters.",
    ),
    closing="The answer is {answer:meter}.",
    program="""
        around = 2 * ({long} + {wide})
        print({laps} * around)
    """,
    check=lambda v: sum([v.long, v.wide, v.long, v.wide] * v.laps) == v.answer,
)
def laps_around(wide: int, long: int, laps: int) -> Values | None:
    half = long + wide
    return {"half": half, "once": 2 * half, "answer": laps * 2 * half} if wide < long else None


@family(
    "grade_school",
    topics="sum total day more fewer list sequence accumulate series term partial increase decrease compare",
    numbers={"first": range(8, 41), "up": range(2, 16), "down": range(2, 16)},
    words={"did": ("sold", "packed", "made"), "item": ("cake", "pie", "card", "kite", "basket")},
    wordings=(
        "On Monday {name} {did} {first:{item}}, on Tuesday {up:more} than on Monday, and on Wednesday {down} fewer "
        "than on Tuesday. How many {item:s} is that in all?",
        "{name} {did} {first:{item}} on Friday. On Saturday {he} {did} {up:more} than on Friday, and on Sunday {down} "
        "fewer than on Saturday. How many {item:s} is that in all three days?",
    ),
    steps=(
        "The second day: {first} + {up} = {second}.",
        "The third day: {second} - {down} = {third}.",
        "In all: {first} + {second} + {third} = {answer}.",
    ),
    closing="The answer is {answer:{item}}.",
    program="""
        second = {first} + {up}
        third = second - {down}
        print({first} + second + third)
    """,
    check=lambda v: 3 * v.first + 2 * v.up - v.down == v.answer,
)
def three_days(first: int, up: int, down: int) -> Values | None:
    second = first + up
    if second - down < 2:
        return None
    return {"second": second, "third": second - down, "answer": first + second + second - down}


@family(
    "grade_school",
    topics="save week cost equation unknown solve need until target step iteration per rate",
    numbers={"weeks": range(2, 13), "save": range(3, 13), "has": range(5, 41)},
    words={"item": ("bike", "tent", "drum", "skateboard", "camera", "lamp")},
    wordings=(
        "{name} wants a {item} that costs {cost:dollar}. {He} has {has:dollar} and saves {save:dollar} a week. "
        "In how many weeks can {he} buy it?",
        "A {item} costs {cost:dollar}. {name} already has {has:dollar} and earns {save:dollar} every week. "
        "How many weeks must {he} work to pay for it?",
    ),
    steps=(
        "{name} still needs {cost} - {has} = {need} dollars.",
        "That takes {need} / {save} = {answer:week}.",
    ),
    closing="The answer is {answer:week}.",
    program="""
        need = {cost} - {has}
        print(need // {save})
    """,
    check=lambda v: v.has + sum(v.save for _ in range(v.answer)) == v.cost,
)
def weeks_of_saving(weeks: int, save: int, has: int) -> Values:
    return {"need": weeks * save, "cost": has + weeks * save, "answer": weeks}


@family(
    "grade_school",
    topics="coin cent change currency combination sum weighted value amount",
    split="unseen",
    numbers={"dimes": range(2, 12), "nickels": range(2, 12), "pennies": range(2, 15)},
    wordings=(
        "{name} has {dimes:dime}, {nickels:nickel} and {pennies:penny}. A dime is 10 cents, a nickel is 5 cents "
        "and a penny is 1 cent. How many cents does {he} have?",
        "In a jar there are {dimes:coin} of 10 cents, {nickels:coin} of 5 cents and {pennies:coin} of 1 cent. "
        "How many cents are in the jar?",
    ),
    steps=(
        "The coins of 10 cents make {dimes} * 10 = {tens} cents.",
        "The coins of 5 cents make {nickels} * 5 = {fives} cents.",
        "In all, {tens} + {fives} + {pennies} = {answer} cents.",
    ),
    closing="The answer is {answer:cent}.",
    program="print({dimes} * 10 + {nickels} * 5 + {pennies})",
    check=lambda v: sum([10] * v.dimes + [5] * v.nickels + [1] * v.pennies) == v.answer,
)
def coins_in_a_jar(dimes: int, nickels: int, pennies: int) -> Values:
    tens, fives = 10 * dimes, 5 * nickels
    return {"tens": tens, "fives": fives, "answer": tens + fives + pennies}


@family(
    "grade_school",
    topics="animal leg farm wheel total count sum linear combination",
    split="unseen",
    numbers={"hens": range(3, 40), "cows": range(3, 30)},
    words={"bird": ("hen", "duck", "goose"), "animal": ("cow", "horse", "goat", "dog")},
    wordings=(
        "On a farm there are {hens:{bird}} and {cows:{animal}}. How many legs do they have in all?",
        "{name} sees {cows:{animal}} and {hens:{bird}}. How many legs does {he} see on these animals?",
    ),
    steps=(
        "The {bird:s} have {hens} * 2 = {two} legs.",
        "The {animal:s} have {cows} * 4 = {four} legs.",
        "In all, {two} + {four} = {answer} legs.",
    ),
    closing="The answer is {answer:leg}.",
    program="print({hens} * 2 + {cows} * 4)",
    check=lambda v: 2 * (v.hens + v.cows) + 2 * v.cows == v.answer,
)
def legs_on_a_farm(hens: int, cows: int) -> Values:
    return {"two": 2 * hens, "four": 4 * cows, "answer": 2 * hens + 4 * cows}

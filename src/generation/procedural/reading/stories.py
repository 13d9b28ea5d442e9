"""The language of word problems: which numbers of a story matter, and what is done with them."""

from __future__ import annotations

from functools import partial

from src.generation.procedural.family import Values, family

skill = partial(family, "reading", split="reading")

THINGS = ("bead", "lemon", "nail", "brick", "candle", "feather", "ribbon", "kite", "onion", "chair", "stone", "flag")
OTHERS = ("whistle", "spoon", "pumpkin", "rope", "bowl", "drum", "tile", "melon")
PLACES = ("cellar", "attic", "barn", "kiosk", "harbor", "museum", "tent")
N = range(2, 150)


@skill(
    topics="read find number copy story",
    numbers={"a": N, "b": N, "c": N},
    words={"item": THINGS, "other": OTHERS, "place": PLACES},
    wordings=(
        "In the {place} lie {a:{item}} and {b:{other}}. {name} has {c} books. How many {other:s} are in the {place}?",
        "{name} writes a list: {b:{other}}, {a:{item}}, {c} keys. How many {other:s} are on it?",
        "{friend} owns {c} stools. {name} owns {a:{item}} and {b:{other}}. How many {other:s} does {name} own?",
    ),
    steps=("The text says {b:{other}}.",),
    closing="The answer is {answer:{other}}.",
    program="print({b})",
    check=lambda v: v.answer == v.b,
)
def read_a_number(a: int, b: int, c: int) -> Values:
    return {"answer": b}


@skill(
    topics="add both kinds together story",
    numbers={"a": N, "b": N, "c": N},
    words={"item": THINGS, "other": OTHERS, "place": PLACES},
    wordings=(
        "The {place} holds {a:{item}}, {b:{other}} and {c} barrels. How many {item:s} and {other:s} is that?",
        "{name} packs {a:{item}} into one crate and {b:{other}} into another. {friend} carries {c} sacks. "
        "How many things did {name} pack?",
    ),
    steps=("Of {item:s} and {other:s} there are {a} + {b} = {answer}.",),
    closing="The answer is {answer}.",
    program="print({a} + {b})",
    check=lambda v: v.answer - v.a == v.b,
)
def two_of_three_kinds(a: int, b: int, c: int) -> Values:
    return {"answer": a + b}


@skill(
    topics="goal missing need still story subtract",
    numbers={"goal": range(20, 300), "done": range(3, 250)},
    words={"item": THINGS, "verb": ("paint", "sew", "sort", "wash", "count")},
    wordings=(
        "{name} wants to {verb} {goal:{item}}. {done} are ready. How many are still to do?",
        "Out of {goal:{item}} that {name} has to {verb}, {done} are finished. How many remain to be done?",
    ),
    steps=("Still to do: {goal} - {done} = {answer}.",),
    closing="The answer is {answer:{item}}.",
    program="print({goal} - {done})",
    check=lambda v: v.done + v.answer == v.goal,
)
def still_to_do(goal: int, done: int) -> Values | None:
    return {"answer": goal - done} if goal - done > 1 else None


@skill(
    topics="each rows groups multiply story",
    numbers={"rows": range(2, 31), "each": range(2, 26), "off": range(2, 60)},
    words={"item": THINGS},
    wordings=(
        "{rows} walls carry {each:{item}} apiece. Wind blows {off} of them down. How many stay up?",
        "A hall is set with {rows} lines of {each:{item}}. {name} carries {off} out. How many stay in the hall?",
    ),
    steps=("At first there are {rows} * {each} = {all}.", "Then {all} - {off} = {answer}."),
    closing="The answer is {answer:{item}}.",
    program="print({rows} * {each} - {off})",
    check=lambda v: v.answer + v.off == sum([v.each] * v.rows),
)
def rows_less_some(rows: int, each: int, off: int) -> Values | None:
    return {"all": rows * each, "answer": rows * each - off} if rows * each - off > 1 else None


@skill(
    topics="divide teams groups equal story",
    numbers={"a": range(2, 60), "b": range(2, 60), "k": range(2, 13)},
    words={"group": ("boat", "table", "team", "sledge")},
    wordings=(
        "{a} girls and {b} boys sit down in {k:{group}}, as many in each. How many children are in one {group}?",
        "{a} adults and {b} guests fill {k:{group}} evenly. How many people does one {group} take?",
    ),
    steps=("All together: {a} + {b} = {all}.", "In one {group}: {all} / {k} = {answer}."),
    closing="The answer is {answer}.",
    program="print(({a} + {b}) // {k})",
    check=lambda v: v.answer * v.k == v.a + v.b,
)
def evenly_seated(a: int, b: int, k: int) -> Values | None:
    return {"all": a + b, "answer": (a + b) // k} if (a + b) % k == 0 and a + b > k else None


@skill(
    topics="before after change back story inverse",
    numbers={"now": range(5, 150), "lost": range(2, 80), "won": range(2, 80)},
    words={"item": ("point", "ring", "token", "star")},
    wordings=(
        "{name} lost {lost:{item}} and then won {won}. Now {he} has {now}. With how many did {he} begin?",
        "After losing {lost:{item}} and winning {won}, {name} has {now}. How many did {he} have before?",
    ),
    steps=("Before winning: {now} - {won} = {mid}.", "Before losing: {mid} + {lost} = {answer}."),
    closing="The answer is {answer:{item}}.",
    program="print({now} - {won} + {lost})",
    check=lambda v: v.answer - v.lost + v.won == v.now,
)
def back_to_the_start(now: int, lost: int, won: int) -> Values | None:
    return {"mid": now - won, "answer": now - won + lost} if now > won else None


@skill(
    topics="earn spend money dollars days story",
    numbers={"days": range(2, 15), "pay": range(5, 60), "spent": range(3, 120)},
    words={"job": ("weeds gardens", "delivers papers", "walks dogs", "mends nets")},
    wordings=(
        "{name} {job} for {days:day} and gets {pay:dollar} a day. {He} spends {spent} of it. How many dollars stay?",
        "For each of {days:day} {name} gets {pay:dollar}. {spent:dollar} go for food. How many dollars does {he} keep?",
    ),
    steps=("{He} gets {days} * {pay} = {all} dollars.", "{all} - {spent} = {answer}."),
    closing="{name} keeps {answer:dollar}.",
    program="print({days} * {pay} - {spent})",
    check=lambda v: v.answer + v.spent == sum([v.pay] * v.days),
)
def earned_and_spent(days: int, pay: int, spent: int) -> Values | None:
    return {"all": days * pay, "answer": days * pay - spent} if days * pay - spent > 1 else None


@skill(
    topics="compare times more twice story",
    numbers={"a": range(2, 60), "k": range(2, 9), "less": range(1, 40)},
    words={"item": THINGS},
    wordings=(
        "{name} made {a:{item}}. {friend} made {k} times that number, but {less} of them broke. "
        "How many whole ones has {friend}?",
        "{friend} gathers {k} {item:s} for every one of {name}'s {a} and drops {less}. How many does {friend} hold?",
    ),
    steps=("{k} * {a} = {all}.", "{all} - {less} = {answer}."),
    closing="The answer is {answer:{item}}.",
    program="print({k} * {a} - {less})",
    check=lambda v: v.answer + v.less == sum([v.a] * v.k),
)
def many_times_but_some(a: int, k: int, less: int) -> Values | None:
    return {"all": k * a, "answer": k * a - less} if k * a - less > 1 else None


@skill(
    topics="trip distance parts sum rest story",
    numbers={"a": range(2, 90), "b": range(2, 90), "rest": range(2, 90)},
    words={"way": ("path", "river", "road", "track")},
    wordings=(
        "A {way} is {all:km} long. {name} does {a:km} on Monday and {b:km} on Tuesday. How many km are ahead?",
        "{name} follows a {way} of {all:km}: first {a:km}, then {b:km}. How far is the end from there, in km?",
    ),
    steps=("Done so far: {a} + {b} = {done}.", "Ahead: {all} - {done} = {answer}."),
    closing="It is {answer:km}.",
    program="print({all} - {a} - {b})",
    check=lambda v: v.a + v.b + v.answer == v.all,
)
def way_ahead(a: int, b: int, rest: int) -> Values:
    return {"done": a + b, "all": a + b + rest, "answer": rest}


@skill(
    topics="pairs boxes full leftover story",
    numbers={"k": range(3, 26), "n": range(2, 31), "rest": range(1, 25)},
    words={"item": THINGS, "pack": ("chest", "drawer", "cart", "net")},
    wordings=(
        "A {pack} takes {k:{item}}. {name} fills as many as {he} can with {all}. How many {item:s} are left over?",
        "{all:{item}} go into {pack:s} of {k}. The last {pack} is not full. How many {item:s} are in it?",
    ),
    steps=("{all} = {n} * {k} + {rest}.",),
    closing="The answer is {answer:{item}}.",
    program="print({all} % {k})",
    check=lambda v: (v.all - v.answer) % v.k == 0 and v.answer < v.k,
)
def not_quite_full(k: int, n: int, rest: int) -> Values | None:
    return {"all": n * k + rest, "answer": rest} if rest < k else None

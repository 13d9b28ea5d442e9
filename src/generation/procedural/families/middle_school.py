"""Middle school: percent, ratio, fractions, averages, signed numbers and first equations."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

from src.generation.procedural.family import Values, family


@family(
    "middle_school",
    topics="proportion unit rate price linear scale proportional per conversion cost weight",
    numbers={"n": range(2, 13), "unit": range(2, 13), "m": range(2, 21)},
    words={"item": ("ticket", "notebook", "bottle", "brush", "plant")},
    wordings=(
        "{n:{item}} cost {cost:dollar}. At this price, how many dollars do {m:{item}} cost?",
        "{name} pays {cost:dollar} for {n:{item}}. {friend} buys {m:{item}} at the same price. "
        "How many dollars does {friend} pay?",
    ),
    steps=("One {item} costs {cost} / {n} = {unit} dollars.", "{m:{item}} cost {m} * {unit} = {answer} dollars."),
    closing="The cost is {answer:dollar}.",
    program="""
        unit = {cost} // {n}
        print({m} * unit)
    """,
    check=lambda v: Fraction(v.answer, v.m) == Fraction(v.cost, v.n),
)
def unit_price(n: int, unit: int, m: int) -> Values | None:
    return {"cost": n * unit, "answer": m * unit} if n != m else None


@family(
    "middle_school",
    topics="operation order evaluate expression arithmetic parenthesis compute operator precedence parse",
    numbers={"a": range(2, 10), "b": range(2, 15), "c": range(2, 15), "d": range(2, 10), "e": range(2, 10)},
    wordings=(
        "Compute {a} * ({b} + {c}) - {d} * {e}.",
        "What is the value of {a} * ({b} + {c}) - {d} * {e}?",
        "Evaluate the expression {a} * ({b} + {c}) - {d} * {e}.",
    ),
    steps=(
        "{b} + {c} = {inner}.",
        "{a} * {inner} = {left} and {d} * {e} = {right}.",
        "{left} - {right} = {answer}.",
    ),
    closing="The value is {answer}.",
    program="print({a} * ({b} + {c}) - {d} * {e})",
    check=lambda v: v.a * v.b + v.a * v.c - v.d * v.e == v.answer,
)
def order_of_operations(a: int, b: int, c: int, d: int, e: int) -> Values:
    inner = b + c
    return {"inner": inner, "left": a * inner, "right": d * e, "answer": a * inner - d * e}


@family(
    "middle_school",
    topics="ratio proportion share rational fraction part total scale divide weight normal",
    numbers={"a": range(1, 10), "b": range(1, 10), "unit": range(3, 31)},
    facts="a b unit",
    words={"item": ("dollar", "point", "marble", "ticket")},
    wordings=(
        "{name} and {friend} share {total:{item}} in the ratio {a} to {b}. How many {item:s} does {name} get?",
        "{total:{item}} are split between {name} and {friend} in the ratio {a}:{b}. What is {name}'s share?",
    ),
    steps=(
        "There are {a} + {b} = {parts} equal parts.",
        "One part is {total} / {parts} = {unit:{item}}.",
        "{name} gets {a} * {unit} = {answer:{item}}.",
    ),
    closing="{name} gets {answer:{item}}.",
    program="""
        part = {total} // ({a} + {b})
        print({a} * part)
    """,
    check=lambda v: Fraction(v.answer, v.total - v.answer) == Fraction(v.a, v.b),
)
def share_in_ratio(a: int, b: int, unit: int) -> Values | None:
    if a == b or gcd(a, b) > 1:
        return None
    return {"parts": a + b, "total": (a + b) * unit, "answer": a * unit}


@family(
    "middle_school",
    topics="angle triangle degree geometry polygon vertex rotation sum interior",
    numbers={"x": range(20, 70), "more": range(5, 45)},
    wordings=(
        "One angle of a triangle is {x} degrees. Another is {more} degrees larger. How many degrees is the third?",
        "A triangle has an angle of {x} degrees and one that is {more} degrees more. Find the third angle in degrees.",
    ),
    steps=(
        "The second angle is {x} + {more} = {y}.",
        "The two sum to {x} + {y} = {two}.",
        "The third is 180 - {two} = {answer}.",
    ),
    closing="The third angle is {answer:degree}.",
    program="""
        second = {x} + {more}
        print(180 - {x} - second)
    """,
    check=lambda v: v.x + (v.x + v.more) + v.answer == 180,
)
def third_angle(x: int, more: int) -> Values | None:
    y = x + more
    return {"y": y, "two": x + y, "answer": 180 - x - y} if x + y < 170 else None


@family(
    "middle_school",
    topics="percent percentage discount sale price rate decrease proportion relative tolerance error",
    numbers={"price": range(20, 301, 10), "percent": range(5, 80, 5), "fee": range(2, 10)},
    words={"item": ("jacket", "chair", "radio", "bag", "watch")},
    wordings=(
        "A {item} costs {price:dollar}. In a sale it is {percent}% off, and shipping adds {fee:dollar}. "
        "How many dollars does {name} pay?",
        "{name} orders a {item} with a price of {price:dollar}. {He} gets a {percent}% discount and pays "
        "{fee:dollar} for delivery. What does {he} pay in dollars?",
    ),
    steps=(
        "The discount is {price} * {percent} / 100 = {off:dollar}.",
        "The sale price is {price} - {off} = {sale:dollar}.",
        "With the fee: {sale} + {fee} = {answer} dollars.",
    ),
    closing="The answer is {answer:dollar}.",
    program="""
        sale = {price} * (100 - {percent}) // 100
        print(sale + {fee})
    """,
    check=lambda v: 100 * (v.answer - v.fee) == v.price * (100 - v.percent),
)
def sale_price(price: int, percent: int, fee: int) -> Values | None:
    if price * percent % 100:
        return None
    off = price * percent // 100
    return {"off": off, "sale": price - off, "answer": price - off + fee}


@family(
    "middle_school",
    topics="equation solve linear unknown variable symbol expression equality root solution",
    numbers={"a": range(2, 13), "x": range(2, 21), "b": [n for n in range(-30, 31) if n]},
    wordings=(
        "Solve for x: {a}x {b:+} = {c}.",
        "If {a}x {b:+} = {c}, what is x?",
        "Find the number x such that {a}x {b:+} = {c}.",
    ),
    steps=(
        "Move the constant: {a}x = {c} {minus_b:+} = {ax}.",
        "Divide: x = {ax} / {a} = {answer}.",
    ),
    closing="So x = {answer}.",
    program="""
        right = {c} - {b:()}
        print(right // {a})
    """,
    check=lambda v: [n for n in range(-50, 51) if v.a * n + v.b == v.c] == [v.answer],
)
def linear_equation(a: int, x: int, b: int) -> Values:
    return {"c": a * x + b, "minus_b": -b, "ax": a * x, "answer": x}


@family(
    "middle_school",
    topics="average mean score test statistics data sample expected distribution variance median",
    numbers={"s": range(60, 100), "t": range(60, 100), "u": range(60, 100), "mean": range(65, 96)},
    wordings=(
        "{name} scored {s}, {t} and {u} on three tests. What score on the fourth test makes the average {mean}?",
        "The average of four numbers is {mean}. Three of them are {s}, {t} and {u}. What is the fourth number?",
    ),
    steps=(
        "The four must sum to 4 * {mean} = {total}.",
        "The three sum to {s} + {t} + {u} = {three}.",
        "The fourth is {total} - {three} = {answer}.",
    ),
    closing="The fourth is {answer}.",
    program="""
        total = 4 * {mean}
        print(total - ({s} + {t} + {u}))
    """,
    check=lambda v: Fraction(v.s + v.t + v.u + v.answer, 4) == v.mean,
)
def missing_score(s: int, t: int, u: int, mean: int) -> Values | None:
    total, three = 4 * mean, s + t + u
    if not 50 <= total - three <= 100:
        return None
    return {"total": total, "three": three, "answer": total - three}


@family(
    "middle_school",
    topics="speed distance time travel velocity rate path length motion unit flow",
    numbers={"v": range(30, 95, 5), "t": range(2, 7), "w": range(20, 85, 5), "u": range(2, 7)},
    words={"vehicle": ("car", "bus", "train", "truck")},
    wordings=(
        "A {vehicle} goes {v} km per hour for {t:hour} and then {w} km per hour for {u:hour}. "
        "How many km does it go in all?",
        "{name} rides in a {vehicle} for {t:hour} at {v} km per hour, then for {u:hour} at {w} km per hour. "
        "How long is the whole way in km?",
    ),
    steps=(
        "First part: {v} * {t} = {first} km.",
        "Second part: {w} * {u} = {second} km.",
        "In all, {first} + {second} = {answer} km.",
    ),
    closing="The way is {answer:km}.",
    program="print({v} * {t} + {w} * {u})",
    check=lambda v: sum([v.v] * v.t + [v.w] * v.u) == v.answer,
)
def two_part_trip(v: int, t: int, w: int, u: int) -> Values | None:
    return {"first": v * t, "second": w * u, "answer": v * t + w * u} if v != w else None


@family(
    "middle_school",
    topics="fraction half third quarter remaining rest part numerator denominator rational",
    numbers={"a": range(2, 7), "b": range(2, 7), "k": range(2, 31)},
    words={"item": ("dollar", "bead", "nut", "apple", "card")},
    wordings=(
        "{name} has {total:{item}}. {He} gives 1/{a} of them to {friend} and then loses 1/{b} of the rest. "
        "How many {item:s} does {he} have left?",
        "Of {total:{item}}, 1/{a} are used on Monday and 1/{b} of the rest on Tuesday. How many {item:s} are left?",
    ),
    steps=(
        "First part: {total} / {a} = {gave}, so {total} - {gave} = {rest} stay.",
        "Second part: {rest} / {b} = {lost}, so {rest} - {lost} = {answer} stay.",
    ),
    closing="At the end there are {answer:{item}}.",
    program="""
        rest = {total} - {total} // {a}
        print(rest - rest // {b})
    """,
    check=lambda v: v.total * (1 - Fraction(1, v.a)) * (1 - Fraction(1, v.b)) == v.answer,
)
def fraction_of_the_rest(a: int, b: int, k: int) -> Values | None:
    total = a * b * k
    gave = total // a
    rest = total - gave
    return {"total": total, "gave": gave, "rest": rest, "lost": rest // b, "answer": rest - rest // b}


@family(
    "middle_school",
    topics="fraction sum add denominator numerator rational common lowest simplify exact",
    numbers={"a": range(1, 10), "b": range(2, 13), "c": range(1, 10), "d": range(2, 13)},
    wordings=(
        "Compute {a}/{b} + {c}/{d} in lowest terms.",
        "What is the sum of {a}/{b} and {c}/{d}? Give a fraction in lowest terms.",
        "{name} drinks {a}/{b} of a liter and {friend} drinks {c}/{d} of a liter. How many liters do they drink "
        "together, as a fraction in lowest terms?",
    ),
    steps=(
        "The common denominator is {m}.",
        "{a}/{b} = {p}/{m} and {c}/{d} = {q}/{m}.",
        "{p} + {q} = {top}, so the sum is {answer}.",
    ),
    closing="The sum is {answer}.",
    program="""
        from fractions import Fraction
        print(Fraction({a}, {b}) + Fraction({c}, {d}))
    """,
    check=lambda v: v.answer.numerator * v.b * v.d == v.answer.denominator * (v.a * v.d + v.c * v.b),
)
def sum_of_fractions(a: int, b: int, c: int, d: int) -> Values | None:
    if a >= b or c >= d or b == d or gcd(a, b) > 1 or gcd(c, d) > 1:
        return None
    m = lcm(b, d)
    p, q = a * m // b, c * m // d
    if gcd(p + q, m) > 1 or p + q == m:
        return None  # nothing to cancel: one rule less to learn
    return {"m": m, "p": p, "q": q, "top": p + q, "answer": Fraction(p + q, m)}


@family(
    "middle_school",
    topics="negative positive temperature integer sign degree absolute below zero difference signed",
    numbers={"start": range(-15, 11), "up": range(3, 25), "down": range(3, 25)},
    wordings=(
        "In the morning it is {start:degree}. It gets {up:degree} warmer by noon and {down:degree} colder by night. "
        "What is the temperature at night?",
        "{name} starts at {start} on the number line, moves {up} to the right and then {down} to the left. "
        "Where is {he} now?",
    ),
    steps=("{start} + {up} = {noon}.", "{noon} - {down} = {answer}."),
    closing="The answer is {answer}.",
    program="""
        noon = {start} + {up}
        print(noon - {down})
    """,
    check=lambda v: v.start - v.answer == v.down - v.up,
)
def up_and_down(start: int, up: int, down: int) -> Values:
    return {"noon": start + up, "answer": start + up - down}


@family(
    "middle_school",
    topics="consecutive sequence integer sum arithmetic progression odd even parity term",
    split="unseen",
    numbers={"first": range(1, 200), "count": (3, 5), "step": (1, 2)},
    wordings=(
        "The sum of {count} consecutive {kind} is {total}. What is the largest of them?",
        "{count} consecutive {kind} add up to {total}. Find the largest one.",
    ),
    steps=(
        "The middle number is {total} / {count} = {middle}.",
        "The largest is {middle} + {reach} = {answer}.",
    ),
    closing="The largest is {answer}.",
    program="""
        for first in range({total}):
            numbers = [first + {step} * i for i in range({count})]
            if sum(numbers) == {total}:
                print(numbers[-1])
    """,
    check=lambda v: sum(range(v.answer - v.step * (v.count - 1), v.answer + 1, v.step)) == v.total,
)
def largest_consecutive(first: int, count: int, step: int) -> Values:
    last = first + step * (count - 1)
    return {
        "kind": "integers" if step == 1 else "odd numbers" if first % 2 else "even numbers",
        "total": count * (first + last) // 2,
        "middle": (first + last) // 2,
        "reach": step * (count // 2),
        "answer": last,
    }


@family(
    "middle_school",
    topics="surface area box volume cube solid face dimension rectangular prism",
    split="unseen",
    numbers={"a": range(2, 17), "b": range(2, 17), "c": range(2, 17)},
    wordings=(
        "A closed box is {a} cm long, {b} cm wide and {c} cm high. What is its surface area in square cm?",
        "{name} paints all six faces of a block of {a} cm by {b} cm by {c} cm. How many square cm does {he} paint?",
    ),
    steps=(
        "The faces are {a} * {b} = {ab}, {b} * {c} = {bc} and {a} * {c} = {ac}.",
        "Their sum is {ab} + {bc} + {ac} = {three}.",
        "All six: 2 * {three} = {answer}.",
    ),
    closing="The area is {answer} square cm.",
    program="print(2 * ({a} * {b} + {b} * {c} + {a} * {c}))",
    check=lambda v: 2 * v.a * v.b + 2 * (v.a + v.b) * v.c == v.answer,
)
def surface_of_a_box(a: int, b: int, c: int) -> Values:
    ab, bc, ac = a * b, b * c, a * c
    return {"ab": ab, "bc": bc, "ac": ac, "three": ab + bc + ac, "answer": 2 * (ab + bc + ac)}


@family(
    "middle_school",
    topics="inequality less greater bound maximum minimum constraint limit interval upper",
    split="unseen",
    numbers={"a": range(2, 10), "b": range(2, 25), "c": range(30, 130)},
    wordings=(
        "How many positive integers n satisfy {a}n + {b} < {c}?",
        "For how many positive integers n is {a}n + {b} less than {c}?",
    ),
    steps=(
        "Subtract: {a}n < {c} - {b} = {room}.",
        "So {a}n is at most {most}, and {most} = {quotient} * {a} + {remainder}.",
        "So n can be 1 to {answer}.",
    ),
    closing="There are {answer} such integers.",
    program="print(len([n for n in range(1, {c}) if {a} * n + {b} < {c}]))",
    check=lambda v: sum(1 for n in range(1, v.c) if v.a * n + v.b < v.c) == v.answer,
)
def count_below(a: int, b: int, c: int) -> Values | None:
    most = c - b - 1
    if most < 2 * a:
        return None
    return {"room": c - b, "most": most, "quotient": most // a, "remainder": most % a, "answer": most // a}

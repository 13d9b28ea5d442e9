"""Stories about money, to the cent: prices, bills, change, savings. Numbers are cents until they are told."""

from __future__ import annotations

from functools import partial

from src.generation.procedural.composed.story import Part, in_parts

TOPICS = "money price cost buy pay dollar cent change decimal add subtract multiply total each bill discount save"
THINGS = (
    "shirt", "ball", "lamp", "notebook", "cap", "book", "puzzle", "toy", "game", "toy car", "poster", "blanket",
    "plant", "basket", "hammer", "CD", "belt", "cake", "mug", "backpack", "pair of socks", "umbrella", "bag of nuts",
)  # fmt: skip
OTHERS = ("pen", "drink", "kite", "candle", "magazine", "jigsaw", "brush", "wallet", "frisbee", "bracelet", "pie")
SEVERAL = range(2, 10)
_of_cents = partial(in_parts, 2)


def bought(cents: range, small: range) -> list[Part]:
    """What was paid, at prices out of `cents`, or `small` ones where several are bought."""
    return _baskets(
        cents,
        small,
        one=("{name} bought {item:an} for {p:$}.", "{name} paid {p:$} for {item:an}."),
        two=(
            "{name} bought {item:an} for {p:$} and {other:an} for {s:$}.",
            "{name} spent {p:$} on {item:an} and {s:$} on {other:an}.",
            "One {item} costs {p:$} and one {other} costs {s:$}. {name} bought both.",
            "At the store {name} paid {p:$} for {item:an}, and {s:$} for {other:an}.",
        ),
        several=(
            "{name} bought {n:{item}} for {p:$} each.",
            "{name} bought {n:{item}}. Each one cost {p:$}.",
            "One {item} costs {p:$}. {name} bought {n} of them.",
        ),
        several_and_one=(
            "{name} bought {n:{item}} for {p:$} each and {other:an} for {s:$}.",
            "{name} bought {other:an} for {s:$} and {n:{item}} at {p:$} each.",
        ),
    )


def wanted(cents: range, small: range) -> list[Part]:
    """What somebody wants to buy."""
    return _baskets(
        cents,
        small,
        one=("{name} wants to buy {item:an} that costs {p:$}.", "{name} saw {item:an} for {p:$} and wants to buy it."),
        two=(
            "{name} wants to buy {item:an} for {p:$} and {other:an} for {s:$}.",
            "One {item} costs {p:$} and one {other} costs {s:$}. {name} wants both.",
        ),
        several=(
            "{name} wants {n:{item}} at {p:$} each.",
            "{name} wants to give {n:friend} {item:an} each. One costs {p:$}.",
        ),
        several_and_one=("{name} wants to buy {n:{item}} for {p:$} each and {other:an} for {s:$}.",),
    )


def _baskets(
    cents: range,
    small: range,
    *,
    one: tuple[str, ...],
    two: tuple[str, ...],
    several: tuple[str, ...],
    several_and_one: tuple[str, ...],
) -> list[Part]:
    words = {"item": THINGS, "other": OTHERS}
    return [
        Part(
            "one",
            one,
            turn=_of_cents(lambda q, a: {"p": a, "r": a}),
            check=lambda v: v.r == v.p,
            program="q = {p}",
            numbers={"a": cents},
            words=words,
        ),
        Part(
            "two",
            two,
            turn=_of_cents(lambda q, a, b: {"p": a, "s": b, "r": a + b}),
            check=lambda v: v.r - v.p == v.s,
            steps=("That costs {p:$} + {s:$} = {r:$}.",),
            program="q = {p} + {s}",
            numbers={"a": cents, "b": cents},
            words=words,
        ),
        Part(
            "several",
            several,
            turn=_of_cents(lambda q, n, b: {"p": b, "r": n * b}),
            check=lambda v: v.r == sum([v.p] * v.n),
            steps=("That costs {n} * {p:$} = {r:$}.",),
            program="q = {n} * {p}",
            numbers={"n": SEVERAL, "b": small},
            words=words,
        ),
        Part(
            "several_and_one",
            several_and_one,
            turn=_of_cents(lambda q, n, b, c: {"p": b, "s": c, "all": n * b, "r": n * b + c}),
            check=lambda v: v.r - v.s == sum([v.p] * v.n),
            steps=("The {item:s} cost {n} * {p:$} = {all:$}.", "In all that is {all:$} + {s:$} = {r:$}."),
            program="q = {n} * {p} + {s}",
            numbers={"n": SEVERAL, "b": small, "c": cents},
            words=words,
        ),
    ]


def changes(cents: range) -> list[Part]:
    """Of a bill."""
    return [
        Part(
            "cheaper",
            (
                "A coupon took {p:$} off the bill.",
                "The store took {p:$} off the whole bill.",
                "{name} got a discount of {p:$} on all that.",
            ),
            turn=_of_cents(lambda q, a: {"p": a, "r": q - a} if 50 <= a < q // 2 else None),
            check=lambda v: v.r + v.p == v.q,
            steps=("{name} pays {q:$} - {p:$} = {r:$}.",),
            program="q = q - {p}",
            numbers={"a": cents},
        ),
        Part(
            "dearer",
            ("There is {p:$} of tax on top.", "Delivery costs {p:$} more.", "Wrapping costs {p:$} on top."),
            turn=_of_cents(lambda q, a: {"p": a, "r": q + a} if 10 <= a < q // 3 else None),
            check=lambda v: v.r - v.p == v.q,
            steps=("Then it is {q:$} + {p:$} = {r:$}.",),
            program="q = q + {p}",
            numbers={"a": cents},
        ),
    ]


def endings_of_bought(cents: range) -> list[Part]:
    return [
        Part(
            "in_all",
            (
                "How much did {name} pay in all?",
                "How many dollars did that cost {him}?",
                "What did {name} pay in total?",
            ),
            turn=lambda q: {"r": q},
            check=lambda v: v.r == v.q,
            closing="The answer is {r:$}.",
        ),
        Part(
            "change",
            (
                "{name} paid with {bill:$}. How much change did {he} get?",
                "{name} gave the clerk {bill:$}. How many dollars did {he} get back?",
                "{name} had {bill:$} before. How much money did {he} have left?",
            ),
            turn=_of_cents(lambda q, a: {"bill": a, "r": a - q} if 0 < a - q < 6_000 else None),
            check=lambda v: v.r + v.q == v.bill,
            steps=("What is left is {bill:$} - {q:$} = {r:$}.",),
            program="q = {bill} - q",
            numbers={"a": range(500, 20_500, 500)},
            closing="The answer is {r:$}.",
        ),
        Part(
            "split",
            (
                "{n:friend} shared the cost equally. How much did each pay?",
                "A group of {n} split the bill evenly. How many dollars did each one pay?",
            ),
            turn=_of_cents(lambda q, n: {"r": q // n} if q % n == 0 else None),
            check=lambda v: sum([v.r] * v.n) == v.q,
            steps=("Each pays {q:$} / {n} = {r:$}.",),
            program="q = q / {n}",
            numbers={"n": range(2, 7)},
            closing="The answer is {r:$}.",
        ),
        Part(
            "compared",
            (
                "{name}'s cousin spent {p:$}. How much more did {name} spend than the cousin?",
                "Last month {name} spent {p:$}. How much more was it this time?",
                "A neighbor paid {p:$}. How many dollars less is that than what {name} paid?",
            ),
            turn=_of_cents(lambda q, a: {"p": a, "r": q - a} if q - a > 25 else None),
            check=lambda v: v.r + v.p == v.q,
            steps=("The difference is {q:$} - {p:$} = {r:$}.",),
            program="q = q - {p}",
            numbers={"a": cents},
            closing="The answer is {r:$}.",
        ),
    ]


def endings_of_wanted(cents: range) -> list[Part]:
    return [
        Part(
            "in_all",
            ("How much money does {name} need?", "How many dollars will {name} pay?"),
            turn=lambda q: {"r": q},
            check=lambda v: v.r == v.q,
            closing="The answer is {r:$}.",
        ),
        Part(
            "missing",
            (
                "{name} only has {has:$}. How much more money does {he} need?",
                "So far {name} saved {has:$}. How many dollars are missing?",
            ),
            turn=_of_cents(lambda q, a: {"has": a, "r": q - a} if q - a > 25 else None),
            check=lambda v: v.r + v.has == v.q,
            steps=("{name} still needs {q:$} - {has:$} = {r:$}.",),
            program="q = q - {has}",
            numbers={"a": cents},
            closing="The answer is {r:$}.",
        ),
        Part(
            "left",
            (
                "{name} has {has:$}. How much will {he} have left?",
                "{name} earned {has:$} last week. How many dollars of that remain after the purchase?",
            ),
            turn=_of_cents(lambda q, a: {"has": q + a, "r": a}),
            check=lambda v: v.q + v.r == v.has,
            steps=("What is left is {has:$} - {q:$} = {r:$}.",),
            program="q = {has} - q",
            numbers={"a": cents},
            closing="The answer is {r:$}.",
        ),
    ]

"""Stories about money, to the cent: prices, bills, change, savings. Numbers are cents until they are told."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from src.generation.procedural.composed.story import Part, part
from src.generation.procedural.family import Values
from src.generation.procedural.language import decimal

TOPICS = "money price cost buy pay dollar cent change decimal add subtract multiply total each bill discount save"
THINGS = (
    "shirt", "ball", "lamp", "notebook", "cap", "book", "puzzle", "sandwich", "game", "toy car", "poster", "scarf",
    "pizza", "plant", "basket", "hammer", "CD", "belt", "cake", "salad", "ticket", "mug", "backpack", "pair of socks",
)  # fmt: skip
OTHERS = ("pen", "drink", "kite", "candle", "magazine", "jigsaw", "brush", "wallet", "frisbee", "bracelet", "pie")
CENTS = range(125, 4_000)
DOLLARS = range(200, 9_000, 100)
A_FEW = range(2, 10)


def _dollars(cents: int) -> Decimal:
    return decimal(cents, 2)


def _of_cents(turn: Callable[..., Values | None]) -> Callable[..., Values | None]:
    """A turn that reckons in cents, from and to dollars; what it names `n` is a count."""

    def in_dollars(q: Decimal | None, **numbers: int) -> Values | None:
        found = turn(None if q is None else int(q * 100), **numbers)
        if found is None:
            return None
        return {name: value if name == "n" else _dollars(value) for name, value in found.items()}

    return in_dollars


def beginnings(cents: range) -> list[Part]:
    """What is paid, with prices out of `cents`."""
    words = {"item": THINGS, "other": OTHERS}
    return [
        part(
            "one",
            numbers={"a": cents},
            words=words,
            wordings=(
                "{name} bought {item:an} for {p:$}.",
                "{name} wants to buy {item:an} that costs {p:$}.",
                "The price of {item:an} is {p:$}, and {name} buys one.",
            ),
            turn=_of_cents(lambda q, a: {"p": a, "r": a}),
            check=lambda v: v.r == v.p,
            program="q = {p}",
        ),
        part(
            "two",
            numbers={"a": cents, "b": cents},
            words=words,
            wordings=(
                "{name} bought {item:an} for {p:$} and {other:an} for {s:$}.",
                "{name} spent {p:$} on {item:an} and {s:$} on {other:an}.",
                "One {item} costs {p:$} and one {other} costs {s:$}. {name} bought both.",
                "At the store {name} paid {p:$} for {item:an}, and {s:$} for {other:an}.",
            ),
            turn=_of_cents(lambda q, a, b: {"p": a, "s": b, "r": a + b}),
            check=lambda v: v.r - v.p == v.s,
            steps=("That costs {p:$} + {s:$} = {r:$}.",),
            program="q = {p} + {s}",
        ),
        part(
            "several",
            numbers={"n": A_FEW, "b": range(25, 1_500)},
            words=words,
            wordings=(
                "{name} bought {n:{item}} for {p:$} each.",
                "{name} bought {n:{item}}. Each one cost {p:$}.",
                "One {item} costs {p:$}. {name} buys {n} of them.",
            ),
            turn=_of_cents(lambda q, n, b: {"p": b, "r": n * b}),
            check=lambda v: v.r == sum([v.p] * v.n),
            steps=("That costs {n} * {p:$} = {r:$}.",),
            program="q = {n} * {p}",
        ),
        part(
            "several_and_one",
            numbers={"n": A_FEW, "b": range(25, 1_000), "c": cents},
            words=words,
            wordings=(
                "{name} bought {n:{item}} for {p:$} each and {other:an} for {s:$}.",
                "{name} bought {other:an} for {s:$} and {n:{item}} at {p:$} each.",
            ),
            turn=_of_cents(lambda q, n, b, c: {"p": b, "s": c, "all": n * b, "r": n * b + c}),
            check=lambda v: v.r - v.s == sum([v.p] * v.n),
            steps=("The {item:s} cost {n} * {p:$} = {all:$}.", "In all that is {all:$} + {s:$} = {r:$}."),
            program="q = {n} * {p} + {s}",
        ),
    ]


def changes(cents: range) -> list[Part]:
    return [
        part(
            "cheaper",
            numbers={"a": cents},
            wordings=(
                "{He} had a coupon for {p:$} off.",
                "The store took {p:$} off the price.",
                "{friend} paid {p:$} of that for {him}.",
            ),
            turn=_of_cents(lambda q, a: {"p": a, "r": q - a} if q - a > 25 else None),
            check=lambda v: v.r + v.p == v.q,
            steps=("{name} pays {q:$} - {p:$} = {r:$}.",),
            program="q = q - {p}",
        ),
        part(
            "dearer",
            numbers={"a": cents},
            wordings=(
                "There was {p:$} of tax on top.",
                "Delivery cost {p:$} more.",
                "{He} also spent {p:$} on lunch.",
                "{He} left a tip of {p:$}.",
            ),
            turn=_of_cents(lambda q, a: {"p": a, "r": q + a}),
            check=lambda v: v.r - v.p == v.q,
            steps=("Then it is {q:$} + {p:$} = {r:$}.",),
            program="q = q + {p}",
        ),
    ]


def endings(cents: range) -> list[Part]:
    return [
        part(
            "in_all",
            wordings=(
                "How much did {name} spend in all?",
                "How many dollars did that cost {him}?",
                "What did {he} pay in total?",
            ),
            turn=lambda q: {"r": q},
            check=lambda v: v.r == v.q,
            closing="The answer is {r:$}.",
        ),
        part(
            "change",
            numbers={"a": range(500, 10_500, 500)},
            wordings=(
                "{He} paid with {bill:$}. How much change did {he} get?",
                "{He} gave the clerk {bill:$}. What did {he} get back?",
                "{He} had {bill:$} before. How much money is left?",
            ),
            turn=_of_cents(lambda q, a: {"bill": a, "r": a - q} if 0 < a - q < 6_000 else None),
            check=lambda v: v.r + v.q == v.bill,
            steps=("What is left is {bill:$} - {q:$} = {r:$}.",),
            program="q = {bill} - q",
            closing="The answer is {r:$}.",
        ),
        part(
            "missing",
            numbers={"a": cents},
            wordings=(
                "{He} only has {has:$}. How much more money does {he} need?",
                "So far {he} saved {has:$}. How many dollars are missing?",
            ),
            turn=_of_cents(lambda q, a: {"has": a, "r": q - a} if q - a > 25 else None),
            check=lambda v: v.r + v.has == v.q,
            steps=("{name} still needs {q:$} - {has:$} = {r:$}.",),
            program="q = q - {has}",
            closing="The answer is {r:$}.",
        ),
        part(
            "split",
            numbers={"n": range(2, 7)},
            wordings=(
                "{n:friend} shared the cost equally. How much did each pay?",
                "{He} and the others, {n} people in all, split the bill evenly. How many dollars did each one pay?",
            ),
            turn=_of_cents(lambda q, n: {"r": q // n} if q % n == 0 else None),
            check=lambda v: sum([v.r] * v.n) == v.q,
            steps=("Each pays {q:$} / {n} = {r:$}.",),
            program="q = q / {n}",
            closing="The answer is {r:$}.",
        ),
        part(
            "compared",
            numbers={"a": cents},
            wordings=(
                "{friend} spent {p:$}. How much more did {name} spend than {friend}?",
                "Last month {he} spent {p:$}. How much more was it this time?",
            ),
            turn=_of_cents(lambda q, a: {"p": a, "r": q - a} if q - a > 25 else None),
            check=lambda v: v.r + v.p == v.q,
            steps=("The difference is {q:$} - {p:$} = {r:$}.",),
            program="q = q - {p}",
            closing="The answer is {r:$}.",
        ),
    ]

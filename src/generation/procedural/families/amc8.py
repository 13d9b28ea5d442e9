"""AMC 8: counting, chance, averages and areas with one small trick."""

from __future__ import annotations

from fractions import Fraction
from math import gcd

from src.generation.procedural.family import Values, family
from src.generation.procedural.language import unreduced


@family(
    "amc8",
    topics="digit last unit power cycle pattern decimal repeat period modular exponent ones",
    numbers={"a": [n for n in range(2, 60) if n % 10 in (2, 3, 7, 8)], "n": range(10, 120)},
    wordings=("What is the last digit of {a}^{n}?", "Find the ones digit of {a}^{n}."),
    steps=(
        "The last digits of the powers of {a} repeat: {cycle}.",
        "{n} = {turns} * 4 + {rest}, so the place in the cycle is {place}.",
        "There we find {answer}.",
    ),
    closing="The last digit is {answer}.",
    program="""
        digit = 1
        for _ in range({n}):
            digit = digit * {a} % 10
        print(digit)
    """,
    check=lambda v: str(v.a**v.n)[-1] == str(v.answer),
)
def last_digit_of_a_power(a: int, n: int) -> Values:
    digits = [a**i % 10 for i in (1, 2, 3, 4)]
    turns, rest = divmod(n, 4)
    place = rest or 4
    return {
        "cycle": ", ".join(map(str, digits)),
        "turns": turns,
        "rest": rest,
        "place": place,
        "answer": digits[place - 1],
    }


@family(
    "amc8",
    topics="set union intersection venn overlap both neither club count member subset inclusion exclusion",
    numbers={"a": range(8, 25), "b": range(8, 25), "both": range(2, 8), "none": range(2, 15)},
    wordings=(
        "Of {total} students, {a} play chess, {b} play football and {both} play both. How many play neither?",
        "In a class of {total}, {a} have a cat, {b} have a dog and {both} have both. How many have neither?",
    ),
    steps=(
        "At least one: {a} + {b} - {both} = {some}.",
        "Neither: {total} - {some} = {answer}.",
    ),
    closing="The answer is {answer:student}.",
    program="""
        first = set(range({a}))
        second = set(range({a} - {both}, {a} - {both} + {b}))
        print({total} - len(first | second))
    """,
    check=lambda v: (v.a - v.both) + (v.b - v.both) + v.both + v.answer == v.total,
)
def neither_of_two(a: int, b: int, both: int, none: int) -> Values:
    return {"total": a + b - both + none, "some": a + b - both, "answer": none}


@family(
    "amc8",
    topics="area rectangle border frame square region difference inside boundary width outside",
    numbers={"long": range(5, 25), "wide": range(4, 20), "border": range(1, 5)},
    words={"inner": ("pool", "garden", "lawn", "pond")},
    wordings=(
        "A rectangular {inner}, {long} m by {wide} m, has a path {border} m wide all around it. "
        "What is the area of the path in square meters?",
        "A path of width {border} m runs around a rectangular {inner} of {long} m by {wide} m. "
        "Find the path's area in square meters.",
    ),
    steps=(
        "With the path it is {long} + {two} = {big} by {wide} + {two} = {tall}.",
        "The areas are {big} * {tall} = {outside} and {long} * {wide} = {inside}.",
        "The path: {outside} - {inside} = {answer}.",
    ),
    closing="The area is {answer} square meters.",
    program="""
        outside = ({long} + 2 * {border}) * ({wide} + 2 * {border})
        print(outside - {long} * {wide})
    """,
    check=lambda v: 2 * v.border * (v.long + v.wide) + 4 * v.border**2 == v.answer,
)
def path_around_a_pool(long: int, wide: int, border: int) -> Values | None:
    if wide >= long:
        return None
    big, tall = long + 2 * border, wide + 2 * border
    return {
        "two": 2 * border,
        "big": big,
        "tall": tall,
        "outside": big * tall,
        "inside": long * wide,
        "answer": big * tall - long * wide,
    }


@family(
    "middle_school",
    "amc8",
    topics="gcd greatest common divisor factor divide multiple lcm euclid coprime integer number theory",
    numbers={"g": range(2, 20), "a": range(2, 13), "b": range(2, 13)},
    wordings=(
        "{name} has {m:rose} and {n:lily}. {He} makes identical bunches with nothing left over. "
        "What is the largest possible number of bunches?",
        "Find the greatest common divisor of {m} and {n}.",
        "{m} boys and {n} girls form teams. All teams have the same number of boys and all have the same number of "
        "girls. What is the largest possible number of teams?",
    ),
    steps=("We need the greatest common divisor.", "{chain}", "So the divisor is {answer}."),
    closing="The answer is {answer}.",
    program="""
        a, b = {m}, {n}
        while b:
            a, b = b, a % b
        print(a)
    """,
    check=lambda v: max(d for d in range(1, v.m + 1) if v.m % d == 0 and v.n % d == 0) == v.answer,
)
def largest_groups(g: int, a: int, b: int) -> Values | None:
    if a <= b or gcd(a, b) > 1:
        return None
    x, y = g * a, g * b
    chain = []
    while y:
        chain.append(f"{x} = {x // y} * {y} + {x % y}.")
        x, y = y, x % y
    return {"m": g * a, "n": g * b, "chain": " ".join(chain), "answer": g}


@family(
    "amc8",
    topics="pair game tournament team graph edge complete combination handshake clique count vertex play",
    numbers={"n": range(4, 22), "m": range(4, 22), "k": range(1, 4)},
    words={"player": ("team", "player", "club")},
    wordings=(
        "One group has {n:{player}}, another has {m}. In each group every two {player:s} meet {times}. "
        "How many games are played in all?",
        "A league has two groups of {n} and {m} {player:s}. Inside its group each {player} plays every other one "
        "{times}. How many games is that?",
    ),
    steps=(
        "Pairs in the first group: {n} * {n1} / 2 = {first}.",
        "Pairs in the second group: {m} * {m1} / 2 = {second}.",
        "Games: {k} * ({first} + {second}) = {k} * {pairs} = {answer}.",
    ),
    closing="There are {answer:game}.",
    program="""
        from itertools import combinations
        pairs = len(list(combinations(range({n}), 2))) + len(list(combinations(range({m}), 2)))
        print({k} * pairs)
    """,
    check=lambda v: v.k * (sum(range(v.n)) + sum(range(v.m))) == v.answer,
)
def games_in_two_groups(n: int, m: int, k: int) -> Values | None:
    if n == m:
        return None
    first, second = n * (n - 1) // 2, m * (m - 1) // 2
    return {
        "times": ("once", "twice", "three times")[k - 1],
        "n1": n - 1,
        "m1": m - 1,
        "first": first,
        "second": second,
        "pairs": first + second,
        "answer": k * (first + second),
    }


@family(
    "amc8",
    topics="divisible multiple integer count divisor number inclusion exclusion union set either sieve",
    numbers={"a": range(2, 10), "b": range(3, 12), "top": range(40, 301, 5)},
    wordings=(
        "How many integers from 1 to {top} are divisible by {a} or by {b}?",
        "Count the numbers 1, 2, 3, ..., {top} that are multiples of {a} or of {b} (or of both).",
    ),
    steps=(
        "Multiples of {a}: {of_a}. Multiples of {b}: {of_b}.",
        "Multiples of both are multiples of {ab}: {of_ab}.",
        "{of_a} + {of_b} - {of_ab} = {answer}.",
    ),
    closing="There are {answer} such numbers.",
    program="print(sum(1 for n in range(1, {top} + 1) if n % {a} == 0 or n % {b} == 0))",
    check=lambda v: len({*range(v.a, v.top + 1, v.a), *range(v.b, v.top + 1, v.b)}) == v.answer,
)
def multiples_of_either(a: int, b: int, top: int) -> Values | None:
    if a >= b or gcd(a, b) > 1:
        return None
    of_a, of_b, of_ab = top // a, top // b, top // (a * b)
    return {"ab": a * b, "of_a": of_a, "of_b": of_b, "of_ab": of_ab, "answer": of_a + of_b - of_ab}


@family(
    "amc8",
    topics="probability chance random color draw choose event ball sample uniform outcome",
    numbers={"red": range(2, 16), "blue": range(2, 16), "green": range(2, 16)},
    words={"item": ("ball", "marble", "card", "bead")},
    wordings=(
        "A bag holds {red} red, {blue} blue and {green} green {item:s}. {name} draws one at random. "
        "What is the probability that it is not red?",
        "{name} picks one of {red} red, {blue} blue and {green} green {item:s} at random. "
        "What is the probability that it is blue or green?",
    ),
    steps=(
        "In all there are {red} + {blue} + {green} = {all:{item}}.",
        "Blue or green: {blue} + {green} = {good}.",
        "The probability is {raw}{answer}.",
    ),
    closing="The probability is {answer}.",
    program="""
        from fractions import Fraction
        bag = ["red"] * {red} + ["blue"] * {blue} + ["green"] * {green}
        print(Fraction(sum(c != "red" for c in bag), len(bag)))
    """,
    check=lambda v: 1 - Fraction(v.red, v.red + v.blue + v.green) == v.answer,
)
def not_the_red_one(red: int, blue: int, green: int) -> Values:
    total, good = red + blue + green, blue + green
    return {"all": total, "good": good, "raw": unreduced(good, total), "answer": Fraction(good, total)}


@family(
    "amc8",
    topics="average mean remove number change statistics data update list outlier",
    split="unseen",
    numbers={"n": range(4, 10), "mean": range(10, 60), "new": range(8, 60)},
    wordings=(
        "The average of {n} numbers is {mean}. When one number is removed, the average of the others is {new}. "
        "Which number was removed?",
        "{n} numbers have mean {mean}. Without one of them the mean is {new}. What is that one?",
    ),
    steps=(
        "All {n} sum to {n} * {mean} = {total}.",
        "The other {n1} sum to {n1} * {new} = {others}.",
        "The removed number is {total} - {others} = {answer}.",
    ),
    closing="The number is {answer}.",
    program="""
        for removed in range(1000):
            if {n} * {mean} - removed == ({n} - 1) * {new}:
                print(removed)
    """,
    check=lambda v: Fraction(v.new * (v.n - 1) + v.answer, v.n) == v.mean,
)
def removed_number(n: int, mean: int, new: int) -> Values | None:
    total, others = n * mean, (n - 1) * new
    if new == mean or not 0 < total - others <= 200:
        return None
    return {"n1": n - 1, "total": total, "others": others, "answer": total - others}


def _blocks_with_two_painted_faces(a: int, b: int, c: int) -> int:
    spots = ((x, y, z) for x in range(a) for y in range(b) for z in range(c))
    return sum((x in (0, a - 1)) + (y in (0, b - 1)) + (z in (0, c - 1)) == 2 for x, y, z in spots)


@family(
    "amc8",
    topics="cube block paint face edge surface solid unit dimension grid lattice",
    split="unseen",
    numbers={"a": range(3, 18), "b": range(3, 18), "c": range(3, 18)},
    wordings=(
        "A block of {a} by {b} by {c} unit cubes is painted outside and taken apart. "
        "How many cubes have exactly two painted faces?",
        "{name} builds a block of {a} by {b} by {c} unit cubes and paints its whole surface. "
        "How many unit cubes get paint on exactly two faces?",
    ),
    steps=(
        "Such cubes lie on the edges, not at the corners.",
        "The edges have {a} - 2 = {x}, {b} - 2 = {y} and {c} - 2 = {z} of them, four edges each.",
        "4 * ({x} + {y} + {z}) = 4 * {sum} = {answer}.",
    ),
    closing="There are {answer:cube}.",
    program="""
        count = 0
        for x in range({a}):
            for y in range({b}):
                for z in range({c}):
                    count += (x in (0, {a} - 1)) + (y in (0, {b} - 1)) + (z in (0, {c} - 1)) == 2
        print(count)
    """,
    check=lambda v: _blocks_with_two_painted_faces(v.a, v.b, v.c) == v.answer,
)
def painted_block(a: int, b: int, c: int) -> Values:
    x, y, z = a - 2, b - 2, c - 2
    return {"x": x, "y": y, "z": z, "sum": x + y + z, "answer": 4 * (x + y + z)}

"""Arithmetic as it is written on paper: lines of working that end in the result."""

from __future__ import annotations

PLACES = ("ones", "tens", "hundreds", "thousands", "ten thousands")


def column_sum(a: int, b: int) -> str:
    """Addition digit by digit from the right: `ones: 7 + 5 = 12, write 2, carry 1`."""
    lines, carry = [], 0
    width = max(len(str(a)), len(str(b)))
    for place in range(width):
        x, y = a // 10**place % 10, b // 10**place % 10
        total = x + y + carry
        terms = f"{x} + {y}" + (" + 1" if carry else "")
        carry = total // 10
        moved = f", write {total % 10}, carry 1" if carry else ""
        lines.append(f"{PLACES[place]}: {terms} = {total}{moved}.")
    return "\n".join(lines)


def column_difference(a: int, b: int) -> str:
    """Subtraction of a smaller number digit by digit from the right, with what is borrowed."""
    lines, borrow = [], 0
    for place in range(len(str(a))):
        x, y = a // 10**place % 10 - borrow, b // 10**place % 10
        borrow = int(x < y)
        top = f"borrow, {x} + 10 = {x + 10}, {x + 10}" if borrow else f"{x}"
        lines.append(f"{PLACES[place]}: {top} - {y} = {x + 10 * borrow - y}.")
    return "\n".join(lines)


def product_by_parts(a: int, b: int) -> str:
    """A product with a two-digit number: `37 * 24 = 37 * 20 + 37 * 4 = 740 + 148 = 888`; at once where b is short."""
    tens, ones = b // 10 * 10, b % 10
    if not tens or not ones:
        return f"{a} * {b} = {a * b}"
    return f"{a} * {b} = {a} * {tens} + {a} * {ones} = {a * tens} + {a * ones} = {a * b}"


def running_sum(numbers: list[int]) -> str:
    """`3 + 9 = 12, 12 + 8 = 20`."""
    total, parts = numbers[0], []
    for number in numbers[1:]:
        sign = "-" if number < 0 else "+"
        parts.append(f"{total} {sign} {abs(number)} = {total + number}")
        total += number
    return ", ".join(parts)


def smallest_factor(n: int) -> int:
    """The smallest divisor of n above 1."""
    return next(d for d in range(2, n + 1) if n % d == 0)


def factors_of(n: int) -> list[int]:
    """The prime factors of n >= 2, smallest first, each as often as it divides."""
    found = []
    while n > 1:
        found.append(smallest_factor(n))
        n //= found[-1]
    return found

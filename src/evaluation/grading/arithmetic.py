"""Trees worked out: exactly where the result is rational, else to 130 digits. Every step is bounded."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath

from src.evaluation.grading.expressions import Tree

DIGITS = 130
LARGEST_BITS = 200_000  # of a number: 60,000 digits
MAX_STEPS, MAX_TERMS = 20_000, 2_000

mp = mpmath.MPContext()
mp.dps = DIGITS
_TINY = mp.mpf(10) ** -100
_NEARLY_ZERO = mp.mpf(10) ** -110
_WITHIN = mp.mpf(10) ** -90

Value = Any  # Fraction, mpf, mpc, or a matrix of them: a tuple of rows


class UndefinedError(ArithmeticError):
    """There is no value: a division by zero, too large a number, too many steps, a function that is not known."""


class TooLongError(UndefinedError):
    """Too many steps, wherever the tree is worked out."""


def equal(one: Value, other: Value) -> bool:
    """Rational values exactly; others to 90 digits."""
    if isinstance(one, tuple) or isinstance(other, tuple):
        return _shape(one) == _shape(other) and all(equal(a, b) for a, b in zip(_cells(one), _cells(other)))
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    one, other = inexact(one), inexact(other)
    if one == other or not mp.isfinite(one) or not mp.isfinite(other):
        return bool(one == other)
    return bool(abs(one - other) <= _WITHIN * max(abs(one), abs(other)))


def _shape(value: Value) -> tuple[int, int] | None:
    return (len(value), len(value[0])) if isinstance(value, tuple) else None


def _cells(value: Value) -> list[Value]:
    return [cell for row in value for cell in row]


def is_real(value: Value) -> bool:
    if isinstance(value, tuple):
        return all(is_real(cell) for cell in _cells(value))
    return not isinstance(value, mp.mpc)


def inexact(value: Value) -> Any:
    """The number as an mpf or mpc."""
    return mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def variables(tree: Tree) -> set[str]:
    """The names that need a value; those of functions and of indices too."""
    found: set[str] = set()
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple) and node:
            if node[0] in ("var", "opaque"):
                found.add(node[1])
            stack += [part for part in node[1:] if isinstance(part, tuple)]
            stack += [node[0]] if isinstance(node[0], tuple) else []
    return found


def holds(tree: Tree, *heads: str) -> bool:
    """Does a node of one of these kinds, or a constant of this name, stand anywhere in the tree?"""
    return any(
        (isinstance(part, tuple) and holds(part, *heads)) or (isinstance(part, str) and part in heads) for part in tree
    )


@lru_cache(100_000)
def sample(name: str, point: int) -> Fraction:
    """A number for a name, another for each point, always the same: in (0, 1), above 1, or of either sign."""
    drawn = int.from_bytes(hashlib.blake2b(f"{name} {point}".encode(), digest_size=4).digest(), "big")
    part = Fraction(drawn % 9_973 + 1, 9_974)
    return (part, 1 + 5 * part, 9 * (part - Fraction(1, 2)))[point % 3]


def complex_sample(name: str, point: int) -> Any:
    """A complex number for a name, for what takes one apart."""
    return mp.mpc(*(inexact(sample(part, point)) for part in (name, f"imaginary {name}")))


def whole_sample(name: str, point: int) -> Fraction:
    """A whole number for a name, for what needs one: the limit of a sum."""
    return Fraction(3 + int(sample(name, 3 * point) * 9))


def evaluate(tree: Tree, given: Callable[[str], Fraction]) -> Value:
    """The tree's value where `given` says what each name is. Raises UndefinedError."""
    try:
        return _Evaluation(given).value(tree)
    except (ZeroDivisionError, OverflowError, ValueError, TypeError, RecursionError, mp.NoConvergence) as error:
        raise UndefinedError(str(error)) from error


class _Evaluation:
    def __init__(self, given: Callable[[str], Fraction]):
        self.given, self.steps = given, 0
        self.bound: dict[str, Fraction] = {}

    def value(self, tree: Tree) -> Value:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooLongError("too many steps")
        match tree:
            case ("num", number):
                return number
            case ("const", name):
                return self.bound[name] if name in self.bound else _CONSTANTS[name]
            case ("var", name):
                return self.bound[name] if name in self.bound else self.given(name)
            case ("neg", inner):
                return _multiply(Fraction(-1), self.value(inner))
            case ("+", left, right):
                return _add(self.value(left), self.value(right))
            case ("-", left, right):
                return _add(self.value(left), _multiply(Fraction(-1), self.value(right)))
            case ("*", left, right):
                return _multiply(self.value(left), self.value(right))
            case ("/", left, right):
                return _multiply(self.value(left), _power(self.value(right), Fraction(-1)))
            case ("^", left, right):
                return _power(self.value(left), self.value(right))
            case ("call", name, *arguments):
                return _checked(_call(name, [self.value(argument) for argument in arguments]))
            case ("opaque", name, *arguments):
                shown = ", ".join(_shown(self.value(argument)) for argument in arguments)
                return self.given(f"{name}({shown})")
            case ("matrix", rows):
                return tuple(tuple(self.value(cell) for cell in row) for row in rows)
            case ("series", operator, name, low, high, body):
                return self.series(operator, name, self.value(low), self.value(high), body)
        raise UndefinedError(f"nothing is known of {tree[0]!r}")

    def series(self, operator: str, name: str, low: Value, high: Value, body: Tree) -> Value:
        if not _is_whole(low) or not _is_whole(high) or high - low > MAX_TERMS:
            raise UndefinedError("the limits of a series are whole numbers, not far apart")
        total, join = (Fraction(0), _add) if operator == "+" else (Fraction(1), _multiply)
        outside = self.bound.get(name)
        for index in range(int(low), int(high) + 1):
            self.bound[name] = Fraction(index)
            total = join(total, self.value(body))
        if outside is None:
            self.bound.pop(name, None)
        else:
            self.bound[name] = outside
        return total


_CONSTANTS: dict[str, Any] = {"pi": +mp.pi, "e": +mp.e, "i": mp.mpc(0, 1), "oo": mp.inf}


def _shown(value: Value) -> str:
    return str(value) if isinstance(value, Fraction) else mp.nstr(value, 30)


def _is_whole(value: Value) -> bool:
    return isinstance(value, Fraction) and value.denominator == 1


def _checked(value: Value) -> Value:
    """Refuse what is too large to go on with, and what is no number; drop the noise of a vanishing part."""
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > LARGEST_BITS:
            raise UndefinedError("too large")
        return value
    if isinstance(value, mp.mpc):
        if abs(value.imag) <= _TINY * abs(value.real):
            return _checked(value.real)
        if abs(value.real) <= _TINY * abs(value.imag):
            value = mp.mpc(0, value.imag)
        return value
    if mp.isnan(value):
        raise UndefinedError("not a number")
    if mp.isfinite(value) and value and abs(mp.mag(value)) > LARGEST_BITS:
        raise UndefinedError("too large")
    return value


def _add(left: Value, right: Value) -> Value:
    if isinstance(left, tuple) or isinstance(right, tuple):
        if _shape(left) != _shape(right):
            raise UndefinedError("matrices of different shapes")
        return tuple(tuple(map(_add, *rows)) for rows in zip(left, right))
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return _checked(left + right)
    left, right = inexact(left), inexact(right)
    total = left + right
    if abs(total) <= _TINY * abs(left) and mp.isfinite(left):
        return Fraction(0)  # what is left is the noise of the last digits
    return _checked(total)


def _multiply(left: Value, right: Value) -> Value:
    if isinstance(left, tuple) and isinstance(right, tuple):
        if len(left[0]) != len(right):
            raise UndefinedError("matrices that do not fit")
        return tuple(tuple(_dot(row, column) for column in zip(*right)) for row in left)
    if isinstance(left, tuple) or isinstance(right, tuple):
        matrix, scalar = (left, right) if isinstance(left, tuple) else (right, left)
        return tuple(tuple(_multiply(cell, scalar) for cell in row) for row in matrix)
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return _checked(left * right)
    if left == 0 or right == 0:
        return Fraction(0)
    return _checked(inexact(left) * inexact(right))


def _dot(row: tuple[Value, ...], column: tuple[Value, ...]) -> Value:
    total: Value = Fraction(0)
    for pair in zip(row, column):
        total = _add(total, _multiply(*pair))
    return total


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, tuple):
        if not _is_whole(exponent) or not 1 <= exponent <= 20:
            raise UndefinedError("a power of a matrix")
        return base if exponent == 1 else _multiply(base, _power(base, exponent - 1))
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        exact = _exact_power(base, exponent)
        if exact is not None:
            return _checked(exact)
    if base == 0:
        if isinstance(exponent, mp.mpc) or not exponent > 0:
            raise ZeroDivisionError
        return Fraction(0)
    base, exponent = inexact(base), inexact(exponent)
    finite = mp.isfinite(base) and mp.isfinite(exponent)
    if finite and abs(exponent) * (abs(mp.mag(base)) + 4) > LARGEST_BITS:
        raise UndefinedError("too large")
    return _checked(mp.power(base, exponent))


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """The power where it is rational; None where it is not."""
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator == 1:
        if base in (0, 1, -1):
            return base**exponent.numerator if base or exponent >= 0 else 1 / base
        if abs(exponent) * (size - 1) > LARGEST_BITS:
            raise UndefinedError("too large")
        return base**exponent.numerator
    if base <= 0 or exponent.denominator > 12 or size > 4_000:
        return Fraction(0) if base == 0 and exponent > 0 else None
    roots = [_whole_root(part, exponent.denominator) for part in (base.numerator, base.denominator)]
    if None in roots:
        return None
    return _exact_power(Fraction(*roots), Fraction(exponent.numerator))  # type: ignore[arg-type]


def _whole_root(number: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(number)
    else:
        low, high = 0, 1 << (number.bit_length() // degree + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
        root = low
    return root if root**degree == number else None


def _call(name: str, arguments: list[Value]) -> Value:
    if name == "det" and len(arguments) == 1 and isinstance(arguments[0], tuple):
        return _determinant(arguments[0])
    if any(isinstance(argument, tuple) for argument in arguments):
        raise UndefinedError("a function of a matrix")
    if name in _EXACT:
        return _EXACT[name](*arguments)
    numbers = [inexact(argument) for argument in arguments]
    if any(mp.isfinite(n) and n and abs(mp.mag(n)) > 10_000 for n in numbers):
        raise UndefinedError("too large")
    result = _FUNCTIONS[name](*numbers) if name in _FUNCTIONS else None
    if result is None:
        raise UndefinedError(f"nothing is known of {name}")
    return Fraction(0) if abs(result) < _NEARLY_ZERO and name in _VANISHING else result


def _determinant(matrix: Value) -> Value:
    """By minors of the first row."""
    if len(matrix) != len(matrix[0]) or len(matrix) > 6:
        raise UndefinedError("a determinant of what is not square, or too large")
    if len(matrix) == 1:
        return matrix[0][0]
    total: Value = Fraction(0)
    for place, cell in enumerate(matrix[0]):
        minor = tuple((*row[:place], *row[place + 1 :]) for row in matrix[1:])
        total = _add(total, _multiply(_multiply(Fraction((-1) ** place), cell), _determinant(minor)))
    return total


def _sqrt(x: Value) -> Value:
    return _power(x, Fraction(1, 2))


def _root(x: Value, degree: Value = Fraction(2)) -> Value:
    """The real root where there is one: that of an odd degree of a negative number, too."""
    if _is_whole(degree) and degree % 2 and is_real(x) and x < 0:
        return _multiply(Fraction(-1), _power(_multiply(Fraction(-1), x), 1 / degree))
    return _power(x, _power(degree, Fraction(-1)))


def _factorial(n: Value) -> Value:
    if _is_whole(n) and 0 <= n <= 5_000:
        return Fraction(math.factorial(int(n)))
    number = inexact(n)
    if (_is_whole(n) and n < 0) or abs(number) > 10**6:
        raise UndefinedError("a factorial too large, or of a negative number")
    return mp.gamma(number + 1)


def _double_factorial(n: Value) -> Value:
    """7!! is 7 * 5 * 3 * 1, and not the factorial of 7!."""
    if not _is_whole(n) or not 0 <= n <= 5_000:
        raise UndefinedError("a double factorial too large, or of no whole number")
    return Fraction(math.prod(range(int(n), 0, -2)))


def _binomial(n: Value, k: Value) -> Value:
    if _is_whole(n) and _is_whole(k):
        if not 0 <= k <= n:
            return Fraction(0) if n >= 0 else mp.binomial(inexact(n), inexact(k))
        if min(k, n - k) > 2_000:
            raise UndefinedError("too large")
        return Fraction(math.comb(int(n), int(k)))
    if max(abs(inexact(n)), abs(inexact(k))) > 10**6:
        raise UndefinedError("too large")
    return mp.binomial(inexact(n), inexact(k))


def _rounded(down: bool) -> Callable[[Value], Value]:
    def round_to_whole(x: Value) -> Value:
        if not is_real(x):
            raise UndefinedError("rounding a complex number")
        if isinstance(x, Fraction):
            return Fraction(math.floor(x) if down else math.ceil(x))
        nearest = mp.nint(x)
        if abs(x - nearest) > _WITHIN:
            nearest = mp.floor(x) if down else mp.ceil(x)
        return Fraction(int(nearest))

    return round_to_whole


def _log(x: Value, base: Value | None = None) -> Value:
    if base is None:
        return Fraction(0) if x == 1 else mp.log(inexact(x))
    quotient = mp.log(inexact(x)) / mp.log(inexact(base))
    near = mp.nint(quotient.real)
    if isinstance(x, Fraction) and isinstance(base, Fraction) and abs(quotient - near) < _WITHIN and abs(near) < 1_000:
        return Fraction(int(near))
    return quotient


def _whole_only(function: Callable[..., int]) -> Callable[..., Value]:
    def apply(*arguments: Value) -> Value:
        if not all(_is_whole(argument) for argument in arguments):
            raise UndefinedError("of whole numbers only")
        return Fraction(function(*(int(argument) for argument in arguments)))

    return apply


_EXACT: dict[str, Callable[..., Value]] = {
    "abs": lambda x: abs(x),
    "sqrt": _sqrt,
    "root": _root,
    "cbrt": lambda x: _root(x, Fraction(3)),
    "factorial": _factorial,
    "double factorial": _double_factorial,
    "binom": _binomial,
    "floor": _rounded(down=True),
    "ceil": _rounded(down=False),
    "log": _log,
    "ln": _log,
    "lg": lambda x: _log(x, Fraction(10)),
    "ratio": lambda a, b=Fraction(1): _multiply(a, _power(b, Fraction(-1))),
    "power": _power,
    "same": lambda x: x,
    "min": lambda *xs: min(xs),
    "max": lambda *xs: max(xs),
    "gcd": _whole_only(math.gcd),
    "lcm": _whole_only(math.lcm),
    "remainder": _whole_only(lambda a, b: a % b),
    "sign": lambda x: Fraction((x > 0) - (x < 0)),
}
_VANISHING = {"sin", "cos", "tan", "cot", "sinh", "tanh", "arcsin", "arccos", "arctan"}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(mp, name) for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "exp")},
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "re": mp.re,
    "im": mp.im,
    "arg": mp.arg,
}

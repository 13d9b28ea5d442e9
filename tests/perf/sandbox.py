"""Programs a second in the sandbox, beside a fresh interpreter for each, one after the other.

The mix is that of the 1,000 programs of the sample tool corpus: 24 % import SymPy, 13 % NumPy, the rest neither.
"""

from __future__ import annotations

import subprocess
import sys

from src.evaluation.sandbox import Sandbox
from tests.perf.measure import Aim, Comparison, Options, cycled, in_turns, seconds

PLAIN = (
    "total = 0\nfor n in range(1, 101):\n    if n % 3 == 0 or n % 5 == 0:\n        total += n\nprint(total)",
    "import math\nradius = 7.5\nprint(round(math.pi * radius**2, 3))",
    "def ways(coins, amount):\n    found = [1] + [0] * amount\n    for coin in coins:\n"
    "        for part in range(coin, amount + 1):\n            found[part] += found[part - coin]\n"
    "    return found[amount]\nprint(ways([1, 5, 10, 25], 100))",
    "from fractions import Fraction\nprint(sum(Fraction(1, n) for n in range(1, 11)))",
    "price, rate, years = 1200, 0.035, 8\nprint(f'{price * (1 + rate) ** years:.2f}')",
)
SYMPY = (
    "from sympy import symbols, solve\nx = symbols('x')\nprint(solve(x**2 - 5*x + 6, x))",
    "import sympy as sp\nx = sp.symbols('x')\nprint(sp.diff(x**3 * sp.sin(x), x).subs(x, sp.pi))",
)
NUMPY = ("import numpy as np\nprint(np.linalg.solve(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([5.0, 10.0])))",)
MIX = (*cycled(PLAIN, 5), *SYMPY, *NUMPY)
KINDS = {"with SymPy": SYMPY, "with neither": PLAIN}


def run(options: Options) -> list[Comparison]:
    with Sandbox() as sandbox:
        found = [_compare("snippets, mixed", MIX, sandbox, options, Aim(10))]
        found += [_compare(f"snippets, {name}", codes, sandbox, options) for name, codes in KINDS.items()]
    return found


def _compare(
    what: str, codes: tuple[str, ...], sandbox: Sandbox, options: Options, aim: Aim | None = None
) -> Comparison:
    many, few = cycled(codes, options.size(400, 16)), cycled(codes, options.size(40, 8))
    sides = {
        "ours": lambda: len(many) / seconds(lambda: [sandbox.run(code) for code in many]),
        "fresh interpreter": lambda: len(few) / seconds(lambda: [interpret(code) for code in few]),
    }
    speed = in_turns(options.rounds, sides)
    note = f"isolation: {sandbox.isolation}; {len(many)} snippets, of which {len(few)} for the fresh interpreter"
    return Comparison(what, "/s", speed["ours"], speed["fresh interpreter"], "fresh interpreter", aim, note)


def interpret(code: str) -> None:
    """What a harness without a warm worker does."""
    subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)

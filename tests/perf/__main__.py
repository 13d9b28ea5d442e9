"""Speed as ratios measured in one run: `python -m tests.perf [packing training ...] [--quick]`.

Each bench runs in a process of its own, so that neither memory, nor threads, nor a crash reach the next.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.core.errors import UserError
from tests.perf.machine import circumstances, flat
from tests.perf.measure import Comparison, Options, Skip, run_bench
from tests.perf.rows import REPOSITORY
from tests.perf.table import as_data, notes, table

BENCHES = (
    "packing",
    "training",
    "generation",
    "calls",
    "grading",
    "sandbox",
    "influence",
    "cleaning",
    "puzzles",
    "checking",
    "search",
)
BUSY = 0.5


@dataclass
class Results:
    """What the benches found, and why others found nothing."""

    found: dict[str, list[Comparison]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        lines = [table(self.found), ""] if self.found else []
        lines += [f"- {note}" for note in notes(self.found)]
        lines += [f"- {bench}: skipped, {reason}" for bench, reason in self.skipped.items()]
        lines += [f"- {bench}: FAILED, {reason}" for bench, reason in self.failed.items()]
        return "\n".join(lines)

    def as_data(self) -> dict[str, Any]:
        found = {bench: [as_data(comparison) for comparison in cs] for bench, cs in self.found.items()}
        return {"results": found, "skipped": self.skipped, "failed": self.failed}


def main() -> int:
    arguments = _parser().parse_args()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a NUMA notice for each engine
    results, where = Results(), circumstances()
    if where["load"] > BUSY:
        print(f"This machine is busy (load {where['load']:.1f}): expect wide spreads.", file=sys.stderr)
    for bench in arguments.benches or BENCHES:
        print(bench, file=sys.stderr, flush=True)
        _run(bench, arguments, results)
    print(results.text())
    _write(arguments.out, where, results)
    return 1 if results.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.perf", description="Speed, as ratios measured in one run.")
    parser.add_argument("benches", nargs="*", type=_bench, metavar="bench", help=f"of {', '.join(BENCHES)}; or all")
    parser.add_argument("--quick", action="store_true", help="a smoke run: too small for its figures to mean anything")
    parser.add_argument("--rounds", type=int, help="how often each side is measured (5, or 2 when quick)")
    parser.add_argument(
        "--model", choices=("tiny", "smollm2"), default="tiny", help="for training, influence and search"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "outputs" / "bench", help="folder for the results")
    return parser


def _bench(name: str) -> str:
    if name not in BENCHES:
        raise argparse.ArgumentTypeError(f"no bench '{name}': there are {', '.join(BENCHES)}")
    return name


def _run(bench: str, arguments: argparse.Namespace, results: Results) -> None:
    """Run one bench in a fresh process and put down what came of it."""
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix=f"bench-{bench}-") as scratch, ProcessPoolExecutor(1, fresh) as process:
        rounds = arguments.rounds or (2 if arguments.quick else 5)
        options = Options(arguments.quick, rounds, arguments.model, Path(scratch))
        try:
            results.found[bench] = process.submit(run_bench, bench, options).result()
        except (Skip, UserError) as reason:
            results.skipped[bench] = str(reason).split("\n")[0]
        except Exception as error:  # the other benches still have something to say
            traceback.print_exception(error)
            results.failed[bench] = f"{type(error).__name__}: {error}"


def _write(folder: Path, where: dict[str, Any], results: Results) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({**where, **results.as_data()}, indent=1) + "\n")
    facts = "\n".join(f"- {name}: {value}" for name, value in flat(where).items())
    (folder / "results.md").write_text(f"{results.text()}\n\n{facts}\n")
    print(f"\nwritten to {folder}/results.md and results.json", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

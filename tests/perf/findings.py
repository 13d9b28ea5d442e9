"""Is what the check of arithmetic calls wrong wrong? Its findings in solutions that others wrote, to be judged by eye.

    python -m tests.perf.findings                                   # all sample data beside the repository
    python -m tests.perf.findings rows.jsonl:answer --count 200     # your own: a file of JSON lines and a field of it

Prints so many findings, drawn by a seed, each with what stands around it, and how many texts were read.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

from src.text.arithmetic import check_arithmetic, plain
from src.text.quality import prose
from tests.perf.rows import DATA

SAMPLES = (
    "corpus/jiuzhang_cot_sample.jsonl:output",
    "corpus/jiuzhang_tool_sample.jsonl:output",
    "corpus/jiuzhang_sft_sample.jsonl:output",
    "benchmarks/gsm8k.jsonl:answer",
    "benchmarks/math500.jsonl:solution",
)
AROUND = 160  # characters before a finding, and so many after it


def findings(source: str) -> Iterator[str | None]:
    """For each row of a "FILE:FIELD" its finding, or None."""
    path, _, field = source.rpartition(":")
    with Path(path).expanduser().open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            text = prose(json.loads(line)[field])
            wrong = check_arithmetic(text).wrong
            yield f"{Path(path).name}, line {number}: {wrong}\n    {_around(text, wrong)}" if wrong else None


def _around(text: str, wrong: str) -> str:
    flat = " ".join(plain(text).split())
    at = flat.find(wrong)
    return flat[max(at - AROUND, 0) : at + len(wrong) + AROUND]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.findings", description=__doc__.split("\n")[0])
    samples = [str(DATA / sample) for sample in SAMPLES]
    parser.add_argument("sources", nargs="*", metavar="FILE:FIELD", default=samples, help="JSON lines, and a field")
    parser.add_argument("--count", type=int, default=200, help="how many findings to show, at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    told = [finding for source in arguments.sources for finding in findings(source)]
    found = [finding for finding in told if finding]
    print("\n".join(random.Random(arguments.seed).sample(found, min(arguments.count, len(found)))))
    print(f"{len(found):,} findings in {len(told):,} texts")


if __name__ == "__main__":
    main()

"""Does the generate stage's memory stay flat, and how many rows a second does it take in and put out?

    python -m tests.perf.generation_memory 10000 1000000

The procedural generator writes, so that what is measured is the stage: asking, journal, sorting, Parquet. Each size
runs in a process of its own and says its peak memory; the prompts are made by another process before the clock starts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from src.core.records import Prompt, content_id, write_table
from src.core.stage import Artifact, StageContext
from src.generation.procedural.generator import ProceduralGenerator
from src.prompts.sets import STAGES
from src.stages.generate import Generate
from src.worker import peak_memory_mb

PASSAGE = (
    "Let a triangle with area {n} and a circle of radius {m} be given; count the primes that divide their sum. " * 4
)
TOOL_SHARE = 4  # every fourth prompt asks for a program


def prompts(count: int) -> Iterator[Prompt]:
    for i in range(count):
        kind = "tool" if i % TOOL_SHARE == 0 else "cot"
        text = PASSAGE.format(n=i, m=i % 97)
        yield Prompt(content_id("prompt", i), content_id("passage", i), STAGES[i % len(STAGES)], kind, text)


def write_prompts(folder: Path, count: int) -> None:
    write_table(folder / "prompts", Prompt, prompts(count))


def run_stage(source: Path, folder: Path) -> tuple[int, float, float]:
    """Rows kept, seconds and peak memory in MiB."""
    ctx = StageContext(folder / "out", folder / "work", {"prompts": Artifact(source)}, folder / "cache")
    for made in (ctx.out, ctx.work):
        made.mkdir(parents=True)
    started = time.monotonic()
    Generate(ProceduralGenerator(), {"cot": {}, "tool": {}}).run(ctx)
    ctx.tally.check()
    return ctx.tally.kept, time.monotonic() - started, peak_memory_mb()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.generation_memory", description=__doc__.split("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[10_000, 1_000_000], help="how many prompts")
    fresh = multiprocessing.get_context("spawn")
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory(prefix="generation-memory-") as scratch:
            source, folder = Path(scratch, "source"), Path(scratch, "stage")
            with ProcessPoolExecutor(1, fresh) as process:
                process.submit(write_prompts, source, size).result()
            with ProcessPoolExecutor(1, fresh) as process:
                rows, seconds, memory = process.submit(run_stage, source, folder).result()
        print(f"{rows:>9,} rows  {seconds:7.1f} s  {rows / seconds:7,.0f} rows/s  peak {memory:,.0f} MiB", flush=True)


if __name__ == "__main__":
    main()

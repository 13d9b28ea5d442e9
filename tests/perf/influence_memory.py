"""Does the stage `select` keep its memory flat, from a thousand candidates to fifty thousand?

    python -m tests.perf.influence_memory 1000 50000

Each size runs in a process of its own, which says its peak memory; another has made the tables before. The model is as
small as can be, so that what grows with the candidates has nothing to hide behind; prompts and answers have the length
of real ones, though the model reads only the first tokens of each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from src.core.records import Example, Generation, Passage, Prompt, content_id, write_table
from src.core.stage import Artifact, StageContext
from src.modeling.recipe import Recipe
from src.modeling.sources import TinyLlama
from src.modeling.trainer import Trainer
from src.prompts.sets import STAGES
from src.selection.influence import Influence
from src.stages.select import Select
from src.text.parsing import format_response
from tests.perf.measure import Aim, Comparison, Options, apart, peak_mib

TOKENS = 48
RECIPE = Recipe(lr=1e-3, sequence_length=TOKENS, batch_sequences=4, max_steps=2)
PASSAGE = "Numbers are added column by column, from the right to the left, and what is too much is carried. " * 10
WORK = " Count on from the first number, one step for each unit of the second, and say where you arrive." * 6


class Sums:
    """A target."""

    def dev_examples(self) -> Iterator[Example]:
        for i in range(1_000_000, 1_000_020):
            yield Example(content_id(i), "sums", f"## Question\n{_question(i)}\n\n## Solution\n", _solution(i))


def run(options: Options) -> Comparison:
    few, many = options.size(1_000, 100), options.size(50_000, 1_000)
    peaks = {count: measure(count, options.scratch / str(count))[0] for count in (few, many)}
    note = f"a model of one layer, {few:,} and {many:,} sums as candidates"
    what, against = f"peak memory, {many:,} candidates", f"{few:,} candidates"
    return Comparison(what, "MiB", (peaks[many],), (peaks[few],), against, Aim(1.1, at_most=True), note)


def measure(count: int, folder: Path) -> tuple[float, float]:
    """Peak memory in MiB and seconds of the stage."""
    apart(make_inputs, count, folder)
    return apart(run_stage, count, folder)


def make_inputs(count: int, folder: Path) -> None:
    """The tables of prompts, passages and candidates, and the model."""
    ids = [(content_id("prompt", i), content_id("passage", i), STAGES[i % len(STAGES)]) for i in range(count)]
    passages = (Passage(passage, "sums", PASSAGE) for _, passage, _ in ids)
    prompts = (Prompt(id, passage, stage, "cot", f"Learn from this text.\n{PASSAGE}") for id, passage, stage in ids)
    candidates = (
        Generation(content_id(id), id, passage, stage, "cot", _written(i), "stop", 99, "model")
        for i, (id, passage, stage) in enumerate(ids)
    )
    write_table(folder / "passages" / "passages", Passage, passages)
    write_table(folder / "prompts" / "prompts", Prompt, prompts)
    write_table(folder / "candidates" / "generations", Generation, candidates)
    small = TinyLlama(hidden_size=32, layers=1, heads=2, kv_heads=2, intermediate_size=64, vocab_size=512)
    small.prepare(folder / "synthesizer" / "model", lambda: (row.prompt + row.response for row in _some()), seed=0)


def run_stage(count: int, folder: Path) -> tuple[float, float]:
    inputs = {name: Artifact(folder / name) for name in ("passages", "prompts", "candidates", "synthesizer")}
    ctx = StageContext(folder / "out", folder / "work", inputs, folder / "cache")
    for made in (ctx.out, ctx.work):
        made.mkdir(parents=True)
    selector = Influence(
        fraction=0.25,
        quota={"stage": "equal"},
        targets={"sums": Sums()},
        warmup=RECIPE,
        warmup_fraction=0.1,
        layers=("*.o_proj",),
        checkpoints=1,
        dimension=512,
        batch_rows=32,
    )
    started = time.monotonic()
    Select(selector, Trainer(device="cpu", threads=1)).run(ctx)
    ctx.tally.check()
    assert ctx.tally.kept == count // 4
    return peak_mib(), time.monotonic() - started


def _some() -> Iterator[Example]:
    return (row for _ in range(10) for row in Sums().dev_examples())


def _written(i: int) -> str:
    return format_response(_question(i), _solution(i))


def _question(i: int) -> str:
    return f"{i % 997}+{i // 997}="


def _solution(i: int) -> str:
    return f"\\boxed{{{i % 997 + i // 997}}}.{WORK}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.influence_memory", description=__doc__.split("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[1_000, 50_000], help="how many candidates")
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory(prefix="influence-memory-") as scratch:
            memory, seconds = measure(size, Path(scratch))
        print(f"{size:>9,} candidates  {seconds:7.1f} s  peak {memory:,.0f} MiB", flush=True)


if __name__ == "__main__":
    main()

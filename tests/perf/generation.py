"""A stage's asking, fed continuously, beside vLLM's own `generate` for all prompts at once and in chunks.

Ours is all that a stage does between its prompts and its table: our session, and a journal's line for every text.
Chunks are what the paper's own code does: the engine idles while the longest text of a chunk is finished. All sides
write the same texts, for lengths and seeds belong to the requests; they use the same engine options, one engine at a
time, each started anew and warmed up with a few other prompts. The process's first engine is not measured, ours runs
right beside each of the others, and each second round goes backwards.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from src.core.errors import require
from src.core.records import Example, Prompt
from src.core.stage import StageContext
from src.generation.base import Request, Sampling
from src.generation.vllm import VLLMGenerator
from src.stages.asking import Asking
from tests.perf.measure import Aim, Comparison, Options, in_turns, seconds
from tests.perf.rows import math_rows, model_folder

LONGEST_TEXT = 600
PROMPT_CHARACTERS = 200
WARM_UP = 16
PROMPT = Prompt("prompt", "passage", "college", "cot", "")  # whose texts the journal says they are

Write = Callable[[list[Request]], int]
"""Has texts written; returns how many tokens they have."""


def run(options: Options) -> list[Comparison]:
    require("vllm", "the generation bench")
    rows = math_rows()
    model = model_folder(options, rows)
    chunk = options.size(256, 16)
    engine = VLLMGenerator(dtype="float32", max_model_len=1_024, max_num_seqs=chunk)
    asked = requests(rows, WARM_UP + options.size(1_024, 64))
    tokens: set[int] = set()

    def side(opened: Callable[[], Any]) -> Callable[[], float]:
        def tokens_per_second() -> float:
            with opened() as write:
                write(asked[:WARM_UP])
                written: list[int] = []
                took = seconds(lambda: written.append(write(asked[WARM_UP:])))
            tokens.update(written)
            return written[0] / took

        return tokens_per_second

    sides = {
        "in chunks": side(lambda: bare(engine, model, chunk)),
        "ours": side(lambda: asking(engine, model, options.scratch)),
        "all at once": side(lambda: bare(engine, model, len(asked))),
    }
    with bare(engine, model, chunk) as write:
        write(asked[:WARM_UP])
    backwards = dict(reversed(sides.items()))
    turns = [in_turns(1, backwards if n % 2 else sides, warm_up=False) for n in range(options.rounds)]
    speed = {name: tuple(turn[name][0] for turn in turns) for name in sides}
    count = " or ".join(f"{n:,}" for n in sorted(tokens))
    size = f"{len(asked) - WARM_UP:,} prompts, {count} tokens"
    note = f"{options.model} model, {size}, {chunk} texts at a time, lengths log-normal"
    return [
        Comparison("all prompts at once", "tokens/s", speed["ours"], speed["all at once"], "generate", Aim(0.97), note),
        Comparison(f"chunks of {chunk}", "tokens/s", speed["ours"], speed["in chunks"], "generate by chunk", Aim(1.15)),
    ]


def requests(rows: list[Example], count: int) -> list[Request]:
    """Skewed lengths, as of real texts: half below 55 tokens, one in a hundred above 560."""
    draw = random.Random(0)
    lengths = (min(LONGEST_TEXT, max(4, round(draw.lognormvariate(4, 1)))) for _ in range(count))
    return [
        Request(f"r{i}", (row.prompt + row.response)[:PROMPT_CHARACTERS], seed=i, sampling=Sampling(max_tokens=length))
        for i, (row, length) in enumerate(zip(rows, lengths))
    ]


@contextmanager
def asking(engine: VLLMGenerator, model: str, scratch: Path) -> Iterator[Write]:
    """What a stage does, with one engine for all that is written."""
    with engine.open(model, scratch) as session:

        def write(asked: list[Request]) -> int:
            with TemporaryDirectory(dir=scratch) as folder:
                ctx = StageContext(out=Path(folder), work=Path(folder), inputs={}, cache=scratch)
                stage = Asking(ctx, engine.name, durable=False)
                stage.all(((PROMPT, request) for request in asked), len(asked), lambda: nullcontext(session))
            return stage.new_tokens

        yield write


@contextmanager
def bare(engine: VLLMGenerator, model: str, chunk: int) -> Iterator[Write]:
    """vLLM's own class, with the engine options that ours has."""
    from src.generation.vllm_session import engine_args, sampling_params

    from vllm import LLM  # after our module, which sets what vLLM reads at its import  # isort: skip

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        llm = LLM.from_engine_args(engine_args(engine, model))

    def write(asked: list[Request]) -> int:
        total = 0
        for start in range(0, len(asked), chunk):
            part = asked[start : start + chunk]
            params = [sampling_params(request.sampling, request.seed) for request in part]
            done = llm.generate([request.prompt for request in part], params, use_tqdm=False)
            total += sum(len(output.outputs[0].token_ids) for output in done)
        return total

    try:
        yield write
    finally:
        llm.llm_engine.engine_core.shutdown()

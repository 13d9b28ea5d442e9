"""A stage's asking, fed continuously, beside vLLM's own `generate` for all prompts at once and in chunks.

Ours is all that a stage does between its prompts and its table: our session, and a journal's line for every text.
Chunks are what the paper's own code does: the engine idles while the longest text of a chunk is finished. All sides
write the same texts, for lengths and seeds belong to the requests. They do so on one engine, warmed up, whose prefix
cache is emptied before each: two starts of the same engine differ by some percent. Ours runs right beside each of the
others, and each second round goes backwards.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal
from unittest.mock import patch

from src.core.errors import require
from src.core.records import Example, Prompt
from src.core.stage import StageContext
from src.generation.base import Request, Sampling, Session
from src.generation.vllm import VLLMGenerator
from src.stages.asking import Asking
from tests.perf.measure import Aim, Comparison, Options, Values, in_turns, seconds
from tests.perf.rows import math_rows, model_folder

if TYPE_CHECKING:
    from vllm import LLM

LONGEST_TEXT = 600
PROMPT_CHARACTERS = 200
PROMPT = Prompt("prompt", "passage", "college", "cot", "")  # whose texts the journal says they are


def run(options: Options) -> list[Comparison]:
    require("vllm", "the generation bench")
    rows = math_rows()
    model = model_folder(options, rows)
    chunk, count = options.size(256, 16), options.size(1_024, 64)
    speed, tokens = speeds(model, rows, count, chunk, options.rounds, options.scratch, "float32")
    size = f"{count:,} prompts, {' or '.join(f'{n:,}' for n in sorted(tokens))} tokens"
    note = f"{options.model} model, {size}, {chunk} texts at a time, lengths log-normal"
    return [
        Comparison("all prompts at once", "tokens/s", speed["ours"], speed["all at once"], "generate", Aim(0.97), note),
        Comparison(f"chunks of {chunk}", "tokens/s", speed["ours"], speed["in chunks"], "generate by chunk", Aim(1.15)),
    ]


def speeds(
    model: str,
    rows: list[Example],
    count: int,
    chunk: int,
    rounds: int,
    scratch: Path,
    dtype: Literal["float32", "bfloat16"],
) -> tuple[dict[str, Values], set[int]]:
    """(tokens/s of each side, round by round; how many tokens were written)."""
    engine = VLLMGenerator(dtype=dtype, max_model_len=1_024, max_num_seqs=chunk)
    asked = requests(rows, count)
    tokens: set[int] = set()
    with on_one_engine(engine, model, scratch) as (session, llm):

        def side(write: Callable[[], int]) -> Callable[[], float]:
            def tokens_per_second() -> float:
                llm.reset_prefix_cache()
                written: list[int] = []
                took = seconds(lambda: written.append(write()))
                tokens.update(written)
                return written[0] / took

            return tokens_per_second

        sides = {
            "in chunks": side(lambda: generate(llm, asked, chunk)),
            "ours": side(lambda: ask(session, asked, scratch)),
            "all at once": side(lambda: generate(llm, asked, len(asked))),
        }
        generate(llm, asked[:chunk], chunk)  # the first texts of an engine are slow
        backwards = dict(reversed(sides.items()))
        turns = [in_turns(1, backwards if n % 2 else sides, warm_up=False) for n in range(rounds)]
    return {name: tuple(turn[name][0] for turn in turns) for name in sides}, tokens


def requests(rows: list[Example], count: int) -> list[Request]:
    """Skewed lengths, as of real texts: half below 55 tokens, one in a hundred above 560."""
    draw = random.Random(0)
    lengths = (min(LONGEST_TEXT, max(4, round(draw.lognormvariate(4, 1)))) for _ in range(count))
    return [
        Request(f"r{i}", (row.prompt + row.response)[:PROMPT_CHARACTERS], seed=i, sampling=Sampling(max_tokens=length))
        for i, (row, length) in enumerate(zip(rows, lengths))
    ]


@contextmanager
def on_one_engine(engine: VLLMGenerator, model: str, scratch: Path) -> Iterator[tuple[Session, LLM]]:
    """Our session, and vLLM's own class, whose engine it drives."""
    from src.generation import vllm_session

    from vllm import LLM  # after our module, which sets what vLLM reads at its import  # isort: skip

    started: list[LLM] = []

    def start(arguments: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            started.append(LLM.from_engine_args(arguments))
        return started[0].llm_engine

    with patch.object(vllm_session, "_start", start), engine.open(model, scratch) as session:
        yield session, started[0]


def ask(session: Session, asked: list[Request], scratch: Path) -> int:
    """What a stage does."""
    with TemporaryDirectory(dir=scratch) as folder:
        ctx = StageContext(out=Path(folder), work=Path(folder), inputs={}, cache=scratch)
        stage = Asking(ctx, "vllm")
        stage.all(((PROMPT, request) for request in asked), len(asked), lambda: nullcontext(session))
        return stage.new_tokens


def generate(llm: LLM, asked: list[Request], chunk: int) -> int:
    """What vLLM's users do."""
    from src.generation.vllm_session import sampling_params

    total = 0
    for start in range(0, len(asked), chunk):
        part = asked[start : start + chunk]
        params = [sampling_params(request.sampling, request.seed) for request in part]
        done = llm.generate([request.prompt for request in part], params, use_tqdm=False)
        total += sum(len(output.outputs[0].token_ids) for output in done)
    return total

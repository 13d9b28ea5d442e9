"""A beam search over the steps of many questions, beside plain samples of the same questions on the same engine.

Does a search leave the engine idle? A tree waits for all the steps of its round and for their rewards; the trees of
other questions fill the gaps. Both sides write with as many texts at a time; the rewards of the first comparison cost
nothing, so that it shows the engine alone, and those of the second are a reward model's of the same size on the same
processor, which must take its share. The model is the one that lies in the package: it writes lines of working.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from src.core.journal import Journal
from src.core.progress import Progress
from src.core.records import seed_from
from src.evaluation.benchmark import ProceduralBenchmark
from src.evaluation.decoding import Resources
from src.evaluation.decoding.base import Decoding
from src.evaluation.decoding.rewards import Partial, RewardModel, Scores, StepScorer
from src.evaluation.decoding.trees import Beam
from src.evaluation.decoding.whole import Independent
from src.evaluation.program_pool import ProgramPool
from src.evaluation.prompting import Protocol
from src.evaluation.requests import PlannedQuestion, RequestPlanner
from src.generation.base import Generator, Sampling, Session
from src.generation.transformers import TransformersGenerator
from src.generation.transformers_session import TransformersSession
from src.generation.vllm import VLLMGenerator
from src.modeling.sources import Shipped
from tests.perf.measure import Aim, Comparison, Options, in_turns, seconds
from tests.perf.rows import smollm2

AT_ONCE = 64  # texts that the engine writes together
SAMPLES = 8
WIDTH = 2


class Free(StepScorer):
    """Rewards that cost nothing and follow from the steps alone."""

    def score(self, partials: Sequence[Partial]) -> list[Scores]:
        return [
            Scores(
                tuple(seed_from(0, p.question, *p.steps[: n + 1]) % 100 / 100 for n in range(p.first, len(p.steps))), 0
            )
            for p in partials
        ]


def run(options: Options) -> list[Comparison]:
    engines: dict[str, Generator] = {"transformers": TransformersGenerator(workers=1)}
    if find_spec("vllm"):
        engines["vllm"] = VLLMGenerator(max_num_seqs=AT_ONCE)
    return [found for name, engine in engines.items() for found in on_engine(name, engine, options)]


def on_engine(name: str, engine: Generator, options: Options) -> list[Comparison]:
    model = smollm2() if options.model == "smollm2" else str(Shipped("base_1m").folder)
    asked = 32 if options.model == "smollm2" else options.size(128, 16)
    benchmarks = {"dev": ProceduralBenchmark(split="dev", n=asked, max_tokens=128)}
    questions = {name: list(benchmark.questions()) for name, benchmark in benchmarks.items()}
    sampling = Sampling(temperature=0.7)
    plain = Independent(samples=SAMPLES, temperature=0.7)
    beam = Beam(samples=SAMPLES, width=WIDTH, temperature=0.7)

    def plan(decoding: Decoding) -> list[PlannedQuestion]:
        return RequestPlanner(Protocol(), decoding.planned, sampling).plan(model, benchmarks, questions)

    with engine.open(model, options.scratch) as session:
        scratch = Scratch(options.scratch / name, session)
        reward = RewardModel(model, judge="likelihood")
        sides = {
            "search": lambda: scratch.tokens_per_second(beam, plan(beam), lambda: nullcontext(Free())),
            "samples": lambda: scratch.tokens_per_second(plain, plan(plain), lambda: nullcontext(Free())),
            "rewarded search": lambda: scratch.tokens_per_second(beam, plan(beam), reward.open),
        }
        speed = in_turns(options.rounds, sides)
    size = f"{len(questions['dev'])} questions x {SAMPLES} samples, a beam {WIDTH} wide"
    shared = "rewards by a model of the same size on the same processor"
    samples, rewarded = speed["samples"], speed["rewarded search"]
    return [
        Comparison(f"search, {name}", "tokens/s", speed["search"], samples, "plain samples", Aim(0.8), size),
        Comparison(f"with rewards, {name}", "tokens/s", rewarded, samples, "plain samples", None, shared),
    ]


@dataclass(frozen=True)
class Scratch:
    """One engine, and a new journal for each decoding."""

    folder: Path
    session: Session
    number = count()

    def forget(self) -> None:
        """What the engine has read of prompts in rounds before."""
        if isinstance(self.session, TransformersSession):
            self.session.forget_prompts()
        else:
            self.session._live().reset_prefix_cache()  # type: ignore[attr-defined]

    def tokens_per_second(
        self,
        decoding: Decoding,
        plan: Sequence[PlannedQuestion],
        open_scorer: Callable[[], AbstractContextManager[StepScorer]],
    ) -> float:
        """Tokens that the model wrote, by the wall time of the whole decoding."""
        written: list[int] = []
        self.forget()

        def decode() -> None:
            with Journal(self.folder / f"journal-{next(self.number)}") as journal, ProgramPool(1) as pool:
                progress = Progress("questions")
                resources = Resources(lambda: nullcontext(self.session), open_scorer, journal, progress, pool)
                written.extend(found.compute.generated for found in decoding.decode(plan, resources))

        took = seconds(decode)
        return sum(written) / took

"""Stage `distil`: a teacher writes problems with worked solutions for chosen passages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from statistics import fmean, stdev
from typing import ClassVar, Literal

from src.cleaning.checks import CONTAMINATED, Checks, Read
from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.core.records import Generation, Problem, Prompt, content_id, seed_from, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.generation.base import Generator, Request, Sampling
from src.generation.budget import dollars
from src.prompts.critique import critique
from src.stages.asking import Ask, Asking, sampling_by_kind, sampling_for
from src.stages.drawing import check_enough, draw
from src.text.contamination import AsksQuestions, ContaminationIndex
from src.text.parsing import ParsedProblem, Rejection, parse_generation, to_problem

# For `plan=true` alone: a prompt of the paper's (a 1,000-character passage and its guidelines).
TOKENS_A_PROMPT = 700

Refused = dict[str, Rejection]  # by the prompt's id
Round = tuple[Asking, Refused]


@dataclass(frozen=True)
class Distil(Stage):
    """Reads `prompts`, writes the tables `problems` and `generations` (the raw text of each of them) and, when calls
    failed, `dead_letter.jsonl`, when corrections did, `dead_letter_corrections.jsonl`.

    teacher: who writes.
    calls: how many prompts it is asked, once each; `share`: only so many of them, for studies of the teacher's bill.
    sampling: by the prompt's kind, "cot" and "tool".
    round: 1 draws prompts to initialise the synthesizer, 2 takes those that selection put first.
    order: "draw" takes a seeded draw, "rank" the first ones.
    pilot: ask so many of them only, say what all of them would cost, and stop there; what was answered is kept.
    require_answer: whether a problem without a boxed answer is rejected.
    checks: what a problem must pass before anybody learns from it; None lets all pass. benchmarks: whose questions the
        teacher must not have written.
    critique: the teacher is shown what a check found in a problem of its own, and may correct it once; what it writes
        then must pass the same checks. An exam's question is refused at once: no rewording makes it the teacher's. The
        procedural teacher reads no finding, and writes another problem.
    max_failed: the share of calls that may fail for good; beyond it the stage stops, and goes on when run again.
    """

    kind: ClassVar[str] = "distil"
    version: ClassVar[int] = 11

    teacher: Generator
    calls: int
    sampling: dict[str, Sampling]
    share: float = 1.0
    round: int = 1
    data_seed: int = 0
    order: Literal["draw", "rank"] = "draw"
    pilot: int | None = field(
        default=None, metadata=not_in_key("a pilot asks a few, prices the rest, and publishes nothing")
    )
    require_answer: bool = True
    checks: Checks | None = field(default_factory=Checks)
    benchmarks: dict[str, AsksQuestions] = field(default_factory=dict)
    critique: bool = False
    max_failed: float = field(
        default=0.05, metadata=not_in_key("how much failing is put up with before the stage stops")
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "sampling", sampling_by_kind(self.sampling))
        at_least(self, 1, "calls", "round", "pilot")
        if not self.require_answer and self.checks and self.checks.rules:
            rules = replace(self.checks.rules, boxed=False)
            object.__setattr__(self, "checks", replace(self.checks, rules=rules))
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], not {self.share}")
        if self.order not in ("draw", "rank"):
            raise ValueError(f"order must be draw or rank, not {self.order}")
        if not 0 <= self.max_failed <= 1:
            raise ValueError(f"max_failed must lie in [0, 1], not {self.max_failed}")

    @property
    def asked(self) -> int:
        return max(1, round(self.share * self.calls))

    def check_inputs(self, inputs: Mapping[str, Upstream]) -> None:
        check_enough(inputs["prompts"], self.asked, "The teacher is to be asked", "calls")

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return self.asked

    def estimate(self) -> dict[str, float]:
        """`dollars` is what it costs if every text is as long as it may be."""
        longest = max(sampling.max_tokens for sampling in self.sampling.values())
        cost = dollars(self.teacher, self.asked * TOKENS_A_PROMPT, self.asked * longest)
        return {"calls": self.asked, **({"dollars": cost} if cost else {})}

    @property
    def uncounted(self) -> str:
        return "a second call for each problem that a check refuses" if self.critique else ""

    def run(self, ctx: StageContext) -> None:
        """Raises UserError with the quote when this is a pilot."""
        index = self.checks.index(self.benchmarks) if self.checks else None  # before anything is paid for
        total = sum(1 for _ in self._chosen(ctx, self.asked))
        if not total:
            raise UserError("There are no prompts for the teacher.", "Is the corpus empty, or was all of it rejected?")
        asked = min(total, self.pilot or total)
        ctx.tally.enter(asked)
        asking = Asking(ctx, self.teacher.name)
        asking.all(self._asks(ctx, asked), asked, lambda: self.teacher.open(model=None, cache=ctx.cache))
        if self.pilot is not None:
            raise self._quote(asking, total)
        asking.settle(asked, self.max_failed)
        ctx.summary |= {"calls": asked, "prompt_tokens": 0, "completion_tokens": 0, "dollars": 0.0}
        refused = self._refused(ctx, asking, index)
        rounds = [(asking, refused)]
        if self.critique:
            corrections = self._correct(ctx, asking, asked, refused)
            rounds.append((corrections, self._refused(ctx, corrections, index)))
        write_table(ctx.out / "problems", Problem, self._problems(ctx, rounds))
        write_table(ctx.out / "generations", Generation, _passed(rounds))
        if ctx.tally.kept:
            ctx.summary["dollars_per_kept"] = ctx.summary["dollars"] / ctx.tally.kept

    def _chosen(self, ctx: StageContext, n: int) -> Iterator[Prompt]:
        source = ctx.inputs["prompts"]
        if self.order == "rank":
            return islice(source.table("prompts", Prompt), n)
        return draw(lambda: source.table("prompts", Prompt), n, self.data_seed)

    def _asks(self, ctx: StageContext, n: int) -> Iterator[Ask]:
        return (self._ask(prompt) for prompt in self._chosen(ctx, n))

    def _quote(self, asking: Asking, total: int) -> UserError:
        """What all calls would cost, from those that were answered: the mean, give or take two standard errors."""
        answers = list(asking.answers())
        kept = sum(isinstance(self._read(text), ParsedProblem) for text, _ in answers)
        costs = [dollars(self.teacher, tokens, text.tokens) for text, tokens in answers]
        tokens = sum(tokens + text.tokens for text, tokens in answers) / max(1, len(answers))
        about = total * fmean(costs) if costs else 0.0
        margin = total * 2 * stdev(costs) / len(costs) ** 0.5 if len(costs) > 1 else about
        each = f", ${sum(costs) / kept:,.4f} a kept problem" if kept else ""
        return UserError(
            f"The pilot: {len(answers)} calls answered, {asking.failed.total()} failed, {kept} problems kept, for "
            f"${sum(costs):,.2f}. All {total:,} calls of round {self.round} would take about "
            f"{total * tokens:,.0f} tokens and cost ${about:,.2f}, give or take ${margin:,.2f}{each}.",
            "To go on, type the same command without `pilot`: its answers are kept, and not paid for again."
            + (" Corrections (`critique`) come on top." if self.critique else ""),
        )

    def _ask(self, prompt: Prompt, task: str = "distil") -> Ask:
        id = content_id(task, self.round, prompt.id)
        context = {"stage": prompt.stage, "kind": prompt.kind, "passage": prompt.text}
        seed = seed_from(self.data_seed, id)
        return prompt, Request(id, prompt.text, seed, sampling_for(prompt, self.sampling), context)

    def _refused(self, ctx: StageContext, asking: Asking, index: ContaminationIndex | None) -> Refused:
        """The texts of a round that are no problems or fail a check; its tokens and dollars are added to the bill."""
        prompt_tokens = completion_tokens = 0

        def read() -> Iterator[Read]:
            nonlocal prompt_tokens, completion_tokens
            for text, of_prompt in asking.answers():
                prompt_tokens, completion_tokens = prompt_tokens + of_prompt, completion_tokens + text.tokens
                yield text, self._read(text)

        judged = self.checks.judge(read(), index) if self.checks else read()
        refused = {text.prompt_id: parsed for text, parsed in judged if isinstance(parsed, Rejection)}
        ctx.summary["prompt_tokens"] += prompt_tokens
        ctx.summary["completion_tokens"] += completion_tokens
        ctx.summary["dollars"] += dollars(self.teacher, prompt_tokens, completion_tokens, asking.cached_tokens)
        return refused

    def _correct(self, ctx: StageContext, asking: Asking, asked: int, refused: Refused) -> Asking:
        """Show the teacher what was found in its refused texts. A correction that fails for good leaves the refusal."""
        found = {id: why.finding for id, why in refused.items() if not why.reason.startswith(CONTAMINATED)}
        texts = {text.prompt_id: text.text for text, _ in asking.answers() if text.prompt_id in found}
        corrections = Asking(ctx, self.teacher.name, part="_corrections")
        asks = (
            self._ask(replace(prompt, text=critique(prompt.text, texts[prompt.id], found[prompt.id])), "critique")
            for prompt in self._chosen(ctx, asked)
            if prompt.id in found
        )
        corrections.all(asks, len(found), lambda: self.teacher.open(model=None, cache=ctx.cache))
        corrections.settle(len(found), self.max_failed, tallied=False)
        ctx.summary["corrections_asked"] = len(found)
        return corrections

    def _problems(self, ctx: StageContext, rounds: list[Round]) -> Iterator[Problem]:
        """What passed in any round; what did not is rejected for what was found last."""
        last: Refused = {}
        kept = 0
        for _, refused in rounds:
            last |= refused
        for text in _passed(rounds):
            parsed = self._read(text)
            assert isinstance(parsed, ParsedProblem)  # or it were among the refused
            last.pop(text.prompt_id, None)
            kept += 1
            yield to_problem(text, parsed, self.round)
        ctx.tally.keep(kept)
        for rejection in last.values():
            ctx.tally.reject(rejection.reason)

    def _read(self, text: Generation) -> ParsedProblem | Rejection:
        parsed = parse_generation(text.text, text.kind)
        if isinstance(parsed, ParsedProblem) and self.require_answer and parsed.answer is None:
            parsed = Rejection("no boxed answer")
        if isinstance(parsed, Rejection) and text.finish_reason == "length":
            return Rejection("cut off at the token limit")
        return parsed


def _passed(rounds: list[Round]) -> Iterator[Generation]:
    return (text for asking, refused in rounds for text, _ in asking.answers() if text.prompt_id not in refused)

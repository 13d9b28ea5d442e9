"""Stage `select`: which candidate prompts are worth the teacher's calls of round 2?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from src.core.errors import UserError
from src.core.records import Example, Generation, Passage, Prompt, Score, write_table
from src.core.stage import Stage, StageContext
from src.core.store import write_json
from src.modeling.trainer import Trainer
from src.selection.base import Ranking, Reference, Selector
from src.selection.fidelity import report, samples
from src.selection.rules import choose
from src.text.parsing import Rejection, format_pretraining, parse_generation, to_problem

NOT_CHOSEN = "not chosen"
EXTRA = "second generation of its prompt"


@dataclass(frozen=True)
class Select(Stage):
    """Ranks what the synthesizer wrote for the candidate prompts and takes the best prompts.

    Inputs: `candidates` (table generations), `prompts` (table prompts), `synthesizer` (model/: the reference model);
    `passages` (table passages) if given, for counts by source. Leaves: tables `prompts` (chosen, best first) and
    `scores`, `fidelity.json` and `samples.json`.

    A generation that cannot be parsed has no score. Where the rule asks for more prompts than have one, the rest is
    filled up with such prompts by id, so that every selector spends the same number of teacher calls.
    """

    kind: ClassVar[str] = "select"
    version: ClassVar[int] = 2
    heavy: ClassVar[bool] = True

    selector: Selector
    trainer: Trainer = field(default_factory=Trainer)
    seed: int = 0

    def run(self, ctx: StageContext) -> None:
        pool = _read_pool(ctx)
        model = ctx.inputs["synthesizer"].path / "model"
        alone = replace(self.trainer, devices=1, nodes=1, strategy="auto")  # the warm-up; the gradients have `workers`
        reference = Reference(model, ctx.work, ctx.cache, alone, self.trainer.devices, self.seed, ctx.log, ctx.progress)
        ranking = self.selector.rank(list(pool.candidates.values()), reference)
        groups = _groups(ctx, pool.prompts)
        choice = choose(self.selector, ranking, pool.prompts, groups)
        taken = set(choice.ids)
        _count(ctx, ranking, pool, taken)
        write_table(ctx.out / "prompts", Prompt, (pool.prompts[id] for id in choice.ids))
        write_table(ctx.out / "scores", Score, sorted(ranking.scores, key=lambda score: (score.id, score.target)))
        found = report(ranking, pool.candidates, groups, taken)
        write_json(ctx.out / "fidelity.json", found)
        write_json(ctx.out / "samples.json", samples(ranking, pool.candidates, taken))
        ctx.summary.update(ranking.facts)
        ctx.summary.update(selected=len(taken), filled_without_score=choice.unscored, beyond_quota=choice.beyond)
        ranks = {**found["spearman"], **found["agreement"]}
        ctx.summary.update({f"spearman_{k}": v for k, v in ranks.items() if v is not None})


@dataclass(frozen=True)
class _Pool:
    """What there is to choose from, in the order of the prompts.

    prompts: every prompt that has a generation. candidates: those whose generation parses. unparsable: the others,
    with the reason. extra: how many generations there are beyond the one that stands for its prompt.
    """

    prompts: dict[str, Prompt]
    candidates: dict[str, Example]
    unparsable: dict[str, str]
    extra: int


def _read_pool(ctx: StageContext) -> _Pool:
    read: dict[str, Example | str] = {}
    extra = 0
    for generation in ctx.inputs["candidates"].table("generations", Generation):
        before = read.get(generation.prompt_id)
        extra += before is not None
        if not isinstance(before, Example):
            read[generation.prompt_id] = _candidate(generation)
    prompts = {prompt.id: prompt for prompt in ctx.inputs["prompts"].table("prompts", Prompt) if prompt.id in read}
    if lost := read.keys() - prompts.keys():
        raise UserError(
            f"{len(lost)} candidates answer prompts that the prompts table does not hold, e.g. {min(lost)}.",
            "The candidates and the prompts come from different runs: build both again.",
        )
    candidates = {id: row for id in prompts if isinstance(row := read[id], Example)}
    unparsable = {id: row for id in prompts if isinstance(row := read[id], str)}
    if not candidates:
        reasons = ", ".join(f"{n} x {reason}" for reason, n in Counter(unparsable.values()).most_common())
        raise UserError(
            f"None of the {len(read)} candidate texts can be read as a problem: {reasons or 'there are none'}.",
            "The synthesizer has not learned the format: train it longer, or on more of the teacher's problems.",
        )
    return _Pool(prompts, candidates, unparsable, extra)


def _candidate(generation: Generation) -> Example | str:
    """The generation as a training row of the pre-training corpus, or why it is none."""
    parsed = parse_generation(generation.text, generation.kind)
    if isinstance(parsed, Rejection):
        return parsed.reason
    prompt, response = format_pretraining(to_problem(generation, parsed, round=1))
    return Example(generation.prompt_id, "candidates", prompt, response)


def _count(ctx: StageContext, ranking: Ranking, pool: _Pool, chosen: set[str]) -> None:
    ctx.tally.enter(len(pool.prompts) + pool.extra)
    ctx.tally.keep(len(chosen))
    if pool.extra:
        ctx.tally.reject(EXTRA, pool.extra)
    for id in pool.prompts.keys() - chosen:
        ctx.tally.reject(pool.unparsable.get(id) or ranking.skipped.get(id) or NOT_CHOSEN)


def _groups(ctx: StageContext, prompts: Mapping[str, Prompt]) -> dict[str, dict[str, str]]:
    groups = {
        "stage": {id: prompt.stage for id, prompt in prompts.items()},
        "kind": {id: prompt.kind for id, prompt in prompts.items()},
    }
    if "passages" in ctx.inputs:
        passages = {prompt.passage_id for prompt in prompts.values()}
        rows = ctx.inputs["passages"].table("passages", Passage)
        sources = {row.id: row.source for row in rows if row.id in passages}
        groups["source"] = {id: sources.get(prompt.passage_id, "unknown") for id, prompt in prompts.items()}
    return groups

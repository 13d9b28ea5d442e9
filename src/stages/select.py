"""Stage `select`: which candidate prompts are worth the teacher's calls of round 2?"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.core.records import Example, Generation, Passage, Prompt, Score, write_table
from src.core.row_files import RowFile, RowView
from src.core.stage import Stage, StageContext
from src.core.store import write_json
from src.modeling.sources import ModelSource
from src.modeling.trainer import Trainer
from src.selection.base import Reference, Selector
from src.selection.fidelity import report, samples
from src.selection.ranking import Ranking
from src.selection.rules import choose
from src.text.parsing import Rejection, format_pretraining, parse_generation, to_problem

NOT_CHOSEN = "not chosen"
EXTRA = "second generation of its prompt"


@dataclass(frozen=True)
class Select(Stage):
    """Ranks what the synthesizer wrote for the candidate prompts and takes the best prompts.

    Inputs: `candidates` (table generations), `prompts` (table prompts), `synthesizer` (model/); `passages` (table
    passages) if given, for counts by source. Leaves: tables `prompts` (chosen, best first) and `scores`,
    `skipped.jsonl` (candidates without a score, and why), `fidelity.json` and `samples.json`.

    model: the reference model, which must come trained; null: the synthesizer.
    expected_tokens: of all candidates, for a plan.

    A generation that cannot be parsed has no score. Where the rule asks for more prompts than have one, the rest is
    filled up with such prompts by id, so that every selector spends the same number of teacher calls.
    """

    kind: ClassVar[str] = "select"
    version: ClassVar[int] = 4
    heavy: ClassVar[bool] = True

    selector: Selector
    trainer: Trainer = field(
        default_factory=Trainer, metadata=not_in_key("where a training runs; the global batch is in the recipe")
    )
    seed: int = 0
    model: ModelSource | None = None
    expected_tokens: float | None = field(
        default=None, metadata=not_in_key("a guess at rows that are not there yet, for a plan")
    )

    def __post_init__(self) -> None:
        if self.model is not None and self.model.made_here:
            raise ValueError("model is made in the run: name one that comes trained, or null for the synthesizer")

    def estimate(self) -> dict[str, float]:
        size = self.model.size() if self.model else None
        if size is None or self.expected_tokens is None:
            return {}
        return self.selector.estimate(size, self.trainer, self.expected_tokens)

    @property
    def uncounted(self) -> str:
        passes = self.selector.reads_model and not self.estimate()
        return "the reference model's passes over the candidates" if passes else ""

    def run(self, ctx: StageContext) -> None:
        pool = _read_pool(ctx)
        if not self.selector.reads_model:
            model = Path()
        elif self.model is None:
            model = ctx.inputs["synthesizer"].path / "model"
        else:
            model = Path(self.model.prepare(ctx.work / "made", list, 0, ctx.cache))
        # The warm-up; the gradients have `workers`. Its model is none to be used.
        alone = replace(self.trainer.on_one_device(), export_every=None, export_best=False)
        reference = Reference(model, ctx.work, ctx.cache, alone, self.trainer.devices, self.seed, ctx.log, ctx.progress)
        ranking = self.selector.rank(pool.candidates, reference)
        groups = _groups(ctx, pool)
        choice = choose(self.selector, ranking, pool.number, groups)
        taken = set(choice.ids)
        _count(ctx, ranking, pool, taken)
        write_table(ctx.out / "prompts", Prompt, (pool.prompts[pool.number[id]] for id in choice.ids))
        write_table(ctx.out / "scores", Score, ranking.rows())
        skipped = sorted({**pool.unparsable, **ranking.skipped}.items())
        lines = (json.dumps({"id": id, "reason": reason}, ensure_ascii=False) + "\n" for id, reason in skipped)
        (ctx.out / "skipped.jsonl").write_text("".join(lines), encoding="utf-8")
        found = report(ranking, pool.candidates, groups, taken)
        write_json(ctx.out / "fidelity.json", found)
        write_json(ctx.out / "samples.json", samples(ranking, pool.candidates, taken))
        ctx.summary.update(ranking.facts)
        ctx.summary.update(selected=len(taken), filled_without_score=choice.unscored, beyond_quota=choice.beyond)
        ranks = {**found["spearman"], **found["agreement"]}
        ctx.summary.update({f"spearman_{k}": v for k, v in ranks.items() if v is not None})


@dataclass(frozen=True)
class _Pool:
    """What there is to choose from, in the order of the prompts; the texts stay on disk.

    prompts: every prompt that has a generation. number: by id, which of them it is. candidates: those whose generation
    parses. unparsable: the others, with the reason. extra: how many generations there are beyond the one that stands
    for its prompt.
    """

    prompts: Sequence[Prompt]
    number: dict[str, int]
    candidates: Sequence[Example]
    unparsable: dict[str, str]
    extra: int


def _read_pool(ctx: StageContext) -> _Pool:
    candidates, prompts = RowFile(ctx.work / "candidates", Example), RowFile(ctx.work / "prompts", Prompt)
    read: dict[str, int | str] = {}  # the number of the prompt's candidate, or why it has none
    extra = 0
    for generation in ctx.inputs["candidates"].table("generations", Generation):
        before = read.get(generation.prompt_id)
        extra += before is not None
        if not isinstance(before, int):
            found = _candidate(generation)
            read[sys.intern(generation.prompt_id)] = found if isinstance(found, str) else candidates.append(found)
    asked = (prompt for prompt in ctx.inputs["prompts"].table("prompts", Prompt) if prompt.id in read)
    number = {sys.intern(prompt.id): prompts.append(prompt) for prompt in asked}
    if lost := read.keys() - number.keys():
        raise UserError(
            f"{len(lost)} candidates answer prompts that the prompts table does not hold, e.g. {min(lost)}.",
            "The candidates and the prompts come from different runs: build both again.",
        )
    unparsable = {id: row for id in number if isinstance(row := read[id], str)}
    if not candidates:
        reasons = ", ".join(f"{n} x {reason}" for reason, n in Counter(unparsable.values()).most_common())
        raise UserError(
            f"None of the {len(read)} candidate texts can be read as a problem: {reasons or 'there are none'}.",
            "The synthesizer has not learned the format: train it longer, or on more of the teacher's problems.",
        )
    order = [row for id in number if isinstance(row := read[id], int)]
    return _Pool(prompts, number, RowView(candidates, np.array(order)), unparsable, extra)


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
    for id in pool.number.keys() - chosen:
        ctx.tally.reject(pool.unparsable.get(id) or ranking.skipped.get(id) or NOT_CHOSEN)


def _groups(ctx: StageContext, pool: _Pool) -> dict[str, dict[str, str]]:
    """By way of grouping the group of every prompt; each name of a group is one object, however many share it."""
    groups: dict[str, dict[str, str]] = {"stage": {}, "kind": {}}
    for id, prompt in zip(pool.number, pool.prompts, strict=True):
        groups["stage"][id], groups["kind"][id] = sys.intern(prompt.stage), sys.intern(prompt.kind)
    if "passages" in ctx.inputs:
        sources = dict.fromkeys((prompt.passage_id for prompt in pool.prompts), "unknown")
        for passage in ctx.inputs["passages"].table("passages", Passage):
            if passage.id in sources:
                sources[passage.id] = sys.intern(passage.source)
        groups["source"] = {id: sources[row.passage_id] for id, row in zip(pool.number, pool.prompts, strict=True)}
    return groups

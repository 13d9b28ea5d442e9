"""The influence estimate itself: warm-up, gradients at every checkpoint, scores. Options in `src.selection.influence`.

A sweep over rules (fraction, top_k, threshold) asks for the same scores again and again: they are kept in the shared
cache under the hash of all that they depend on, and computed once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock
from torch import Tensor

from src.core.errors import UserError
from src.core.fingerprint import describe
from src.core.records import Example, Score, content_id, read_table, write_table
from src.modeling.loading import load_tokenizer
from src.modeling.moments import Moment
from src.selection.adam import Direction, Moments
from src.selection.base import Ranking, Reference, Target
from src.selection.gradients import Encoded, PerSampleGradients, batches, encode
from src.selection.projection import Sketch
from src.selection.scoring import add_scores, task_vector, weights, with_overall
from src.selection.store import GradientStore
from src.selection.warmup import hashed_files, load, warm_up

if TYPE_CHECKING:
    from src.selection.influence import Influence

VERSION = 1  # of the meaning of the cached scores
WINDOW = 2_048  # candidates held in tokens at once, and sorted by length among themselves
NO_RESPONSE = "no response tokens"
NOT_FINITE = "gradient is not finite"
ZERO = "gradient is zero"


def rank(options: Influence, candidates: Sequence[Example], reference: Reference) -> Ranking:
    """Scores of all candidates, from the cache where they have been computed before."""
    candidates = sorted(candidates, key=lambda candidate: candidate.id)
    targets = {name: target_examples(name, target, options.target_rows) for name, target in options.targets.items()}
    home = reference.cache / "influence" / _key(options, candidates, targets, reference)
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):
        if not home.exists():
            ranking = _estimate(options, candidates, targets, reference)
            _save(ranking, home)
        return _read(home)


def target_examples(name: str, target: Target, limit: int) -> list[Example]:
    """The first `limit` training or dev examples of a benchmark, by id."""
    examples = sorted(target.dev_examples(), key=lambda example: example.id)[:limit]
    if not examples:
        raise UserError(
            f"The target '{name}' has no training or dev examples to measure influence on.",
            "Remove it from selector.targets, or give the benchmark a dev split; a test split is never used.",
        )
    return examples


@dataclass
class _Found:
    """What the checkpoints add up to."""

    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    loss: dict[str, float] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)


def _estimate(
    options: Influence, candidates: list[Example], targets: dict[str, list[Example]], reference: Reference
) -> Ranking:
    checkpoints = warm_up(options, candidates, reference)
    shares = weights([checkpoint.lr for checkpoint in checkpoints])
    found = _Found()
    for i, (checkpoint, share) in enumerate(zip(checkpoints, shares)):
        what = f"gradients at checkpoint {i + 1} of {len(checkpoints)}"
        _add_checkpoint(options, checkpoint, share, candidates, targets, reference, what, found)
    for id in found.skipped:
        found.scores.pop(id, None)
    if not found.scores:
        raise UserError(
            f"None of the {len(candidates)} candidates has a usable gradient: {_reasons(found.skipped)}.",
            "Look at the candidates' responses, at selector.warmup.sequence_length and at the loss of the warm-up.",
        )
    found.facts["checkpoints"] = len(checkpoints)
    scores = [Score(*row) for row in with_overall(found.scores)]
    return Ranking(scores, dict(sorted(found.skipped.items())), dict(sorted(found.loss.items())), found.facts)


def _add_checkpoint(
    options: Influence,
    checkpoint: Moment,
    share: float,
    candidates: list[Example],
    targets: dict[str, list[Example]],
    reference: Reference,
    what: str,
    found: _Found,
) -> None:
    """Project all gradients at one checkpoint and add its share of the scores."""
    model, tokenizer = load(checkpoint, reference), load_tokenizer(reference.model)
    with PerSampleGradients(model, options.layers) as gradients:
        recipe = options.warmup
        moments = Moments.load(
            checkpoint.folder / "adam.safetensors", checkpoint.step, gradients.parameters, recipe, model.device
        )
        projector = Projector(gradients, moments, Sketch(options.dimension, options.projection_seed))
        tasks = {}
        for name, examples in targets.items():
            usable = [row for row in encode(tokenizer, examples, recipe.sequence_length) if row.response_tokens]
            if not usable:
                raise UserError(
                    f"No example of target '{name}' has a response within selector.warmup.sequence_length="
                    f"{recipe.sequence_length} tokens.",
                    "Raise it, or choose a target with shorter questions.",
                )
            blocks = (
                projector.project(batch, options.target_direction)[0] for batch in batches(usable, options.batch_tokens)
            )
            tasks[name] = task_vector(blocks)
        folder = reference.work / "gradients" / checkpoint.folder.name
        with (
            GradientStore(folder, options.dimension) as store,
            reference.progress(what, total=len(candidates), unit="candidates", done=len(store.facts)) as bar,
        ):
            todo = (candidate for candidate in candidates if candidate.id not in store.facts)
            while window := list(islice(todo, WINDOW)):
                rows = encode(tokenizer, window, recipe.sequence_length)
                for count in fill(store, projector, rows, options.direction, options.batch_tokens):
                    bar.advance(count)
            add_scores(found.scores, store.blocks(), tasks, share)
            found.skipped |= store.skipped()
            found.loss |= {id: fact["loss"] for id, fact in store.facts.items() if "loss" in fact}
        found.facts["gradient_size"] = gradients.size


@dataclass
class Projector:
    """Gradients of a batch, turned into update directions and projected, slice by slice of the backward pass."""

    gradients: PerSampleGradients
    moments: Moments
    sketch: Sketch

    def __post_init__(self) -> None:
        self._parameters = {parameter.name: parameter for parameter in self.gradients.parameters}

    def project(self, batch: Sequence[Encoded], direction: Direction) -> tuple[Tensor, Tensor]:
        """(projected directions: batch x dimension, float32; losses: batch), on the CPU."""
        device = self.gradients.model.device
        projected = torch.zeros(len(batch), self.sketch.dimension, device=device)

        def sink(name: str, first: int, values: Tensor) -> None:
            values = self.moments.direction(direction, name, first, values)
            self.sketch.add(projected, self._parameters[name], first, values)

        losses = self.gradients.run(batch, sink)
        return projected.cpu(), losses.cpu()


def fill(
    store: GradientStore, projector: Projector, rows: Sequence[Encoded], direction: Direction, batch_tokens: int
) -> Iterator[int]:
    """Store the normalised projections of all rows; yield how many candidates each step has settled.

    A row without response tokens, or whose gradient is zero or not finite, is recorded as skipped, with the reason.
    """
    for row in rows:
        if not row.response_tokens:
            store.skip(row.id, NO_RESPONSE)
            yield 1
    for batch in batches((row for row in rows if row.response_tokens), batch_tokens):
        projected, losses = projector.project(batch, direction)
        norms = projected.norm(dim=1)
        good = torch.isfinite(norms) & torch.isfinite(losses) & (norms > 0)
        for i in (~good).nonzero().flatten().tolist():
            store.skip(batch[i].id, ZERO if norms[i] == 0 and torch.isfinite(losses[i]) else NOT_FINITE)
        kept = good.nonzero().flatten().tolist()
        facts = [{"loss": round(float(losses[i]), 6), "tokens": batch[i].response_tokens} for i in kept]
        store.append([batch[i].id for i in kept], projected[kept] / norms[kept, None], facts)
        yield len(batch)


def _reasons(skipped: dict[str, str]) -> str:
    reasons = sorted(set(skipped.values()))
    return ", ".join(f"{list(skipped.values()).count(reason)} x {reason}" for reason in reasons)


def _key(options: Influence, candidates: list[Example], targets: dict[str, list[Example]], reference: Reference) -> str:
    """Hash of all that the scores depend on, and of nothing else: not the rule, not the batch size."""
    elsewhere = ("fraction", "top_k", "threshold", "batch_rows", "targets")
    names = (field.name for field in dataclasses.fields(options) if field.name not in elsewhere)
    settings = {name: describe(getattr(options, name)) for name in names}
    settings |= {"version": VERSION, "seed": reference.seed}
    return content_id(
        json.dumps(
            {"version": VERSION, "seed": reference.seed, **settings}, sort_keys=True, default=dataclasses.asdict
        ),
        json.dumps(hashed_files(reference.model), sort_keys=True),
        *(content_id(*dataclasses.astuple(row)) for row in candidates),
        *(content_id(name, *dataclasses.astuple(row)) for name in sorted(targets) for row in targets[name]),
    )


def _save(ranking: Ranking, home: Path) -> None:
    """Write beside, then rename: the folder exists = the scores are complete."""
    part = home.with_suffix(f".part{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    write_table(part / "scores", Score, ranking.scores)
    rest: dict[str, Any] = {"skipped": ranking.skipped, "loss": ranking.loss, "facts": ranking.facts}
    (part / "rest.json").write_text(json.dumps(rest, indent=1))
    part.replace(home)


def _read(home: Path) -> Ranking:
    return Ranking(list(read_table(home / "scores", Score)), **json.loads((home / "rest.json").read_text()))
